#!/usr/bin/env bash
# Installs the kernel module for good, or takes it away again.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: scripts/dkms.sh [PARAMETER=VALUE…]
       scripts/dkms.sh --remove

Hands kernel-module/ to DKMS, which builds and signs it for the running kernel and for every kernel that is installed later,
and has it loaded at each boot with the given parameters (scripts/insmod.sh --help lists them). It is loaded now as well.
Needs root; installs dkms, a compiler and the kernel's headers when they are missing (Debian, Ubuntu). What it writes:

  /usr/src/sysinfo_gestor-VERSION            the sources that DKMS builds
  /etc/modules-load.d/sysinfo_gestor.conf    that it is loaded at boot
  /etc/modprobe.d/sysinfo_gestor.conf        its parameters, gid= among them

--remove takes all of that away again. A module that is loaded stays loaded until make rmmod or the next boot.

Exit status: 0 done, 1 failed, 3 no module can be loaded here, 4 installed, but the kernel wants a signature that it trusts.
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

at_boot=$host/etc/modules-load.d/$module.conf
parameters=$host/etc/modprobe.d/$module.conf

# known_versions prints the versions that DKMS has of the module: those of earlier releases would be built beside this one.
known_versions() {
  find "$host/var/lib/dkms/$module" "$host/usr/src" -mindepth 1 -maxdepth 1 -type d 2>/dev/null |
    sed -n "s#^.*/dkms/$module/\([0-9][^/]*\)\$#\1#p; s#^.*/src/$module-\([0-9][^/]*\)\$#\1#p" | sort -u
}

# remove_versions takes each of them from DKMS, with its sources; the sources alone where somebody has taken DKMS away.
remove_versions() {
  local version
  for version in $(known_versions); do
    if have dkms; then
      step "DKMS: removing $module $version" dkms remove "$module/$version" --all || warn "dkms remove $module/$version did not end well"
    else
      warn "DKMS is not installed any more: what it built of $module $version stays below /lib/modules, where nothing loads it at boot"
    fi
    rm -rf "$host/usr/src/$module-$version" "$host/var/lib/dkms/${module:?}/$version"
    say "taken away: /usr/src/$module-$version"
  done
}

# add_version puts the sources where DKMS looks for them, and has them built and installed.
add_version() {
  local version tree
  version=$(cat "$root/kernel-module/VERSION")
  tree=$host/usr/src/$module-$version
  mkdir -p "$tree"
  make -s -C "$root/kernel-module" copy TO="$tree"
  sed "s/@VERSION@/$version/" "$root/kernel-module/dkms.conf" >"$tree/dkms.conf"
  say "written: /usr/src/$module-$version"
  step "DKMS: building and installing $module $version" dkms install "$module/$version" ||
    die "DKMS could not build the module: see above, and its log /var/lib/dkms/$module/$version/build/make.log"
}

# write FILE LINE writes a file of one line and a first one that says whose it is.
write() {
  mkdir -p "$(dirname "$1")"
  printf '# Written by Gestor (make dkms); make dkms-remove takes it away.\n%s\n' "$2" >"$1"
  chmod 0644 "$1"
  say "written: ${1#"$host"}: $2"
}

# load replaces a loaded one by what was installed. Where the kernel does not trust the signature yet, what is here is enough all the
# same: it is loaded at the boot in which the key is confirmed.
load() {
  local why message
  if why=$(signature_wanted); then
    find_key || true
    case $key_state in enrolled | unasked) ;; *) explain_signature "$why" ;; esac
  fi
  if [ -d "$host/sys/module/$module" ]; then rmmod "$module"; fi
  message=$(modprobe "$module" 2>&1) || explain_load "$message"
  say "loaded, and it will be at each boot; make rmmod unloads it until then, make dkms-remove takes it away for good"
}

install_module() {
  check_host
  module_arguments "$@"
  check_rights "make dkms"
  install_build_tools kmod dkms
  remove_versions
  add_version
  write "$at_boot" "$module"
  write "$parameters" "options $module ${arguments[*]}"
  load
}

remove_module() {
  local file found=no
  [ "$(id -u)" -eq 0 ] || die "taking a module from DKMS needs root. Run this as root: make dkms-remove"
  [ -z "$(known_versions)" ] || found=yes
  remove_versions
  for file in "$at_boot" "$parameters"; do
    [ -e "$file" ] || continue
    rm -f "$file"
    say "taken away: ${file#"$host"}"
    found=yes
  done
  [ "$found" = yes ] || say "nothing of $module is installed: nothing to do"
  [ ! -d "$host/sys/module/$module" ] || say "it is still loaded, until the next boot or make rmmod"
}

case ${1:-} in
  --help | -h) usage ;;
  --remove) remove_module ;;
  *) install_module "$@" ;;
esac
