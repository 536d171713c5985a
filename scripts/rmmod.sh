#!/usr/bin/env bash
# Unloads the kernel module.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: scripts/rmmod.sh

Unloads sysinfo_gestor. Safe while somebody reads: readers see that the file has gone, and the manager changes over to
/proc (GESTOR_SOURCE=auto). Needs root. Nothing to unload is no error.
TEXT
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib/log.sh
. "$root/scripts/lib/log.sh"
# shellcheck source=scripts/lib/apt.sh
. "$root/scripts/lib/apt.sh"

case ${1:-} in --help | -h) usage && exit 0 ;; esac
if [ ! -d /sys/module/sysinfo_gestor ]; then
  say "sysinfo_gestor is not loaded: nothing to do"
  exit 0
fi
require_root "unloading a kernel module" "make rmmod"
rmmod sysinfo_gestor || die "rmmod failed: 'lsmod | grep sysinfo_gestor' shows who holds it; try again"
say "unloaded; make insmod loads it again"
