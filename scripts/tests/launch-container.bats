#!/usr/bin/env bats
# The wrapper against a docker that writes down how it is called: no engine is needed.

bats_require_minimum_version 1.5.0

setup() {
  wrapper=$BATS_TEST_DIRNAME/../launch-container.sh
  CALLS=$BATS_TEST_TMPDIR/calls
  export CALLS
  : >"$CALLS"
  mkdir "$BATS_TEST_TMPDIR/bin"
  ln -s "$BATS_TEST_DIRNAME/fake-docker" "$BATS_TEST_TMPDIR/bin/docker"
  PATH=$BATS_TEST_TMPDIR/bin:$PATH
}

called() { grep -qxF -- "$1" "$CALLS"; }

# refused ARGUMENT…: wrong usage, said so, and docker never called.
refused() {
  run --separate-stderr "$wrapper" "$@"
  [ "$status" -eq 2 ]
  [ -n "$stderr" ]
  [ ! -s "$CALLS" ]
}

@test "prints the container's id and nothing else" {
  run --separate-stderr "$wrapper" high-cpu
  [ "$status" -eq 0 ]
  [ "$output" = "$(printf '%064d' 7)" ]
}

@test "every container is bounded, labelled and shut in" {
  "$wrapper" --run r1 --seq 42 --owner abc --lease 100 high-ram
  for argument in --detach --read-only gestor.managed=true gestor.class=high gestor.image=high-ram gestor.suite=gestor \
    gestor.run=r1 \
    gestor.seq=42 gestor.owner=abc --memory 288m --memory-swap --cpus 0.25 --cpu-shares 128 --pids-limit 16 --network none \
    --cap-drop ALL --security-opt no-new-privileges gestor/high-ram; do
    called "$argument"
  done
  expires=$(sed -n 's/^gestor.expires=//p' "$CALLS")
  [ $((expires - $(date +%s))) -ge 90 ]
  [ $((expires - $(date +%s))) -le 100 ]
  [ "$(grep -cx 288m "$CALLS")" -eq 2 ] # memory and memory with swap: no swap
}

@test "works by hand with nothing but an image, each time under another name" {
  "$wrapper" low-idle
  "$wrapper" low-idle
  called gestor.run=manual
  GESTOR_SUITE=other "$wrapper" low-idle
  called gestor.suite=other
  [ "$(grep -xE 'low-idle-[0-9a-f]{16}' "$CALLS" | sort -u | wc -l)" -eq 3 ]
}

@test "the course's names mean the same images" {
  for pair in alto_1:high-cpu alto_2:high-ram bajo_1:low-idle bajo_2:low-pulse; do
    "$wrapper" "${pair%%:*}"
    called "gestor/${pair##*:}"
  done
}

@test "a full reference needs a class and gets limits" {
  refused --image registry.example:5000/team/thing:1.2
  "$wrapper" --image registry.example:5000/team/thing:1.2 --class low
  called registry.example:5000/team/thing:1.2
  called gestor.image=thing
  called --memory
}

@test "a lifetime reaches the image and sets the lease; --rm lets the engine remove" {
  "$wrapper" --rm --lifetime 240 low-idle
  [ "$(grep -v '^$' "$CALLS" | tail -1)" = 240 ]
  called --rm
  expires=$(sed -n 's/^gestor.expires=//p' "$CALLS")
  [ $((expires - $(date +%s))) -ge 290 ]
}

@test "hostile arguments are refused before docker sees them" {
  # shellcheck disable=SC2016 # the texts must stay as they are
  for text in '' ' ' 'high-cpu; touch /tmp/x' '$(id)' '`id`' '../high-cpu' $'high-cpu\nlow-idle' $'\x1b[31m' \
    '--privileged' '-v/:/host' "a'b" 'a"b' $'\xff\xfe' '*' "$(printf 'a%.0s' {1..70000})"; do
    refused "$text"
    refused --name "$text" --name "/$text" high-cpu
    for option in --name --class --memory --cpus --pids --lifetime --lease --run --seq --suite --owner; do
      [ -n "$text" ] || continue # an empty value is the default
      refused "$option" "$text" high-cpu
    done
    refused --image "$text " --class low
  done
}

@test "no option can lift a limit" {
  refused --memory 0 high-cpu
  refused --memory -1 high-cpu
  refused --cpus 0 high-cpu
  refused --cpus 0.000 high-cpu
  refused --pids 0 high-cpu
  refused --pids -1 high-cpu
  refused --privileged high-cpu
  refused --network host high-cpu
  refused --class low high-cpu
}

@test "wrong usage says what is wrong" {
  refused
  refused high-cpu low-idle
  refused --name
  refused --image x --class low high-cpu
  run "$wrapper" --help
  [ "$status" -eq 0 ]
  [[ $output == usage:* ]]
}

@test "the table of images is complete" {
  run "$wrapper" --images
  [ "${#lines[@]}" -eq 4 ]
  for line in "${lines[@]}"; do
    [ "$(tr -cd '\t' <<<"$line" | wc -c)" -eq 5 ]
    [ -f "$BATS_TEST_DIRNAME/../../stress-images/${line%%$'\t'*}/Dockerfile" ]
  done
}

@test "--dry-run prints a command that a shell reads back, and starts nothing" {
  run "$wrapper" --dry-run --name abc low-pulse
  [ "$status" -eq 0 ]
  [ ! -s "$CALLS" ]
  eval "set -- $output"
  [ "$1 $2" = 'docker run' ]
  [ "${*: -1}" = gestor/low-pulse ]
}

@test "a name that is none of the four is wrong usage, not an image that is missing" {
  refused nosuch
  [[ $stderr == *'no image of that name'*--images*nosuch ]]
}

@test "the exit code tells the cause" {
  export FAKE_RUN_CODE=125
  while IFS='|' read -r code words; do
    FAKE_RUN_WORDS=$words run "$wrapper" low-idle
    [ "$status" -eq "$code" ]
  done <<'CAUSES'
3|docker: Error response from daemon: No such image: gestor/low-idle:latest
4|docker: Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?
5|docker: Error response from daemon: Minimum memory limit allowed is 6MB
7|docker: Error response from daemon: Conflict. The container name "/x" is already in use by container "y".
3|docker: Error response from daemon: no such image: docker.io/gestor/low-idle: image not known
3|Error: gestor/low-idle: image not known
5|docker: Error response from daemon: runc: runc create failed: unable to start container process: OCI runtime error
7|docker: Error response from daemon: container create: creating container storage: the container name "x" is already in use by y. You have to remove that container to be able to reuse that name: that name is already in use
7|Error: creating container storage: the container name "x" is already in use by y. You have to remove that container to be able to reuse that name: that name is already in use
CAUSES
}

@test "an engine without Docker's log driver gets podman's, and every other limit" {
  words='docker: Error response from daemon: container create: running container create option: invalid log driver: invalid argument'
  FAKE_REFUSE=local FAKE_REFUSE_WORDS=$words run --separate-stderr "$wrapper" --name n1 high-cpu
  [ "$status" -eq 0 ]
  [ "$output" = "$(printf '%064d' 7)" ] && [ -z "$stderr" ]
  # Both calls are the same but for the log.
  awk -v RS= 'NR == 1' "$CALLS" | sed '/^--log-/,+1d; /^gestor.expires=/d' >"$BATS_TEST_TMPDIR/first"
  awk -v RS= 'NR == 2' "$CALLS" | sed '/^--log-/,+1d; /^gestor.expires=/d' >"$BATS_TEST_TMPDIR/second"
  cmp "$BATS_TEST_TMPDIR/first" "$BATS_TEST_TMPDIR/second"
  [ "$(grep -cx k8s-file "$CALLS")" -eq 1 ] && [ "$(grep -cx run "$CALLS")" -eq 2 ]

  : >"$CALLS"
  FAKE_RUN_CODE=125 FAKE_RUN_WORDS=$words run "$wrapper" high-cpu # an engine that has neither is asked twice, not for ever
  [ "$status" -eq 5 ] && [ "$(grep -cx run "$CALLS")" -eq 2 ]
}

@test "a container that was made but could not be started is removed, by its labels" {
  FAKE_RUN_CODE=127 FAKE_PS=cafe run "$wrapper" --run r9 --name n9 low-idle
  [ "$status" -eq 5 ]
  called label=gestor.managed=true
  called label=gestor.run=r9
  called status=created
  called "$(printf %q 'name=^/?n9$')"
  called cafe
}

@test "without docker it says so" {
  mkdir "$BATS_TEST_TMPDIR/empty"
  for tool in bash env od tr date; do ln -s "$(command -v "$tool")" "$BATS_TEST_TMPDIR/empty/$tool"; done
  PATH=$BATS_TEST_TMPDIR/empty run "$wrapper" low-idle
  [ "$status" -eq 4 ]
  [[ $output == *missing* ]]
}
