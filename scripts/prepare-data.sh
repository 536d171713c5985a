#!/usr/bin/env bash
# Gives the mounted folders to the users that the services run as. Runs once, before the services, inside a container
# of compose.yaml: the engine creates a missing folder as root, and the services are not root.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: prepare-data.sh UID:GID=FOLDER…

Makes everything below each FOLDER belong to UID:GID. What belongs to them already is not touched, and a folder named
.state is left out of its parent's turn: it holds the state of other services and has entries of its own.
TEXT
}

# give UID GID FOLDER changes the owner of what differs; links are changed themselves, never followed.
give() {
  find "$3" -name .state -prune -o \( ! -uid "$1" -o ! -gid "$2" \) -exec chown -h "$1:$2" {} +
}

case ${1:-} in
  -h | --help) usage && exit 0 ;;
  '') usage >&2 && exit 2 ;;
esac
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
