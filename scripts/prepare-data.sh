#!/usr/bin/env bash
# Makes the token of the suite and gives the mounted folders to the users that the services run as. Runs once, before the
# services, inside a container of compose.yaml: the engine creates a missing folder as root, and the services are not root.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: prepare-data.sh [--token=FILE]… UID:GID=FOLDER…

Makes everything below each FOLDER belong to UID:GID. What belongs to them already is not touched, and a folder named
.state is left out of its parent's turn: it holds the state of other services and has entries of its own.

  --token=FILE   one copy, readable by its owner alone, of the token by which the log service knows the manager and the
                 generator. All copies are made anew, together, unless every one of them is there and they are the same.
TEXT
}

# give UID GID FOLDER changes the owner of what differs; links are changed themselves, never followed.
give() {
  find "$3" -name .state -prune -o \( ! -uid "$1" -o ! -gid "$2" \) -exec chown -h "$1:$2" {} +
}

# same FILE… says whether all of them are there, hold something, and hold the same. Whatever ended an earlier attempt half way
# through, or took one copy away, shows here.
same() {
  local first=$1 file
  [ -f "$first" ] && [ -s "$first" ] || return 1
  for file in "${@:2}"; do
    [ -f "$file" ] && cmp -s "$first" "$file" || return 1
  done
}

# make_token FILE… puts one new token into all files. Each is written beside its place first and forced to the disk: after a
# crash there is the old one or the new one, never half of one. The folders may belong to services: what lies in the way is
# removed and never followed.
make_token() {
  local token file
  token=$(head -c 32 /dev/urandom | base64 -w 0)
  for file in "$@"; do
    rm -f "$file.new"
    (umask 0377 && set -o noclobber && printf '%s\n' "$token" >"$file.new")
  done
  sync "${@/%/.new}"
  for file in "$@"; do mv -fT "$file.new" "$file"; done
}

tokens=()
while [[ ${1:-} == --token=* ]]; do
  file=${1#--token=}
  if ! [[ $file == /* && -d ${file%/*} ]]; then
    printf 'prepare-data.sh: %q: its folder is not there: mount it\n' "$1" >&2
    exit 2
  fi
  tokens+=("$file")
  shift
done
case ${1:-} in
  -h | --help) usage && exit 0 ;;
  '') usage >&2 && exit 2 ;;
esac

# Before the folders are given away, so that the copies go with them.
if [ ${#tokens[@]} -gt 0 ] && ! same "${tokens[@]}"; then make_token "${tokens[@]}"; fi
for entry in "$@"; do
  if ! [[ $entry =~ ^([0-9]+):([0-9]+)=(/.+)$ ]]; then
    printf 'prepare-data.sh: %q is not UID:GID=FOLDER: GESTOR_USER and GESTOR_ENGINE_USER are two numbers, like 1000:1000\n' "$entry" >&2
    exit 2
  fi
  if [ ! -d "${BASH_REMATCH[3]}" ]; then
    printf 'prepare-data.sh: %s is not a folder: mount it\n' "${BASH_REMATCH[3]}" >&2
    exit 2
  fi
  give "${BASH_REMATCH[@]:1}"
done
