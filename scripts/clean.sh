#!/usr/bin/env bash
# Removes what was built here.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: scripts/clean.sh [--base]

Removes ./bin, ./.cache, the kernel module's build and Gestor's images. ./data and .env stay. Beside a suite it removes nothing:
that one needs its images, those too of which no container is there at the moment.

  --base   also remove the base images that were made on this host
TEXT
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib/log.sh
. "$root/scripts/lib/log.sh"

# refuse_beside_a_suite ends the script when the engine has services of a suite, whichever folder they are from, or managed
# containers: images have no owner, and a suite that is stopped starts again.
refuse_beside_a_suite() {
  local services managed
  services=$(docker ps -a --filter label=gestor.role \
    --format '  {{.Names}}: {{.Status}}, project {{.Label "com.docker.compose.project"}}, started from {{.Label "com.docker.compose.project.working_dir"}}')
  managed=$(docker ps -aq --filter label=gestor.managed=true | wc -l)

  if [ -n "$services" ]; then
    printf '%s\n' "$services" >&2
    die "these services of a suite and $managed managed containers need the images: run 'make down' in the folder they are started from ('docker compose -p PROJECT down' for a project named by hand), then this again"
  fi
  [ "$managed" -eq 0 ] ||
    die "$managed managed containers need the images: run 'scripts/down.sh --sweep' with their COMPOSE_PROJECT_NAME (docker ps -a --filter label=gestor.managed=true), then this again"
}

# remove_images REFERENCE… removes images that no container uses.
remove_images() {
  local image
  for image in "$@"; do
    docker image inspect "$image" >/dev/null 2>&1 || continue
    docker image rm "$image" >/dev/null 2>&1 || warn "$image is in use and stays"
  done
}

base=no
case ${1:-} in
  -h | --help) usage && exit 0 ;;
  --base) base=yes ;;
  '') ;;
  *) usage >&2 && exit 2 ;;
esac
cd "$root"
engine=no
if have docker && docker version >/dev/null 2>&1; then
  engine=yes
  refuse_beside_a_suite
fi

rm -rf bin .cache
if [ -f kernel-module/Makefile ] && [ -d "/lib/modules/$(uname -r)/build" ]; then
  step "kernel module" make -C kernel-module clean
fi
if [ "$engine" = yes ]; then
  remove_images gestor/{logs,manager,generator,high-cpu,high-ram,low-idle,low-pulse} alto_{1,2} bajo_{1,2}
  if [ "$base" = yes ]; then
    mapfile -t local_images < <(docker image ls --filter label=gestor.base=local --format '{{.Repository}}:{{.Tag}}')
    remove_images "${local_images[@]}"
  fi
fi
