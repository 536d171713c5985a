#!/usr/bin/env bats
# The wrapper of the services' commands against a docker that writes down how it is called: no engine is needed.

bats_require_minimum_version 1.5.0

setup() {
  gestor=$BATS_TEST_DIRNAME/../gestor
  CALLS=$BATS_TEST_TMPDIR/calls
  export CALLS
  : >"$CALLS"
  mkdir "$BATS_TEST_TMPDIR/bin"
  ln -s "$BATS_TEST_DIRNAME/fake-docker" "$BATS_TEST_TMPDIR/bin/docker"
  PATH=$BATS_TEST_TMPDIR/bin:$PATH
  unset GESTOR_NATIVE COMPOSE_PROJECT_NAME
}

called() { grep -qxF -- "$1" "$CALLS"; }

# call TEXT… is the call of docker that begins with these arguments, in one line.
call() { awk -v RS= '{ gsub(/\n/, " "); print }' "$CALLS" | grep -F -- "$*"; }

# Each command with its service: in the suite's container, with what it was given.
@test "a command runs in the container of its service" {
  export FAKE_COMPOSE=id1
  for pair in explain:manager once:manager policy-plan:manager reload:manager replay:manager check-policy:manager \
    plan:generator report:generator down:generator export:logs verify:logs; do
    : >"$CALLS"
    run --separate-stderr "$gestor" "${pair%:*}" --some '--th ing'
    [ "$status" -eq 0 ] && [ -z "$stderr" ]
    call compose ps --quiet --status running "${pair#*:}"
    call exec id1 "/gestor-${pair#*:} ${pair%:*} --some" '--th\ ing' || { cat "$CALLS" && return 1; }
  done
}

@test "what needs neither the suite nor its state gets a container of its own" {
  "$gestor" simulate --hours 1
  run ! grep -q compose "$CALLS"
  call run --rm --pull never --network none --read-only --cap-drop ALL | grep -F 'gestor/manager simulate --hours 1'
  : >"$CALLS"
  "$gestor" plan --seed 42
  call run --rm | grep -F 'gestor/generator plan --seed 42'
}

@test "a survey gets a container of its own that sees the host, whether the suite runs or not" {
  # A socket of the test's: there need be no engine.
  socket=$BATS_TEST_TMPDIR/docker.sock
  python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$socket"
  FAKE_COMPOSE=id1 GESTOR_DOCKER_SOCKET=$socket "$gestor" survey --yaml
  run ! grep -q compose "$CALLS"
  call run --rm --pull never --network none --read-only --cap-drop ALL | grep -F 'gestor/manager survey --yaml'
  for mount in "source=$socket,target=/var/run/docker.sock" source=/proc,target=/host/proc,readonly \
    source=/sys/fs/cgroup,target=/host/sys/fs/cgroup,readonly; do
    called "type=bind\\,${mount//,/\\,}" || { cat "$CALLS" && return 1; }
  done

  GESTOR_DOCKER_SOCKET=$BATS_TEST_TMPDIR/none run --separate-stderr "$gestor" survey
  [ "$status" -eq 4 ] && [[ $stderr == *GESTOR_DOCKER_SOCKET* ]]
}

@test "release and once run beside the suite, with the state of a service that does not run" {
  "$gestor" release
  call compose run --rm --no-deps --no-TTY manager release
  "$gestor" once
  call compose run --rm --no-deps --no-TTY manager once
}

@test "the exit code is the command's, and its output alone is printed" {
  FAKE_COMPOSE=id1 FAKE_EXEC_CODE=7 run --separate-stderr "$gestor" explain
  [ "$status" -eq 7 ]
  [ "$output" = 'answer of explain' ]
  [ -z "$stderr" ]
  FAKE_RUN_CODE=5 run "$gestor" simulate
  [ "$status" -eq 5 ]
}

@test "what asks a suite that does not run ends with the next step" {
  for command in explain reload report down export verify replay; do
    run --separate-stderr "$gestor" "$command"
    [ "$status" -eq 4 ]
    [[ $stderr == *'make up'* ]]
  done
  run ! grep -qx exec "$CALLS"
  run ! grep -qx run "$CALLS"
}

@test "the help of a command needs no suite" {
  "$gestor" explain --help
  call run --rm | grep -F 'gestor/manager explain --help'
}

@test "without engine, without image and without compose: which, and the next step" {
  FAKE_COMPOSE_CODE=1 run --separate-stderr "$gestor" explain
  [ "$status" -eq 4 ] && [[ $stderr == *'make doctor'* ]]
  FAKE_COMPOSE_CODE=1 run --separate-stderr "$gestor" version
  [ "$status" -eq 4 ] && [[ $stderr == *'make doctor'* ]]
  FAKE_IMAGE_CODE=1 run --separate-stderr "$gestor" simulate
  [ "$status" -eq 3 ] && [[ $stderr == *'gestor/manager'*'make images'* ]]
  FAKE_IMAGE_CODE=1 FAKE_VERSION_CODE=1 run --separate-stderr "$gestor" simulate
  [ "$status" -eq 4 ] && [[ $stderr == *'make doctor'* ]]
}

@test "a file of this host is found from where the caller is and mounted read-only, whatever its name" {
  dir="$BATS_TEST_TMPDIR/a, \"b\" c:d"
  mkdir "$dir"
  echo 'version: 1' >"$dir/my policy.yaml"
  cd "$dir"
  FAKE_COMPOSE=id1 "$gestor" check-policy --quiet 'my policy.yaml'
  real=$(realpath 'my policy.yaml')
  called "$(printf %q "type=bind,\"source=${real//\"/\"\"}\",\"target=${real//\"/\"\"}\",readonly")"
  called "$(printf %q "$real")"
  called --quiet
  run ! grep -qx exec "$CALLS"
  run ! grep -qx -e --interactive -e --tty "$CALLS"
}

@test "a path through a link and .. is the one that the caller's shell means" {
  mkdir -p "$BATS_TEST_TMPDIR/x/deep" "$BATS_TEST_TMPDIR/y"
  ln -s ../x/deep "$BATS_TEST_TMPDIR/y/link"
  echo 'version: 1' >"$BATS_TEST_TMPDIR/x/policy.yaml"
  cd "$BATS_TEST_TMPDIR/y"
  "$gestor" check-policy link/../policy.yaml
  called "$(realpath "$BATS_TEST_TMPDIR/x/policy.yaml")"
}

@test "every argument that names a file of this host is known, in each way of writing it" {
  cd "$BATS_TEST_TMPDIR"
  mkdir copy
  touch f
  f=$(realpath f) copy=$(realpath copy)
  for line in "explain --journal copy|--journal $copy" "explain -journal=copy 310|-journal=$copy 310" "replay copy|$copy" \
    "replay --json f|--json $f" "simulate --policy f|--policy $f" "simulate --policy=f --json|--policy=$f --json" \
    "verify -all copy|-all $copy" "plan --replay f --run r1|--replay $f --run r1" "plan --profile ./f|--profile $f" "check-policy f|$f"; do
    : >"$CALLS"
    read -ra arguments <<<"${line%|*}"
    FAKE_COMPOSE=id1 "$gestor" "${arguments[@]}"
    run call run --rm
    [[ $output == *' --mount '*" ${arguments[0]} ${line#*|}" ]] || { echo "$line: $output" && return 1; }
  done
}

@test "a name that is no file is none: of a container, of a shipped profile" {
  cd "$BATS_TEST_TMPDIR"
  touch poisson web-3
  FAKE_COMPOSE=id1 "$gestor" plan --profile poisson
  call exec id1 /gestor-generator plan --profile poisson
  FAKE_COMPOSE=id1 "$gestor" explain web-3
  call exec id1 /gestor-manager explain web-3
}

@test "a file that is not there is left to the command, whose words and code they are" {
  FAKE_COMPOSE=id1 FAKE_RUN_CODE=2 run "$gestor" check-policy "$BATS_TEST_TMPDIR/none.yaml"
  [ "$status" -eq 2 ]
  called "$(realpath "$BATS_TEST_TMPDIR")/none.yaml"
  run ! grep -qx -e --mount "$CALLS"
}

@test "standard input is the file when it is named, and is left alone otherwise" {
  for name in - /dev/stdin; do
    : >"$CALLS"
    run --separate-stderr bash -c "echo 'version: 1' | '$gestor' check-policy $name"
    [ "$output" = 'version: 1' ]
    called /dev/stdin
  done
  run --separate-stderr bash -c "'$gestor' check-policy <(echo 'version: 1')"
  [ "$output" = 'version: 1' ]
  # shellcheck disable=SC2016 # the inner shell expands it
  run --separate-stderr env FAKE_COMPOSE=id1 bash -c 'printf "a\nb\n" | while read -r name; do "$0" explain "$name" && echo "after $name"; done' "$gestor"
  [[ $output == *'after a'*'after b'* ]]
}

@test "whatif reads its policy, a file of this host, beside the journal of the suite" {
  cd "$BATS_TEST_TMPDIR"
  mkdir copy
  echo 'version: 2' >policy.yaml
  for way in '--policy policy.yaml' '-policy=policy.yaml'; do
    : >"$CALLS"
    # shellcheck disable=SC2086 # two words
    output=$(FAKE_COMPOSE=id1 "$gestor" whatif $way --from 7d)
    [ "$output" = 'version: 2' ]
    call exec --interactive id1 /gestor-manager whatif
  done
  output=$(echo 'version: 2' | FAKE_COMPOSE=id1 "$gestor" whatif --policy - --journal copy)
  [ "$output" = 'version: 2' ]
  call run --rm | grep -F "gestor/manager whatif --policy - --journal $(realpath copy)"
  run --separate-stderr "$gestor" whatif --policy none.yaml
  [ "$status" -eq 2 ] && [[ $stderr == *'none.yaml cannot be read'* ]]
}

@test "approval reads a plan beside the file that it is for" {
  cd "$BATS_TEST_TMPDIR"
  echo 'version: 2' >policy.yaml
  output=$(echo a-plan | FAKE_COMPOSE=id1 "$gestor" approval --who me --own-count 3 policy.yaml)
  [ "$output" = a-plan ]
  call run --rm | grep -F "gestor/manager approval --who me --own-count 3 $(realpath policy.yaml)"
  echo a-plan | FAKE_COMPOSE=id1 "$gestor" approval --show
  call exec --interactive id1 /gestor-manager approval --show
}

@test "a terminal only when everything goes to one" {
  FAKE_COMPOSE=id1 script -qec "'$gestor' explain" /dev/null </dev/null
  called --tty
  : >"$CALLS"
  FAKE_COMPOSE=id1 script -qec "'$gestor' explain | cat" /dev/null </dev/null
  run ! grep -qx -e --tty "$CALLS"
}

@test "the project is that of .env, of the environment, or -p, from any folder and through a link" {
  ln -s "$gestor" "$BATS_TEST_TMPDIR/bin/gestor"
  # shellcheck disable=SC2016 # written into the script
  printf '#!/bin/bash\n[ "$1" != compose ] || { echo "$COMPOSE_PROJECT_NAME in $PWD" >&2 && exit 1; }\n' >"$BATS_TEST_TMPDIR/docker"
  chmod +x "$BATS_TEST_TMPDIR/docker"
  mv "$BATS_TEST_TMPDIR/docker" "$BATS_TEST_TMPDIR/bin/docker"
  root=$(realpath "$BATS_TEST_DIRNAME/../..")
  cd /
  run gestor -p second explain
  [[ $output == "second in $root"* ]]
  COMPOSE_PROJECT_NAME=third run gestor explain
  [[ $output == "third in $root"* ]]
}

@test "settings and version are everybody's, or one service's" {
  FAKE_COMPOSE=id1 "$gestor" settings
  for service in manager generator logs; do call exec id1 "/gestor-$service settings"; done
  : >"$CALLS"
  FAKE_COMPOSE=id1 "$gestor" version logs
  [ "$(grep -cx exec "$CALLS")" -eq 1 ]
  call exec id1 /gestor-logs version
  FAKE_COMPOSE=id1 FAKE_EXEC_CODE=3 run "$gestor" version
  [ "$status" -eq 3 ]
}

@test "natively the programs of this host run, and nobody asks docker" {
  # shellcheck disable=SC2016 # written into the program
  printf '#!/bin/bash\nprintf "%%s," "$(basename "$0")" "$@"; cat; exit 6\n' >"$BATS_TEST_TMPDIR/bin/gestor-manager"
  chmod +x "$BATS_TEST_TMPDIR/bin/gestor-manager"
  export GESTOR_NATIVE=1
  cd "$BATS_TEST_TMPDIR"
  run --separate-stderr bash -c "echo input | '$gestor' check-policy --quiet 'a b'"
  [ "$status" -eq 6 ]
  [ "$output" = "gestor-manager,check-policy,--quiet,$(realpath .)/a b,input" ]
  run --separate-stderr bash -c "echo input | '$gestor' check-policy -"
  [ "$output" = 'gestor-manager,check-policy,/dev/stdin,input' ]
  run --separate-stderr bash -c "'$gestor' check-policy <(echo input)"
  [ "$output" = 'gestor-manager,check-policy,/dev/stdin,input' ]
  [ ! -s "$CALLS" ]
  run --separate-stderr "$gestor" verify
  [ "$status" -eq 3 ]
  [[ $stderr == *gestor-logs*'go build'* ]]
}

@test "wrong usage is refused before docker is asked, with the next step" {
  for arguments in '' 'explian' '-x explain' '-p' 'settings nobody' 'run' 'healthcheck'; do
    # shellcheck disable=SC2086 # words
    run --separate-stderr "$gestor" $arguments
    [ "$status" -eq 2 ] || { echo "$arguments: $status" && return 1; }
    [[ $stderr == *--help* || $stderr == usage:* || $stderr == *'make up'* || $stderr == *'manager, generator or logs'* ]]
  done
  [ ! -s "$CALLS" ]
}

# A variable of the caller's that is empty: the suite of this folder, or another file, would answer another question.
@test "an empty name of a project or of a file is refused before docker is asked" {
  for arguments in '-p "" explain' 'check-policy ""' 'verify ""' 'explain --journal ""' 'explain --journal=' 'whatif --policy=' 'whatif --policy ""' 'plan --replay ""'; do
    eval "run --separate-stderr \"\$gestor\" $arguments"
    [ "$status" -eq 2 ] && [[ $stderr == *--help* ]] || { echo "$arguments: $status $stderr" && return 1; }
  done
  [ ! -s "$CALLS" ]
}

@test "it explains itself, each command in a line" {
  run "$gestor" --help
  [ "$status" -eq 0 ]
  [[ $output == 'usage: scripts/gestor '* ]]
  for command in explain once check-policy policy-plan approval reload replay whatif simulate plan report down export verify settings version; do
    grep -qE "^  $command( .*)?  +[a-z]" <<<"$output" || { echo "$command" && return 1; }
  done
}
