#!/usr/bin/env bash
# Lists, watches and removes the containers that Gestor started; touches no other.
set -euo pipefail
export LC_ALL=C # the patterns below mean bytes

usage() {
  cat <<'TEXT'
usage: managed-containers.sh list [--run ID]
       managed-containers.sh remove --run ID
       managed-containers.sh remove CONTAINER…
       managed-containers.sh watch --run ID
       managed-containers.sh running CONTAINER
       managed-containers.sh engine

  list     one line a container with the label gestor.managed=true, ended ones included, tab-separated:
           id, suite, run, seq, class, image, expires, owner, state, name
  remove   kills and removes a run's containers, or the given ones (full ids); prints how many. A container without the
           label gestor.managed=true is never removed. One that is gone already counts as done.
  watch    one line an event of the run's containers until it is ended: time in ns, event, id, exit code
  running  prints the full id of a container, managed or not, if it is running, else nothing
  engine   prints the engine's name (the host's) and version, tab-separated

Exit: 0 done · 2 wrong usage · 4 the engine cannot be reached · 5 some containers could not be removed
      6 the engine does not speak the version in DOCKER_API_VERSION (engine)
TEXT
}

# fail CODE MESSAGE [VALUE]: the value comes from outside and is printed quoted.
fail() {
  local code=$1 message=$2
  [ $# -lt 3 ] || printf -v message '%s: %q' "$message" "${3:0:200}"
  printf 'managed-containers.sh: %s\n' "$message" >&2
  exit "$code"
}

must() {
  [[ $3 =~ ^($2)$ ]] || fail 2 "$1 is not acceptable (see --help)" "$3"
}

# managed [ARGUMENT…]: docker ps over managed containers, all states.
managed() {
  docker ps --all --no-trunc --filter label=gestor.managed=true "$@" ||
    fail 4 'the engine cannot be reached (is it running, and may you use its socket?)'
}

# only_run ID: the filter of a run.
only_run() {
  must --run '[a-z0-9][a-z0-9-]{0,62}' "$1"
  filter=(--filter "label=gestor.run=$1")
}

list() {
  filter=()
  case $# in
    0) ;;
    2)
      [ "$1" = --run ] || fail 2 'unknown option (see --help)' "$1"
      only_run "$2"
      ;;
    *) fail 2 'list takes --run ID or nothing (see --help)' ;;
  esac
  local format='{{.ID}}' label
  for label in suite run seq class image expires owner; do format+="\t{{.Label \"gestor.$label\"}}"; done
  managed "${filter[@]}" --format "$format\t{{.State}}\t{{.Names}}"
}

# chosen ARGUMENT… prints the ids, among those meant, of containers that may be removed.
chosen() {
  local id
  if [ "$1" = --run ]; then
    [ $# -eq 2 ] || fail 2 'remove takes --run ID or full ids (see --help)'
    only_run "$2"
    managed --quiet "${filter[@]}"
    return
  fi
  filter=()
  for id in "$@"; do
    must 'a container id' '[0-9a-f]{64}' "$id"
    filter+=(--filter "id=$id")
  done
  managed --quiet "${filter[@]}"
}

remove() {
  [ $# -gt 0 ] || fail 2 'remove takes --run ID or full ids (see --help)'
  local ids words left
  ids=$(chosen "$@")
  [ -n "$ids" ] || { echo 0 && return; }
  mapfile -t ids <<<"$ids"
  # One that vanishes in between, or that the engine removes itself, is as good as removed: what counts is what is left.
  words=$(docker rm --force --volumes "${ids[@]}" 2>&1 >/dev/null) || true
  left=$(chosen "${ids[@]}")
  if [ -n "$left" ] && ! wait_gone "${ids[@]}"; then
    printf '%s\n' "$words" >&2
    fail 5 "some of ${#ids[@]} containers could not be removed"
  fi
  echo "${#ids[@]}"
}

# wait_gone ID…: a removal that the engine began on its own takes a moment.
wait_gone() {
  local _ left
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    sleep 0.5
    left=$(chosen "$@") || return 1
    [ -n "$left" ] || return 0
  done
  return 1
}

watch() {
  [ $# -eq 2 ] || fail 2 'watch takes --run ID (see --help)'
  [ "$1" = --run ] || fail 2 'unknown option (see --help)' "$1"
  only_run "$2"
  # Podman says died and remove where Docker says die and destroy.
  exec docker events --filter type=container --filter label=gestor.managed=true "${filter[@]}" \
    --filter event=start --filter event=die --filter event=oom --filter event=kill --filter event=destroy \
    --filter event=died --filter event=remove \
    --format $'{{.TimeNano}}\t{{.Action}}\t{{.Actor.ID}}\t{{index .Actor.Attributes "exitCode"}}'
}

running() {
  [ $# -eq 1 ] || fail 2 'running takes one container (see --help)'
  must 'a container' '[a-zA-Z0-9][a-zA-Z0-9_.-]{1,127}' "$1"
  local words
  { words=$(docker inspect --type container --format '{{if .State.Running}}{{.Id}}{{end}}' "$1" 2>&1 >&3) && return; } 3>&1
  # Only the engine's own "no" means that it does not run: who takes a failure for it removes what a live owner has.
  [[ ${words,,} =~ no\ such\ (container|object) ]] || fail 4 'the engine cannot be reached' "$words"
}

engine() {
  local out code=0 needed=1.25 # docker run --cpus (launch-container.sh)
  if [ -n "${DOCKER_API_VERSION:-}" ] && ! printf '%s\n' "$needed" "$DOCKER_API_VERSION" | sort --check=quiet --version-sort; then
    fail 6 "containers cannot be started with DOCKER_API_VERSION=${DOCKER_API_VERSION:0:20}, which is below $needed: unset it"
  fi
  out=$(docker info --format $'{{.Name}}\t{{.ServerVersion}}' 2>&1) || code=$?
  # Without an engine that it can speak to docker fills the template with nothing and may exit with 0.
  if [ "$code" -eq 0 ] && [[ $out =~ [^$'\t\n']+$'\t'[^$'\t\n']+ ]]; then
    printf '%s\n' "${BASH_REMATCH[0]}"
    return
  fi
  out=$(tr -s '\t\n' '  ' <<<"$out")
  if [ -n "${DOCKER_API_VERSION:-}" ] && [[ $out =~ client\ version|page\ not\ found ]]; then
    fail 6 "the engine does not speak DOCKER_API_VERSION=${DOCKER_API_VERSION:0:20}: unset it" "$out"
  fi
  fail 4 'the engine cannot be reached' "$out"
}

case ${1-} in
  list | remove | watch | running | engine)
    command -v docker >/dev/null || fail 4 'the docker command is missing'
    "$@"
    ;;
  -h | --help) usage ;;
  '') fail 2 'say what to do (see --help)' ;;
  *) fail 2 'unknown command (see --help)' "$1" ;;
esac
