#!/usr/bin/env bash
# Starts one bounded, labelled container. The only way by which Gestor starts containers.
set -euo pipefail
export LC_ALL=C # the patterns below mean bytes

# The images: name, class, memory, CPUs, PIDs, the course's name. The one place where limits are written down.
# Less than a quarter of a CPU would save nothing and slow the start: the runtime's own 30 ms of work count too.
images='high-cpu high 96m 0.25 16 alto_1
high-ram high 288m 0.25 16 alto_2
low-idle low 32m 0.25 16 bajo_1
low-pulse low 32m 0.25 16 bajo_2'

# CPU weight of everything that is started: an eighth of what a container has by default, and a fraction of what the services
# have (compose.yaml). On a busy host load that nobody asked for yields to the rest, and to whoever is to remove it.
cpu_shares=128

# What a container's log may take: Docker's own small format, and the file that podman has in its place.
log_options=(--log-driver local --log-opt max-size=64k --log-opt max-file=1 --log-opt compress=false)
podman_log_options=(--log-driver k8s-file --log-opt max-size=64k)

usage() {
  cat <<'TEXT'
usage: launch-container.sh [OPTION…] IMAGE
       launch-container.sh [OPTION…] --image REFERENCE --class low|high
       launch-container.sh --images

Starts one container in the background with docker run and prints its id. IMAGE is high-cpu, high-ram, low-idle or
low-pulse (also alto_1, alto_2, bajo_1, bajo_2). Every container has a memory, a CPU and a PID limit, a low CPU weight, no
network, no capabilities, no new privileges and a read-only root, and carries the labels by which the rest of Gestor knows it.

  --name NAME         name of the container (default: the image's name and 16 random digits)
  --image REFERENCE   start this image instead of one of the four; needs --class
  --class low|high    its class
  --memory SIZE       memory limit, swap included: bytes or with k, m, g (default: the image's)
  --cpus N            CPU limit, such as 0.25 (default: the image's)
  --pids N            PID limit (default: the image's)
  --lifetime SECONDS  the container ends by itself after that time; given to the image as its argument
  --lease SECONDS     time after which a sweep may remove the container (default: lifetime and 60, else 3600)
  --run ID            label gestor.run (default: manual)
  --seq N             label gestor.seq (default: 0)
  --suite NAME        label gestor.suite: whose manager may judge it (default: GESTOR_SUITE, else gestor)
  --owner OWNER       label gestor.owner: who drains the run (default: none)
  --rm                let the engine remove the container when it ends
  --dry-run           print the docker command, quoted for a shell, and start nothing
  --images            print the table of images: name, class, memory, CPUs, PIDs, other name; tab-separated
  -h, --help          print this

Exit: 0 started · 2 wrong usage, a name that is none of the four included · 3 the image is not there
      4 the engine cannot be reached · 5 the engine refused · 7 the name is taken
TEXT
}

# fail CODE MESSAGE [VALUE]: the value comes from outside and is printed quoted.
fail() {
  local code=$1 message=$2
  [ $# -lt 3 ] || printf -v message '%s: %q' "$message" "${3:0:200}"
  printf 'launch-container.sh: %s\n' "$message" >&2
  exit "$code"
}

# must NAME PATTERN VALUE: refuses a value that is not wholly of the pattern.
must() {
  [[ $3 =~ ^($2)$ ]] || fail 2 "$1 is not acceptable (see --help)" "$3"
}

random_digits() { od -An -N8 -tx1 /dev/urandom | tr -d ' \n'; }

read_options() {
  while [ $# -gt 0 ]; do
    case $1 in
      --name | --image | --class | --memory | --cpus | --pids | --lifetime | --lease | --run | --seq | --suite | --owner)
        [ $# -ge 2 ] || fail 2 "$1 needs a value (see --help)"
        printf -v "${1#--}" '%s' "$2"
        shift 2
        ;;
      --rm) remove=yes && shift ;;
      --dry-run) dry_run=yes && shift ;;
      --images) tr ' ' '\t' <<<"$images" && exit 0 ;;
      -h | --help) usage && exit 0 ;;
      --) shift && break ;;
      -*) fail 2 'unknown option (see --help)' "$1" ;;
      *) break ;;
    esac
  done
  if [ -n "$image" ]; then
    [ $# -eq 0 ] || fail 2 'give IMAGE or --image, not both' "$1"
  else
    [ $# -eq 1 ] || fail 2 'give exactly one IMAGE (see --help)'
    short=$1
  fi
}

# resolve fills what was not given from the table.
resolve() {
  local n c m u p alias
  if [ -n "$image" ]; then
    must --image '[a-zA-Z0-9][a-zA-Z0-9._/:@-]{0,254}' "$image"
    [ -n "$class" ] || fail 2 '--image needs --class low or --class high'
    short=${image##*/}
    short=${short%%[:@]*}
    must 'the name in --image' '[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}' "$short"
    : "${memory:=64m}" "${cpus:=0.1}" "${pids:=32}"
    return
  fi
  while read -r n c m u p alias; do
    [ "$short" = "$n" ] || [ "$short" = "$alias" ] || continue
    short=$n image=gestor/$n
    [ -z "$class" ] || [ "$class" = "$c" ] || fail 2 "the class of $n is $c, not" "$class"
    class=$c
    : "${memory:=$m}" "${cpus:=$u}" "${pids:=$p}"
    return
  done <<<"$images"
  fail 2 'there is no image of that name (--images lists them)' "$short"
}

check() {
  : "${name:=$short-$(random_digits)}"
  must --name '[a-zA-Z0-9][a-zA-Z0-9_.-]{1,127}' "$name"
  must --class 'low|high' "$class"
  must --memory '[1-9][0-9]{0,14}[bkmg]?' "$memory"
  must --cpus '[0-9]{1,4}([.][0-9]{1,3})?' "$cpus"
  [[ $cpus =~ [1-9] ]] || fail 2 '--cpus 0 would be no limit'
  must --pids '[1-9][0-9]{0,5}' "$pids"
  must --lifetime '0|[1-9][0-9]{0,8}' "$lifetime"
  : "${lease:=$((lifetime > 0 ? lifetime + 60 : 3600))}"
  must --lease '[1-9][0-9]{0,8}' "$lease"
  must --run '[a-z0-9][a-z0-9-]{0,62}' "$run"
  must --seq '0|[1-9][0-9]{0,17}' "$seq"
  must --suite '[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}' "$suite"
  must --owner '([a-zA-Z0-9][a-zA-Z0-9_.:-]{0,127})?' "$owner"
}

compose_command() {
  command=(
    docker run --detach --pull never --name "$name"
    --label gestor.managed=true --label "gestor.class=$class" --label "gestor.image=$short"
    --label "gestor.suite=$suite" --label "gestor.run=$run" --label "gestor.seq=$seq" --label "gestor.expires=$(($(date +%s) + lease))"
    --memory "$memory" --memory-swap "$memory" --cpus "$cpus" --cpu-shares "$cpu_shares" --pids-limit "$pids" --shm-size 1m
    --network none --cap-drop ALL --security-opt no-new-privileges --read-only --restart no
    "${log_options[@]}"
  )
  [ -z "$owner" ] || command+=(--label "gestor.owner=$owner")
  [ -z "$remove" ] || command+=(--rm)
  command+=("$image")
  [ "$lifetime" -eq 0 ] || command+=("$lifetime")
}

# try runs the command; its words are set, and its output stays the output.
try() {
  code=0
  { words=$("${command[@]}" 2>&1 >&3) || code=$?; } 3>&1
}

# start runs the command. The engine's client has one exit code for everything, so its words tell the causes apart: Docker's, then
# podman's, whichever client asks it.
start() {
  local code words
  try
  # Asking an engine which drivers it has takes longer than trying.
  if [ "$code" -ne 0 ] && [[ $words == *'invalid log driver'* ]]; then
    log_options=("${podman_log_options[@]}")
    compose_command
    try
  fi
  [ -z "$words" ] || printf '%s\n' "$words" >&2
  [ "$code" -ne 0 ] || return 0

  case $words in
    *'Cannot connect to the Docker daemon'* | *'permission denied while trying to connect'* | *'error during connect'*)
      fail 4 'the engine cannot be reached (is it running, and may you use its socket?)' ;;
    *'No such image'* | *'Unable to find image'* | *'image not known'*) fail 3 'the image is not there (build it: stress-images/build.sh)' "$image" ;;
    *'is already in use by '*) fail 7 'the name is taken' "$name" ;;
  esac
  remove_leftover
  fail 5 'the engine refused to start the container' "$name"
}

# remove_leftover removes what docker run leaves when a container was made and could not be started. Only one that
# carries this run's labels and was never started is touched. Docker's names begin with a slash, podman's do not.
remove_leftover() {
  local id
  id=$(docker ps --all --quiet --no-trunc --filter "name=^/?$name\$" --filter status=created \
    --filter label=gestor.managed=true --filter "label=gestor.run=$run") || return 0
  [ -z "$id" ] || docker rm "$id" >/dev/null || true
}

name='' image='' class='' memory='' cpus='' pids='' lifetime=0 lease='' run=manual seq=0 owner='' suite=${GESTOR_SUITE:-gestor}
short='' remove='' dry_run=''
read_options "$@"
resolve
check
compose_command
if [ -n "$dry_run" ]; then
  printf '%s\n' "${command[*]@Q}"
  exit 0
fi
command -v docker >/dev/null || fail 4 'the docker command is missing'
start
