#!/usr/bin/env bats
# shellcheck disable=SC2016 # the body of the fake command expands when it runs
# From make up to make govern and back, with a docker that answers as FAKE_* say: which form the suite has, and what is written.

bats_require_minimum_version 1.5.0

setup() {
  clone="$BATS_TEST_TMPDIR/the clone"
  export CALLS=$BATS_TEST_TMPDIR/calls DRAFT=$BATS_TEST_TMPDIR/draft CLONE=$clone
  mkdir -p "$clone/policy" "$BATS_TEST_TMPDIR/bin"
  cp -r "$BATS_TEST_DIRNAME/.." "$clone/scripts"
  for script in ensure base-images; do printf '#!/bin/sh\n' >"$clone/scripts/$script.sh"; done
  echo 'version: 2' >"$clone/policy/policy.yaml"
  printf '# 3 of 40 are left over\n#\n# more\n# Next:\n# 1. edit\n\nversion: 2\nown: []\n# no head\n' >"$DRAFT"
  : >"$CALLS"

  cat >"$BATS_TEST_TMPDIR/bin/docker" <<'FAKE'
#!/usr/bin/env bash
# An engine with the suite, whose settings are the lines NAME=value of .env alone.
set -eu
case "$*" in
  *'config --images')
    line=$(sed -n 's/.*"=${\([A-Z_]*\)-.*/\1/p')
    value=$(sed -n "s/^$line=//p" "$CLONE/.env" 2>/dev/null | tail -n 1)
    printf '=%s\n' "${value:-(not set)}"
    exit
    ;;
esac
printf '%s | %s\n' "$*" "$(sed -n 's/^COMPOSE_FILE=//p' "$CLONE/.env" 2>/dev/null)" >>"$CALLS"
case "$*" in
  'context inspect'*) echo 'default unix:///var/run/docker.sock' ;;
  'ps -q --filter label=com.docker.compose.project='*) echo id ;;
  'ps -aq'*) [ ! -e "$CLONE/generated" ] || cat "$CLONE/generated" ;;
  'run '*) exit 1 ;;
  'compose ps --quiet --status running generator') [ ! -e "$CLONE/generated" ] || echo gen ;;
  'compose rm --stop --force generator') printf '%s' "${FAKE_LEFT-}" >"$CLONE/generated" ;;
  'compose run --rm --no-deps -T manager survey --yaml')
    [ "${FAKE_SURVEY:-10}" -ne 4 ] || { echo 'survey: no engine' >&2 && head -n 2 "$DRAFT" && exit 4; }
    cat "$DRAFT"
    exit "${FAKE_SURVEY:-10}"
    ;;
  'compose up '*) exit "${FAKE_UP:-0}" ;;
  'compose exec -T manager /gestor-manager reload') echo 'policy abc is in force (mode enforce), as before' ;;
  'compose exec -T manager /gestor-manager check-policy '*) printf '%s\n' 'own: []' '#' '# It needs no approval: it owns nothing.' '#' '# Warnings:' ;;
esac
FAKE
  chmod +x "$BATS_TEST_TMPDIR/bin/docker"
  PATH=$BATS_TEST_TMPDIR/bin:$PATH
  unset DOCKER_HOST COMPOSE_FILE

  # Something answers where the page is to be.
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  printf 'GESTOR_PORT=%s\nGESTOR_USER=1:1\nGESTOR_ENGINE_USER=65532:65532\n' "$port" >"$clone/.env"
  (cd "$BATS_TEST_TMPDIR/bin" && exec python3 -m http.server --bind 127.0.0.1 "$port") >/dev/null 2>&1 3>&- &
  server=$!
  for _ in {1..100}; do ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break; sleep 0.1; done
}

teardown() { kill "$server"; }

govern() { run "$clone/scripts/govern.sh"; }

files() { sed -n 's/^COMPOSE_FILE=//p' "$clone/.env"; }

# called_in FILES CALL says that docker was called like this while .env named these files.
called_in() { grep -qxF -- "$2 | $1" "$CALLS" || { cat "$CALLS" && return 1; }; }

up='compose up -d --wait --wait-timeout 180 --remove-orphans'
host=compose.yaml:compose.host.yaml

@test "a host is observed under a drafted policy, and what was found, what is in force and what comes next is said" {
  umask 077
  govern
  [ "$status" -eq 0 ] || { echo "$output" && return 1; }
  cmp "$DRAFT" "$clone/policy/host.yaml"
  [ "$(stat -c %a "$clone/policy/host.yaml")" = 644 ]
  [ "$(ls -A "$clone/policy")" = $'host.yaml\npolicy.yaml' ]
  [ "$(files)" = "$host" ]
  called_in "$host" "$up"
  [[ $output == *'  3 of 40 are left over'*'  more'*'policy abc is in force (mode enforce)'*'It needs no approval: it owns nothing.'*"http://127.0.0.1:$port"*'make approve'* ]]
  [[ $output != *'no head'* && $output != *Warnings* && $output != *'1. edit'* ]]
}

@test "a policy that is there stays, and a survey that found nothing is one, too" {
  echo mine >"$clone/policy/host.yaml"
  govern
  [ "$status" -eq 0 ]
  [ "$(cat "$clone/policy/host.yaml")" = mine ]
  run ! grep -q survey "$CALLS"
  rm "$clone/policy/host.yaml"
  FAKE_SURVEY=0 govern
  [ "$status" -eq 0 ]
  cmp "$DRAFT" "$clone/policy/host.yaml"
}

@test "where the survey fails nothing is written and nothing is started" {
  cp "$clone/.env" "$BATS_TEST_TMPDIR/before"
  for code in 4 2 0; do
    [ "$code" -ne 0 ] || : >"$DRAFT" # it ends well, and has printed nothing
    FAKE_SURVEY=$code govern
    [ "$status" -eq 1 ]
    [[ $output == *survey* ]]
    [ "$(ls -A "$clone/policy")" = policy.yaml ]
    cmp "$clone/.env" "$BATS_TEST_TMPDIR/before"
  done
  run ! grep -q 'compose up' "$CALLS"
}

@test "the generator is stopped first, as by make down, and what it leaves behind is said" {
  printf 'a\nb\n' >"$clone/generated"
  govern
  [ "$status" -eq 0 ]
  [[ $output == *'removes the 2 containers'* && $output != *'left'*'behind'* ]]
  stopped=$(grep -n 'compose rm --stop --force generator' "$CALLS" | cut -d: -f1)
  [ "$stopped" -lt "$(grep -n 'survey --yaml' "$CALLS" | cut -d: -f1)" ]
  printf 'a\nb\n' >"$clone/generated"
  FAKE_LEFT=$'b\n' govern
  [ "$status" -eq 0 ]
  [[ $output == *'left 1 containers behind'*'--sweep'* ]]
}

@test "make up brings the generator and the policy back, and leaves what else COMPOSE_FILE names" {
  govern
  run "$clone/scripts/up.sh"
  [ "$status" -eq 0 ] || { echo "$output" && return 1; }
  [ -z "$(files)" ]
  called_in '' "$up"

  # A row: COMPOSE_FILE before, after make govern, and after make up.
  touch "$clone/compose.override.yaml"
  while IFS='|' read -r before govern up; do
    sed -i /COMPOSE_FILE/d "$clone/.env"
    [ -z "$before" ] || printf 'export COMPOSE_FILE=%s\nCOMPOSE_FILE=%s' "$before" "$before" >>"$clone/.env"
    govern
    [ "$(files)" = "$govern" ] || { files && return 1; }
    "$clone/scripts/up.sh"
    [ "$(files)" = "$up" ] || { files && return 1; }
    [ "$(grep -c GESTOR "$clone/.env")" -eq 3 ]
  done <<'ROWS'
|compose.yaml:compose.override.yaml:compose.host.yaml|
compose.yaml:compose.tokens.yaml|compose.yaml:compose.tokens.yaml:compose.host.yaml|compose.yaml:compose.tokens.yaml
compose.yaml:./compose.host.yaml|compose.yaml:./compose.host.yaml|compose.yaml
ROWS
}

@test "a COMPOSE_FILE of the environment is named: .env cannot change it" {
  export COMPOSE_FILE=compose.yaml
  govern
  [ "$status" -eq 1 ]
  [[ $output == *'unset COMPOSE_FILE'* ]]
  [ ! -e "$clone/policy/host.yaml" ]
  run ! grep -q 'compose up' "$CALLS"
}

@test "a policy that the manager may not read is named before anything is started" {
  echo mine >"$clone/policy/host.yaml"
  chmod 0600 "$clone/policy/host.yaml"
  govern
  [ "$status" -eq 1 ]
  [[ $output == *"policy/host.yaml is not readable for the manager (user 65532:65532): chmod -R go+rX "* ]]
  run ! grep -q 'compose up' "$CALLS"
}

@test "a suite that does not become healthy ends with the command that goes on" {
  FAKE_UP=1 govern
  [ "$status" -eq 1 ]
  [[ $output == *"run 'make govern' again"* ]]
}
