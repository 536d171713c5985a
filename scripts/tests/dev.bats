#!/usr/bin/env bats
# shellcheck disable=SC2016 # the bodies of the fake commands expand when they run
# dev.sh with a Docker and a Go that only say how they were called.

bats_require_minimum_version 1.5.0

setup() {
  clone=$BATS_TEST_TMPDIR/clone
  bin=$BATS_TEST_TMPDIR/bin
  export calls=$BATS_TEST_TMPDIR/calls running=id output=$BATS_TEST_TMPDIR/output
  mkdir -p "$bin" "$clone"/services/{contract,manager,generator,logs}
  cp -r "$BATS_TEST_DIRNAME/.." "$clone/scripts"
  touch "$clone"/services/{contract,manager,generator,logs}/main.go "$calls"
  fake docker 'echo "$*" >>"$calls"
    case "$*" in
      *"ps --quiet"*) [ -z "$running" ] || echo "$running" ;;
      *"config --images"*) echo "=${compose_file-(not set)}" ;;
      *"logs --follow"*) exec sleep 60 ;;
    esac'
  fake go 'case $1 in
      env) echo go1.26.8 ;;
      build) [ ! -e "$calls.broken" ] || { echo "main.go:1: broken" && exit 1; }
        echo "build $(pwd)" >>"$calls"; [ "$2" != -o ] || echo program >"$3" ;;
    esac'
}

fake() {
  printf '#!/usr/bin/env bash\n%s\n' "$2" >"$bin/$1"
  chmod +x "$bin/$1"
  PATH=$bin:$PATH
}

# start SERVICE runs dev.sh as a terminal does: with SIGINT in force, which a shell takes from what it starts in the background.
start() {
  python3 -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])' "$clone/scripts/dev.sh" "$1" >"$output" 2>&1 3>&- &
  pid=$!
}

# until_called PATTERN waits until a call looks like that.
until_called() {
  for _ in {1..150}; do
    ! grep -qE "$1" "$calls" || return 0
    sleep 0.1
  done
  cat "$calls" "$output"
  return 1
}

interrupt() {
  kill -INT "$pid"
  wait "$pid"
}

@test "the program of the clone is mounted into the service, and Ctrl-C puts the image's back" {
  start manager
  until_called 'logs --follow'
  interrupt
  grep -qx "build $clone/services/manager" "$calls"
  grep -qxF "compose -f compose.yaml -f $clone/.cache/dev/manager.yaml up -d --no-deps --no-build --wait manager" "$calls"
  grep -qF 'source: ./.cache/dev/gestor-manager, target: /gestor-manager, read_only: true' "$clone/.cache/dev/manager.yaml"
  [ "$(cat "$clone/.cache/dev/gestor-manager")" = program ]
  [ "$(tail -n 1 "$calls")" = 'compose up -d --no-deps --no-build --wait manager' ]
}

@test "a change of the service or of what it shares builds and restarts it, one of another service does not" {
  start manager
  until_called 'logs --follow'
  sleep 1
  touch "$clone/services/logs/main.go"
  sleep 2
  [ "$(grep -c '^build' "$calls")" -eq 1 ]
  touch "$clone/services/contract/main.go"
  until_called 'restart --no-deps manager'
  rm "$calls" && touch "$calls"
  sleep 1
  rm "$clone/services/manager/main.go"
  until_called 'restart --no-deps manager'
  interrupt
}

@test "what does not build leaves the program that runs" {
  start logs
  until_called 'logs --follow'
  touch "$calls.broken"
  sleep 1
  touch "$clone/services/logs/main.go"
  for _ in {1..100}; do ! grep -q 'the program of before goes on' "$output" || break; sleep 0.1; done
  grep -q 'main.go:1: broken' "$output"
  run ! grep -q restart "$calls"
  interrupt
}

@test "the generator gets the scripts of the clone too, and the files that COMPOSE_FILE names are read" {
  export compose_file=compose.yaml:compose.podman.yaml
  start generator
  until_called 'logs --follow'
  interrupt
  grep -qF 'source: ./scripts/launch-container.sh, target: /usr/local/bin/launch-container.sh' "$clone/.cache/dev/generator.yaml"
  grep -qF -- '-f compose.yaml -f compose.podman.yaml -f' "$calls"
}

@test "a suite that does not run is said before anything is built" {
  running='' run -1 "$clone/scripts/dev.sh" manager
  [[ $output == *'start the suite with make up'* ]]
  run -1 "$clone/scripts/dev.sh" policy
  run -1 "$clone/scripts/dev.sh" manager logs
  run ! grep -q build "$calls"
}
