#!/usr/bin/env bats
# The script that approves a policy against a docker that answers as FAKE_* say: what it refuses, asks and writes.

bats_require_minimum_version 1.5.0

setup() {
  approve=$BATS_TEST_DIRNAME/../approve.sh
  export CALLS=$BATS_TEST_TMPDIR/calls FOLDER="$BATS_TEST_TMPDIR/the policy" TMPDIR=$BATS_TEST_TMPDIR/tmp
  mkdir "$BATS_TEST_TMPDIR/bin" "$FOLDER" "$TMPDIR"
  : >"$CALLS"
  export FAKE_ID=id1 FAKE_POLICY=/etc/gestor/host.yaml FAKE_MOUNT=/etc/gestor FAKE_OWN=3
  cat >"$BATS_TEST_TMPDIR/bin/docker" <<'FAKE'
#!/usr/bin/env bash
# The suite's manager with a policy that owns FAKE_OWN containers.
set -eu
printf '%s\n' "$*" >>"$CALLS"

# document ARGUMENT… is what the command approval does of it.
document() {
  local who='' own=''
  while [ $# -gt 0 ]; do
    case $1 in
      --needed) echo "it is needed or not" && exit "${FAKE_NEEDED:-10}" ;;
      --show)
        [ "${FAKE_SHOWN:-0}" -eq 0 ] || { echo 'approval: closed: journal' >&2 && exit "$FAKE_SHOWN"; }
        echo "shown: $(cat)" && exit
        ;;
      --who) who=$2 && shift ;;
      --own-count) own=$2 && shift ;;
      *) [ "$1" = "$FAKE_POLICY" ] ;;
    esac
    shift
  done
  [ "$own" = "$FAKE_OWN" ] || { echo "approval: $own is not the number" >&2 && exit 1; }
  printf '{"who": "%s", "own_count": %s, "plan": "%s"}\n' "$who" "$own" "$(cat)"
}

case "$1 ${2:-}" in
  'version '* | 'context '*) ;;
  'compose ps') printf '%s' "$FAKE_ID" && exit "${FAKE_COMPOSE_CODE:-0}" ;;
  'compose run')
    [[ $* == 'compose run --rm --no-deps -T manager approval '* ]]
    shift 7
    document "$@"
    ;;
  'inspect '*)
    case $* in
      *Env*) printf 'PATH=/\n%s\n' ${FAKE_POLICY:+GESTOR_POLICY=$FAKE_POLICY} ;;
      *Mounts*) printf '/proc\t/proc\n%s\t%s\n' "$FAKE_MOUNT" "$FOLDER" ;;
    esac
    ;;
  'exec id1')
    [ "$*" = 'exec id1 /gestor-manager policy-plan --sizes --json' ]
    printf the-plan
    echo 'policy-plan: words' >&2
    exit "${FAKE_PLAN:-10}"
    ;;
  *) exit 99 ;;
esac
FAKE
  chmod +x "$BATS_TEST_TMPDIR/bin/docker"
  PATH=$BATS_TEST_TMPDIR/bin:$PATH
  unset DOCKER_HOST SUDO_USER
}

# nothing_written: neither the document nor a part of it, and no temporary file either.
nothing_written() { [ -z "$(ls -A "$FOLDER")" ] && [ -z "$(ls -A "$TMPDIR")" ]; }

# typed TEXT runs it on a terminal on which that is typed.
typed() { run bash -c 'printf "%s\n" "$1" | script -qec "$2 ${*:3}" /dev/null' typed "$1" "$approve" "${@:2}"; }

@test "what is shown, asked and confirmed becomes the document beside the policy, for everybody to read" {
  umask 077
  typed 3 --who 'ana@host'
  [ "$status" -eq 0 ]
  [[ $output == *'it is needed or not'*'shown: the-plan'*'Type their number'*'approved by ana@host with 3 own containers'* ]]
  [ "$(cat "$FOLDER/approved.json")" = '{"who": "ana@host", "own_count": 3, "plan": "the-plan"}' ]
  [ "$(stat -c %a "$FOLDER/approved.json")" = 644 ]
  [ "$(ls -A "$FOLDER")" = approved.json ]
  [ -z "$(ls -A "$TMPDIR")" ]
}

@test "another number, another answer and no answer write nothing" {
  for answer in 4 03x yes '' 'y' '-3'; do
    typed "$answer"
    [ "$status" -eq 1 ] || { echo "$answer: $output" && return 1; }
    [[ $output == *'nothing was written'* ]]
    nothing_written
  done
}

@test "without a terminal the number is an argument, with --yes" {
  run --separate-stderr "$approve" --own-count 3 --yes </dev/null
  [ "$status" -eq 0 ]
  [[ $output == *'shown: the-plan'* ]]
  grep -q "\"who\": \"$(id -un)@$(uname -n)\"" "$FOLDER/approved.json"
  rm "$FOLDER/approved.json"

  run "$approve" --own-count 2 --yes </dev/null
  [ "$status" -eq 1 ]
  [[ $output == *'2 is not the number'* ]]
  nothing_written
  run "$approve" </dev/null
  [ "$status" -eq 1 ]
  [[ $output == *'--own-count N --yes'* ]]
  nothing_written
}

@test "an approval of before stays when this one is refused, and is replaced when it is not" {
  echo before >"$FOLDER/approved.json"
  run "$approve" --own-count 2 --yes
  [ "$status" -eq 1 ]
  [ "$(cat "$FOLDER/approved.json")" = before ]
  run "$approve" --own-count 3 --yes
  [ "$status" -eq 0 ]
  grep -q the-plan "$FOLDER/approved.json"
}

@test "a policy that needs no approval ends well, and writes and plans nothing" {
  FAKE_NEEDED=0 run "$approve" --own-count 3 --yes
  [ "$status" -eq 0 ]
  [[ $output == *'it is needed or not'* ]]
  nothing_written
  FAKE_POLICY='' run "$approve"
  [ "$status" -eq 0 ]
  [[ $output == *'default policy'* ]]
  nothing_written
  run ! grep -q exec "$CALLS"
}

@test "what is refused is not asked for" {
  FAKE_SHOWN=1 typed 3
  [ "$status" -eq 1 ]
  [[ $output == *'closed: journal'*'nothing was written'* && $output != *'Type their number'* ]]
  nothing_written

  FAKE_PLAN=4 run "$approve" --own-count 3 --yes
  [ "$status" -eq 1 ]
  [[ $output == *'policy-plan: words'*'no plan to approve'* ]]
  nothing_written
  FAKE_NEEDED=2 run "$approve" --own-count 3 --yes
  [ "$status" -eq 1 ]
  [[ $output == *'cannot be approved'* ]]
  nothing_written
}

@test "a plan with nothing to do now is one, too" {
  FAKE_PLAN=0 run "$approve" --own-count 3 --yes
  [ "$status" -eq 0 ]
}

@test "without manager, compose or the policy's folder: which, and the next step" {
  FAKE_ID='' run "$approve"
  [ "$status" -eq 1 ]
  [[ $output == *'make up'* ]]
  FAKE_COMPOSE_CODE=1 run "$approve"
  [ "$status" -eq 1 ]
  [[ $output == *'make doctor'* ]]
  FAKE_MOUNT=/etc/gestor/host.yaml run "$approve"
  [ "$status" -eq 1 ]
  [[ $output == *GESTOR_POLICY_DIR* ]]
  FOLDER=/nowhere run "$approve"
  [ "$status" -eq 1 ]
  [[ $output == *'/nowhere, is not there'* ]]
  nothing_written
}

@test "wrong usage is refused before docker is asked" {
  for arguments in '--yes' '--own-count 3' '--own-count x --yes' '--own-count' '--who' '--own-count= --yes' 'more' '--own-count -3 --yes'; do
    # shellcheck disable=SC2086 # words
    run "$approve" $arguments
    [ "$status" -eq 2 ] || { echo "$arguments: $status $output" && return 1; }
  done
  [ ! -s "$CALLS" ]
  run "$approve" --help
  [ "$status" -eq 0 ]
  [[ $output == 'usage: scripts/approve.sh'* ]]
}
