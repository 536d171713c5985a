#!/usr/bin/env bash
# Builds the kernel module for the running kernel and loads it.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: scripts/insmod.sh [PARAMETER=VALUE…]

Builds kernel-module/ for the running kernel and loads it with the given parameters. First it asks whether a module can be
loaded here at all, and ends where none can; then it installs the compiler and the kernel's headers when they are missing
(Debian, Ubuntu; elsewhere it ends with the command that does). A module that is loaded already is replaced. Needs root.

  proc_name=NAME    file in /proc (default sysinfo_gestor)
  gid=NUMBER        group that may read it besides root (default: the manager's, see GESTOR_ENGINE_USER and
                    GESTOR_DOCKER_SOCKET in the environment or .env)
  cmdline_max=N     bytes of each command line to show, at most 4096 (default 0: none)
  max_procs=N       most process rows in one document (default 65536)
  max_age_ms=N      readers within this time share one walk (default 100)
  batch=N           threads looked at in one RCU read section (default 256)

It is gone after the next boot: make dkms installs it for good. Exit status: 0 loaded, 1 failed, 3 no module can be loaded
here, 4 the kernel wants a signature.
TEXT
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib/log.sh
. "$root/scripts/lib/log.sh"
# shellcheck source=scripts/lib/apt.sh
. "$root/scripts/lib/apt.sh"
# shellcheck source=scripts/lib/engine.sh
. "$root/scripts/lib/engine.sh"
# shellcheck source=scripts/lib/dotenv.sh
. "$root/scripts/lib/dotenv.sh"
# shellcheck source=scripts/lib/module.sh
. "$root/scripts/lib/module.sh"

# load FILE PARAMETER…: replaces a loaded one; readers reopen the file by themselves.
load() {
  local message
  if [ -d "$host/sys/module/$module" ]; then rmmod "$module"; fi
  message=$(insmod "$@" 2>&1) || explain_load "$message"
}

case ${1:-} in --help | -h) usage && exit 0 ;; esac
check_host
module_arguments "$@"
check_rights "make insmod"
check_signature
install_build_tools kmod
make -s -C "$root/kernel-module" KDIR="$(kernel_headers)"
if why=$(signature_wanted); then
  find_key || explain_signature "$why"
  sign "$root/kernel-module/$module.ko"
fi
load "$root/kernel-module/$module.ko" "${arguments[@]}"
file=$(cat "$host/sys/module/$module/parameters/proc_name")
head -c 200 "$host/proc/$file" >/dev/null
say "loaded with ${arguments[*]}: read /proc/$file, for instance with jq '.containers | length' /proc/$file; make rmmod removes it"
