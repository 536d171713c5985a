#!/usr/bin/env bash
# Builds the kernel module for the running kernel and loads it.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: scripts/insmod.sh [PARAMETER=VALUE…]

Builds kernel-module/ for the running kernel and loads it with the given parameters. Installs the compiler and the
kernel's headers when they are missing. A module that is loaded already is replaced. Needs root.

  proc_name=NAME    file in /proc (default sysinfo_gestor)
  gid=NUMBER        group that may read it besides root (default 0)
  cmdline_max=N     bytes of each command line to show, at most 4096 (default 0: none)
  max_procs=N       most process rows in one document (default 65536)
  max_age_ms=N      readers within this time share one walk (default 100)
  batch=N           threads looked at in one RCU read section (default 256)

Exit status: 0 loaded, 1 failed, 3 this kernel or this process cannot load modules, 4 the kernel wants a signature.
TEXT
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib/log.sh
. "$root/scripts/lib/log.sh"
# shellcheck source=scripts/lib/apt.sh
. "$root/scripts/lib/apt.sh"

name=sysinfo_gestor
release=$(uname -r)
headers=/lib/modules/$release/build

# refuse STATUS MESSAGE… ends the script with a status of its own.
refuse() {
  local status=$1
  shift
  warn "insmod: $*"
  exit "$status"
}

# check_kernel: modules must be possible at all, and not switched off until the next boot.
check_kernel() {
  [ -e /proc/modules ] || refuse 3 "this kernel ($release) was built without loadable modules. The manager reads" \
    "/proc and the cgroup files instead: leave GESTOR_SOURCE=auto, nothing else is needed"
  if [ "$(cat /proc/sys/kernel/modules_disabled 2>/dev/null || echo 0)" = 1 ]; then
    refuse 3 "loading modules has been switched off (kernel.modules_disabled=1) until the next boot: boot again, or" \
      "leave GESTOR_SOURCE=auto, and the manager reads /proc instead"
  fi
}

# headers_package: the package that holds the running kernel's headers on Debian and Ubuntu.
install_headers() {
  [ -e "$headers/Makefile" ] && return 0
  have apt-get || refuse 1 "no headers for $release in $headers: install your distribution's kernel headers" \
    "(Fedora: kernel-devel-$release, Arch: linux-headers) and run this again"
  apt_install "linux-headers-$release" || true
  [ -e "$headers/Makefile" ] && return 0
  refuse 1 "no headers for the running kernel $release could be installed; boot a kernel whose headers your" \
    "distribution offers (apt-get install linux-image-amd64 linux-headers-amd64, then reboot) and run this again"
}

# secure_boot: true when the firmware lets only signed modules in.
secure_boot() {
  grep -qs '\[integrity\]\|\[confidentiality\]' /sys/kernel/security/lockdown && return 0
  have mokutil && mokutil --sb-state 2>/dev/null | grep -q 'SecureBoot enabled'
}

# sign FILE: with the machine owner's key that DKMS or shim made, when there is one.
sign() {
  local tool=$headers/scripts/sign-file key cert pair
  for pair in "/var/lib/dkms/mok.key /var/lib/dkms/mok.pub" \
    "/var/lib/shim-signed/mok/MOK.priv /var/lib/shim-signed/mok/MOK.der"; do
    read -r key cert <<<"$pair"
    if [ -x "$tool" ] && [ -r "$key" ] && [ -r "$cert" ]; then
      "$tool" sha256 "$key" "$cert" "$1"
      return 0
    fi
  done
  return 1
}

explain_signature() {
  refuse 4 "Secure Boot lets only signed modules in. Next: apt-get install dkms mokutil, 'make dkms' (it makes a key" \
    "and signs), 'mokutil --import /var/lib/dkms/mok.pub', reboot, confirm the key in the blue screen, and run this" \
    "again. Until then the manager reads /proc instead (GESTOR_SOURCE=auto)"
}

# explain_refusal: EPERM is what a locked-down kernel says, and also what a process without CAP_SYS_MODULE hears.
explain_refusal() {
  if secure_boot; then explain_signature; fi
  refuse 3 "this process may not load kernel modules, although it is root: it lacks CAP_SYS_MODULE, as in a container." \
    "Run this on the host itself. Until then the manager reads /proc instead (GESTOR_SOURCE=auto)"
}

# load FILE PARAMETER…: replaces a loaded one; readers reopen the file by themselves.
load() {
  local file=$1 message
  shift
  if [ -d "/sys/module/$name" ]; then rmmod "$name"; fi
  if message=$(insmod "$file" "$@" 2>&1); then return 0; fi
  case $message in
  *"Key was rejected"* | *"Required key"*) explain_signature ;;
  *"not permitted"*) explain_refusal ;;
  esac
  refuse 1 "$message. The kernel's own words: $(dmesg 2>/dev/null | tail -n 3 | tr '\n' ' ')"
}

case ${1:-} in --help | -h) usage && exit 0 ;; esac
check_kernel
require_root "loading a kernel module" "make insmod"
if have apt-get; then apt_install make gcc libc6-dev kmod; fi
install_headers
make -s -C "$root/kernel-module" KDIR="$headers"
if secure_boot && ! sign "$root/kernel-module/$name.ko"; then explain_signature; fi
load "$root/kernel-module/$name.ko" "$@"
file=$(cat /sys/module/$name/parameters/proc_name)
head -c 200 "/proc/$file" >/dev/null
say "loaded: read /proc/$file, for instance with jq '.containers | length' /proc/$file; make rmmod removes it"
