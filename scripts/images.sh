#!/usr/bin/env bash
# Builds every image, labelled with the version and the commit.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: scripts/images.sh

Provides the base images (scripts/base-images.sh) and builds all images of compose.yaml. Their labels
org.opencontainers.image.version and .revision say which release and which commit they are made of; the revision ends with -dirty
when files of the clone were changed.
TEXT
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib/log.sh
. "$root/scripts/lib/log.sh"
# shellcheck source=scripts/lib/compose.sh
. "$root/scripts/lib/compose.sh"

case ${1:-} in
  -h | --help) usage && exit 0 ;;
  '') ;;
  *) usage >&2 && exit 2 ;;
esac
cd "$root"
scripts/base-images.sh
build_images
