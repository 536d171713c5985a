#!/usr/bin/env bash
# Builds the four stress images under their own and the course's names.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: stress-images/build.sh [IMAGE…]

Builds gestor/high-cpu, gestor/high-ram, gestor/low-idle and gestor/low-pulse (or the given ones of them) and tags them
as alto_1, alto_2, bajo_1 and bajo_2 too. The base image comes from scripts/base-images.sh where no registry answers.
TEXT
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
declare -A course_name=([high-cpu]=alto_1 [high-ram]=alto_2 [low-idle]=bajo_1 [low-pulse]=bajo_2)

case ${1-} in -h | --help) usage; exit 0 ;; esac
[ $# -gt 0 ] || set -- high-cpu high-ram low-idle low-pulse
for name in "$@"; do
  if [ -z "${course_name[$name]-}" ]; then
    printf 'build.sh: no such image: %q (see --help)\n' "$name" >&2
    exit 2
  fi
done
for name in "$@"; do
  docker build -q -t "gestor/$name" -t "${course_name[$name]}" "$here/$name"
done
