#!/usr/bin/env bash
# Removes what was built here.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: scripts/clean.sh [--base]

Removes ./bin, ./.cache, the kernel module's build and Gestor's images. ./data and .env stay; a running suite is not
touched: its images are in use and stay.

  --base   also remove the base images that were made on this host
TEXT
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib/log.sh
. "$root/scripts/lib/log.sh"

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
rm -rf bin .cache
if [ -f kernel-module/Makefile ] && [ -d "/lib/modules/$(uname -r)/build" ]; then
  step "kernel module" make -C kernel-module clean
fi
if have docker && docker version >/dev/null 2>&1; then
  remove_images gestor/{logs,manager,generator,high-cpu,high-ram,low-idle,low-pulse} alto_{1,2} bajo_{1,2}
  if [ "$base" = yes ]; then
    mapfile -t local_images < <(docker image ls --filter label=gestor.base=local --format '{{.Repository}}:{{.Tag}}')
    remove_images "${local_images[@]}"
  fi
fi
