#!/usr/bin/env bats
# The listing and removing script against a docker that writes down how it is called: no engine is needed.

bats_require_minimum_version 1.5.0

setup() {
  script=$BATS_TEST_DIRNAME/../managed-containers.sh
  id=$(printf '%064d' 5)
  CALLS=$BATS_TEST_TMPDIR/calls
  export CALLS
  : >"$CALLS"
  mkdir "$BATS_TEST_TMPDIR/bin"
  ln -s "$BATS_TEST_DIRNAME/fake-docker" "$BATS_TEST_TMPDIR/bin/docker"
  ln -s "$(command -v true)" "$BATS_TEST_TMPDIR/bin/sleep"
  PATH=$BATS_TEST_TMPDIR/bin:$PATH
}

called() { grep -qxF -- "$1" "$CALLS"; }

@test "nothing is asked of the engine without our label" {
  "$script" list
  "$script" list --run r1
  "$script" remove --run r1
  "$script" watch --run r1
  [ "$(grep -cxE 'ps|events' "$CALLS")" -eq 4 ]
  for event in start die oom kill destroy died remove; do grep -qx "event=$event" "$CALLS"; done # podman's words too
  [ "$(grep -cxF label=gestor.managed=true "$CALLS")" -eq 4 ]
}

@test "remove --run removes what the engine lists for that run and says how many" {
  FAKE_PS=$id$'\n' FAKE_PS_TIMES=1 run "$script" remove --run r1
  [ "$status" -eq 0 ]
  [ "$output" = 1 ]
  called label=gestor.run=r1
  called rm
  called "$id"
}

@test "a container that does not carry our label is not removed, however it was named" {
  FAKE_PS='' run "$script" remove "$id"
  [ "$status" -eq 0 ]
  [ "$output" = 0 ]
  called label=gestor.managed=true
  run ! called rm
}

@test "one that the engine removed first counts as done; one that stays is an error" {
  FAKE_RM_CODE=1 FAKE_PS=$id$'\n' FAKE_PS_TIMES=2 run "$script" remove --run r1
  [ "$status" -eq 0 ]
  : >"$CALLS"
  FAKE_RM_CODE=1 FAKE_PS=$id$'\n' FAKE_PS_TIMES=99 run "$script" remove --run r1
  [ "$status" -eq 5 ]
}

@test "an engine that does not answer is not an empty list" {
  for arguments in list 'list --run r1' 'remove --run r1' "remove $id"; do
    # shellcheck disable=SC2086 # several words
    FAKE_PS_CODE=1 run "$script" $arguments
    [ "$status" -eq 4 ]
  done
}

@test "running: the id of what runs, nothing for what ended or is not there" {
  FAKE_INSPECT=$id$'\n' run "$script" running web
  [ "$status" -eq 0 ]
  [ "$output" = "$id" ]
  FAKE_INSPECT=$'\n' run "$script" running web
  [ "$status" -eq 0 ]
  [ -z "$output" ]
  for words in 'Error: No such container: web' 'Error response from daemon: No such container: web' 'error: no such object: web'; do
    FAKE_INSPECT=$'\n' FAKE_INSPECT_WORDS=$words FAKE_INSPECT_CODE=1 run "$script" running web
    [ "$status" -eq 0 ]
    [ -z "$output" ]
  done
}

@test "running: an engine that goes away in between is no word about the container" {
  for words in 'Cannot connect to the Docker daemon at unix:///var/run/docker.sock' '' 'context deadline exceeded'; do
    FAKE_INSPECT_WORDS=$words FAKE_INSPECT_CODE=1 run "$script" running web
    [ "$status" -eq 4 ]
  done
}

@test "engine: a template filled with nothing is not an engine" {
  FAKE_INFO=$'host\t28.2.2\n' run "$script" engine
  [ "$status" -eq 0 ]
  [ "$output" = $'host\t28.2.2' ]
  for info in '' $'\t\n' $'\t28.2.2\n' $'host\t\n'; do
    FAKE_INFO=$info run "$script" engine
    [ "$status" -eq 4 ]
  done
  FAKE_INFO=$'host\t28.2.2\n' FAKE_INFO_CODE=1 run "$script" engine
  [ "$status" -eq 4 ]
}

@test "hostile arguments are refused before docker sees them" {
  # shellcheck disable=SC2016 # the texts must stay as they are
  for text in ' ' 'r1 r2' '$(id)' '../r' $'r1\nr2' '-f' '*' 'R1' $'\xff' ; do
    for command in list remove watch; do
      run "$script" "$command" --run "$text"
      [ "$status" -eq 2 ]
    done
    run "$script" remove "$text"
    [ "$status" -eq 2 ]
    run "$script" running "$text "
    [ "$status" -eq 2 ]
  done
  for arguments in '' nonsense remove 'remove --run' 'list --all' watch 'watch --all x' 'remove cafe'; do
    # shellcheck disable=SC2086 # several words
    run "$script" $arguments
    [ "$status" -eq 2 ]
  done
  [ ! -s "$CALLS" ]
}

@test "engine: a version in which nothing can be started is a mistake, however well the engine speaks it" {
  for version in 1.24 1.9 0; do
    DOCKER_API_VERSION=$version FAKE_INFO=$'host\t20.10.24' run --separate-stderr "$script" engine
    [ "$status" -eq 6 ]
    [[ $stderr == *DOCKER_API_VERSION=$version*1.25* ]]
  done
  for version in 1.25 1.41; do
    DOCKER_API_VERSION=$version FAKE_INFO=$'host\t20.10.24' run --separate-stderr "$script" engine
    [ "$status" -eq 0 ]
  done
}

@test "engine: a version that it does not speak is a mistake, not an engine that is away" {
  for words in 'client version 1.99 is too new. Maximum supported API version is 1.41' 'page not found'; do
    DOCKER_API_VERSION=1.99 FAKE_INFO=$'\t\nError response from daemon: '$words run --separate-stderr "$script" engine
    [ "$status" -eq 6 ]
    [[ $stderr == *DOCKER_API_VERSION=1.99* ]]
    [ "${#stderr_lines[@]}" -eq 1 ] || { echo "$stderr" && return 1; }
  done
}
