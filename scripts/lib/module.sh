# shellcheck shell=bash
# What this host says to a kernel module: whether one can be loaded at all, what it is built with, who signs it and who may read its
# file. Needs lib/log.sh, lib/engine.sh and lib/dotenv.sh; root is set by the caller.

# shellcheck disable=SC2034 # for the scripts that source this
module=sysinfo_gestor

# The parameters that the module knows.
module_parameters=(proc_name gid cmdline_max max_procs max_age_ms batch)

# In front of every path of this host that is asked here or written: the tests keep files of other machines in folders.
host=${GESTOR_HOST_ROOT:-}

without="The manager reads /proc and the cgroup files instead (GESTOR_SOURCE=auto), nothing else is needed"

# refuse STATUS MESSAGE… ends the script with a status of its own.
refuse() {
  local status=$1
  shift
  warn "$(basename "$0" .sh): $*"
  exit "$status"
}

# --- who may read its file

# manager_group prints the group that the manager runs with: that of GESTOR_ENGINE_USER, which up.sh writes, else the group of the
# engine's socket, else root's.
manager_group() {
  local user socket
  user=$(known GESTOR_ENGINE_USER '') || return 1
  socket=$(known GESTOR_DOCKER_SOCKET "${default_socket:?}") || return 1
  if [[ $user =~ ^[0-9]+:([0-9]+)$ ]]; then
    printf '%s\n' "${BASH_REMATCH[1]}"
  else
    stat -Lc %g "$socket" 2>/dev/null || echo 0
  fi
}

# module_gid prints the value of the parameter gid. Whatever loads the module, or prepares for it, takes it from here.
module_gid() { manager_group; }

# known NAME DEFAULT prints a setting; without docker compose, which reads .env, that of the environment: a module can be loaded on
# a host that has no Docker.
known() {
  if docker compose version >/dev/null 2>&1; then setting "$1" "$2"; else printf '%s\n' "${!1:-$2}"; fi
}

# module_arguments PARAMETER=VALUE… sets arguments to what the module is loaded with: what was given, and the manager's group where
# no other was. A misspelt name would be ignored by the kernel, and a value with blanks is a second option in modprobe.d.
module_arguments() {
  local given name
  arguments=()
  for given in "$@"; do
    name=${given%%=*}
    [[ $given =~ ^[a-z_]+=[A-Za-z0-9_.-]+$ && " ${module_parameters[*]} " == *" $name "* ]] ||
      die "$given is no parameter of the module: NAME=VALUE is wanted, NAME one of ${module_parameters[*]}"
    arguments+=("$given")
  done
  if [[ " ${arguments[*]}" != *" gid="* ]]; then
    name=$(module_gid) || exit 1
    arguments=("gid=$name" "${arguments[@]}")
  fi
}

# --- whether a module can be loaded

kernel_release() { uname -r; }
kernel_headers() { printf '%s\n' "$host/lib/modules/$(kernel_release)/build"; }
kernel_version() { cat "$host/proc/version" 2>/dev/null || true; }

# check_host ends the script with 3 where no module can be loaded, or where one would see none of the engine's containers. It asks
# what anybody may ask, so that nobody becomes root, or has anything installed, for nothing.
check_host() {
  local release kernel
  release=$(kernel_release)
  [ "$(uname -s)" = Linux ] || refuse 3 "this is $(uname -s): the module is for Linux. Docker Desktop runs containers in a virtual" \
    "machine of its own, with a kernel that no module can be built for. $without"
  case "$release $(kernel_version)" in
    *[Mm]icrosoft*) refuse 3 "this is WSL ($release): nobody packages the headers of its kernel, so no module can be built for it. $without" ;;
    *linuxkit*) refuse 3 "this is the virtual machine of Docker Desktop ($release): nobody packages the headers of its kernel, so no" \
      "module can be built for it. $without" ;;
  esac
  in_host_namespaces || refuse 3 "this is a container: a module belongs to the host's kernel, and its file can be read in the host's own" \
    "/proc alone. Run this on the host itself. $without"
  [ -e "$host/proc/modules" ] || refuse 3 "this kernel ($release) was built without loadable modules. $without"
  [ "$(cat "$host/proc/sys/kernel/modules_disabled" 2>/dev/null || echo 0)" != 1 ] || refuse 3 "loading modules has been switched off" \
    "(kernel.modules_disabled=1) until the next boot: boot again to load one. $without"
  kernel=$(engine_kernel)
  case $kernel in
    *[Mm]icrosoft* | *linuxkit*) refuse 3 "the engine is Docker Desktop's: its containers run in a virtual machine with a kernel of its own" \
      "($kernel), and a module in this one ($release) would see none of them. $without" ;;
  esac
}

# engine_kernel prints the kernel that the engine's containers run on; nothing when no engine answers.
engine_kernel() {
  if have docker; then timeout 20 docker info --format '{{.KernelVersion}}' 2>/dev/null || true; fi
}

# in_host_namespaces tells whether this process is in the first PID and user namespace, whose numbers are fixed (linux/nsfs.h); a
# kernel without such namespaces has no link. Marks like /.dockerenv say less: they stay in machines that were made of an image, and
# podman, LXC and nspawn have others.
in_host_namespaces() {
  local kind link
  for kind in 'pid:[4026531836]' 'user:[4026531837]'; do
    link=$(readlink "$host/proc/self/ns/${kind%%:*}") || continue
    [ "$link" = "$kind" ] || return 1
  done
}

# check_rights COMMAND: loading needs CAP_SYS_MODULE, which root has unless somebody took it away from everything started here.
check_rights() {
  may_get_sys_module Bnd || refuse 3 "loading modules has been taken away from this process and all that it starts (CAP_SYS_MODULE is not" \
    "in its bounding set). Run this in a login of the host itself. $without"
  may_get_sys_module Eff && return 0
  [ "$(id -u)" -eq 0 ] || die "loading a kernel module needs root. Run this as root: $1"
  refuse 3 "this process may not load kernel modules, although it is root: it lacks CAP_SYS_MODULE. Run this in a login of the host itself. $without"
}

# may_get_sys_module Eff|Bnd tells whether CAP_SYS_MODULE, the 17th, is among the capabilities of that kind. A kernel that does not
# say is asked by trying.
may_get_sys_module() {
  local word
  word=$(sed -n "s/^Cap$1:[[:space:]]*//p" "$host/proc/self/status" 2>/dev/null)
  [ -z "$word" ] || (((16#$word >> 16) & 1))
}

# --- signatures

# signature_wanted prints what makes this kernel want a signature; status 1 when it wants none.
signature_wanted() {
  local lockdown
  lockdown=$(cat "$host/sys/kernel/security/lockdown" 2>/dev/null) || lockdown=unknown
  case $lockdown in
    *'[integrity]'* | *'[confidentiality]'*)
      if secure_boot; then
        echo "Secure Boot is on: this kernel is locked down"
      else
        echo "this kernel is locked down although Secure Boot is off, as by lockdown= among the boot parameters"
      fi
      return 0
      ;;
  esac
  if [ "$(cat "$host/sys/module/module/parameters/sig_enforce" 2>/dev/null)" = Y ]; then
    echo "this kernel takes signed modules alone (module.sig_enforce, a boot parameter or built in)"
    return 0
  fi
  if [ "$lockdown" = unknown ] && secure_boot; then
    echo "Secure Boot is on"
    return 0
  fi
  return 1
}

# secure_boot tells whether the firmware starts signed code only. The variable has four bytes of attributes before its value.
secure_boot() {
  local variable=$host/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c
  if [ -r "$variable" ]; then
    [ "$(od -An -tu1 -j4 -N1 "$variable" | tr -d ' ')" = 1 ]
  else
    have mokutil && LC_ALL=C mokutil --sb-state 2>/dev/null | grep -q 'SecureBoot enabled'
  fi
}

# key_pairs prints the keys that may be here, each with its certificate: the key that the running kernel was built with, which it
# trusts without being told; Ubuntu's; DKMS's; that of Fedora's akmods.
key_pairs() {
  local headers
  headers=$(kernel_headers)
  printf '%s\n' "$headers/certs/signing_key.pem $headers/certs/signing_key.x509" \
    "$host/var/lib/shim-signed/mok/MOK.priv $host/var/lib/shim-signed/mok/MOK.der" \
    "$host/var/lib/dkms/mok.key $host/var/lib/dkms/mok.pub" \
    "$host/etc/pki/akmods/private/private_key.priv $host/etc/pki/akmods/certs/public_key.der"
}

# find_key sets key and certificate to the pair to sign with, and key_state to what the firmware knows of it: enrolled; pending, at
# the next boot; unknown to it (new); or unasked, without mokutil. Status 1 when there is no pair.
find_key() {
  local pair state
  key='' certificate='' key_state=''
  while read -r pair; do
    if [ ! -f "${pair% *}" ] || [ ! -f "${pair#* }" ]; then continue; fi
    state=$(state_of_key "${pair#* }")
    if [ -z "$key" ] || { [ "$key_state" != enrolled ] && [ "$state" = enrolled ]; }; then
      key=${pair% *} certificate=${pair#* } key_state=$state
    fi
  done < <(key_pairs)
  [ -n "$key" ]
}

# state_of_key CERTIFICATE: mokutil's words count, since its exit status is not the same in all its versions. Without Secure Boot
# the kernel does not trust what is enrolled (load_uefi.c).
state_of_key() {
  local words
  [[ $1 != */certs/signing_key.x509 ]] || { echo enrolled && return 0; }
  secure_boot || { echo new && return 0; }
  have mokutil || { echo unasked && return 0; }
  words=$(LC_ALL=C mokutil --test-key "$1" 2>&1) || true
  case $words in
    *'is already enrolled'*) echo enrolled ;;
    *'enrollment request'*) echo pending ;;
    *'is not enrolled'*) echo new ;;
    *) echo unasked ;;
  esac
}

# check_signature ends the script with 4 when the kernel wants a signature and nothing here can make one that it trusts.
check_signature() {
  local why
  why=$(signature_wanted) || return 0
  if find_key && [[ $key_state == enrolled || $key_state == unasked ]]; then return 0; fi
  explain_signature "$why"
}

# explain_signature WHY: the way to a key that the kernel trusts, from where this host is on it.
explain_signature() {
  local steps enrol=" && mokutil --import" confirm=", choose a password, boot again, 'Enroll MOK' in the blue screen with that password, and run this again"
  if ! secure_boot; then
    refuse 4 "$1. The firmware passes on no keys of yours without Secure Boot: boot without that to load the module. $without"
  fi
  find_key || true
  case $key_state in
    pending) steps="boot again, 'Enroll MOK' in the blue screen with the password that was chosen at mokutil --import, and run this again" ;;
    new | unasked) steps="mokutil --import ${certificate#"$host"}$confirm" ;;
    enrolled) steps="the key ${key#"$host"} is enrolled and the kernel refuses it all the same: see 'dmesg | tail'" ;;
    *)
      case $(host_system) in
        ubuntu) steps="apt-get install shim-signed mokutil && update-secureboot-policy --new-key$enrol /var/lib/shim-signed/mok/MOK.der$confirm" ;;
        dnf) steps="dnf install kmodtool akmods mokutil openssl && kmodgenca -a$enrol /etc/pki/akmods/certs/public_key.der$confirm" ;;
        apt) steps="apt-get install dkms mokutil && make dkms$enrol /var/lib/dkms/mok.pub$confirm (make dkms makes the key)" ;;
        *) steps="install dkms and mokutil, make dkms$enrol /var/lib/dkms/mok.pub$confirm (make dkms makes the key)" ;;
      esac
      ;;
  esac
  refuse 4 "$1 and takes modules alone that are signed with a key that the firmware knows. Next, as root: $steps. $without"
}

# sign FILE with the pair that find_key found, by the first tool there is: the kernel's own, or Ubuntu's.
sign() {
  local tool headers digest
  headers=$(kernel_headers)
  digest=$(sed -n 's/^CONFIG_MODULE_SIG_HASH="\(.*\)"$/\1/p' "$headers/.config" 2>/dev/null)
  for tool in "$headers/scripts/sign-file" "$(command -v kmodsign)" "$host/usr/src/linux-headers-$(kernel_release)/scripts/sign-file"; do
    [ -x "$tool" ] || continue
    "$tool" "${digest:-sha256}" "$key" "$certificate" "$1"
    return
  done
  die "nothing here signs modules: neither scripts/sign-file of the kernel's headers nor kmodsign (Ubuntu: apt-get install sbsigntool)"
}

# explain_load MESSAGE ends the script with what insmod or modprobe said and what it means. EPERM is what a locked-down kernel says,
# and also what a process without the right hears.
explain_load() {
  case $1 in
    *"Key was rejected"* | *"Required key"*) explain_signature "$(signature_wanted || echo "this kernel wants a signature")" ;;
    *"not permitted"*)
      local why
      if why=$(signature_wanted); then explain_signature "$why"; fi
      refuse 3 "this process may not load kernel modules, although it is root: something keeps CAP_SYS_MODULE or the system call from" \
        "it (a container, a seccomp filter). Run this in a login of the host itself. $without"
      ;;
  esac
  refuse 1 "$1. The kernel's own words: $(dmesg 2>/dev/null | tail -n 3 | tr '\n' ' ')"
}

# --- what it is built with

# host_system prints whose packages this host has: ubuntu, apt (Debian and the rest), dnf, pacman, zypper, apk; nothing when unknown.
host_system() {
  local id like
  id=$(os_release ID) like=$(os_release ID_LIKE)
  case " $id $like " in
    *' ubuntu '*) echo ubuntu ;;
    *' debian '*) echo apt ;;
    *' fedora '* | *' rhel '* | *' centos '*) echo dnf ;;
    *' arch '* | *' manjaro '*) echo pacman ;;
    *' suse '* | *' opensuse '* | *' opensuse-'* | *' sles '*) echo zypper ;;
    *' alpine '*) echo apk ;;
  esac
}

os_release() { sed -n "s/^$1=//p" "$host/etc/os-release" 2>/dev/null | tr -d "\"'"; }

# headers_package prints the package of the running kernel's headers. A distribution has one for each of its kernels, and what kind
# the running one is stands in its release.
headers_package() {
  local release base
  release=$(kernel_release)
  case $(host_system) in
    ubuntu | apt)
      case $release in
        *-pve) printf 'proxmox-headers-%s\n' "$release" ;;
        *) printf 'linux-headers-%s\n' "$release" ;;
      esac
      ;;
    dnf)
      base=${release%%+*}
      case $release in
        *+rt* | *.rt*) printf 'kernel-rt-devel-%s\n' "$base" ;;
        *+64k*) printf 'kernel-64k-devel-%s\n' "$base" ;;
        *+debug) printf 'kernel-debug-devel-%s\n' "$base" ;;
        *uek*) printf 'kernel-uek-devel-%s\n' "$base" ;;
        *) printf 'kernel-devel-%s\n' "$base" ;;
      esac
      ;;
    pacman)
      # Arch puts the name of the kernel's package beside its modules.
      if base=$(cat "$host/lib/modules/$release/pkgbase" 2>/dev/null); then
        printf '%s-headers\n' "$base"
        return 0
      fi
      case $release in
        *-lts) echo linux-lts-headers ;;
        *-zen) echo linux-zen-headers ;;
        *hardened*) echo linux-hardened-headers ;;
        *-rt*-lts*) echo linux-rt-lts-headers ;;
        *-rt*) echo linux-rt-headers ;;
        *MANJARO*) awk -F. '{ print "linux" $1 $2 "-headers" }' <<<"$release" ;;
        *) echo linux-headers ;;
      esac
      ;;
    zypper) printf 'kernel-%s-devel\n' "${release##*-}" ;;
    apk) printf 'linux-%s-dev\n' "${release##*-}" ;;
  esac
}

# compiler_package prints what is to be installed for the compiler that built the running kernel.
compiler_package() {
  local name
  name=$("${root:?}/kernel-module/compiler.sh" --name "$(kernel_headers)")
  case $name in
    clang*) echo clang lld llvm ;;
    gcc-*)
      # Ubuntu and Debian keep several; where the list has not this one the usual compiler is taken.
      if [[ $(host_system) == @(ubuntu|apt) && -n $(apt_candidate "$name") ]]; then echo "$name"; else echo gcc; fi
      ;;
    *) echo gcc ;;
  esac
}

# build_command PACKAGE… prints the command that installs all that a build needs, and packages that are called the same everywhere, on
# systems whose packages these scripts do not install.
build_command() {
  local packages release
  release=$(kernel_release)
  packages="$(headers_package) $(compiler_package) make $*"
  case $(host_system) in
    dnf) printf 'dnf install %s elfutils-libelf-devel\n' "$packages" ;;
    pacman) printf 'pacman -S --needed %s\n' "$packages" ;;
    zypper) printf 'zypper install %s (headers of the version %s, like the running kernel)\n' "$packages" "${release%-*}" ;;
    apk) printf 'apk add %s musl-dev\n' "$packages" ;;
    *) printf "install the headers of the kernel %s and%s by this system's own means\n" "$release" "$packages" ;;
  esac
}

# install_build_tools PACKAGE… installs compiler, headers and the packages named where they are missing (Debian, Ubuntu and what comes
# of them), or ends with the command that does.
install_build_tools() {
  local headers release tool missing=no
  headers=$(kernel_headers) release=$(kernel_release)
  case $(host_system) in
    ubuntu | apt)
      # shellcheck disable=SC2046 # several packages
      apt_install make libc6-dev $(compiler_package) "$@"
      if [ -e "$headers/Makefile" ]; then return 0; fi
      apt_install "$(headers_package)" || true
      [ -e "$headers/Makefile" ] || refuse 1 "no headers for the running kernel $release could be installed. Most often a newer kernel has" \
        "been installed and not yet booted: boot it and run this again; else boot one whose headers your distribution offers" \
        "(Debian: apt-get install linux-image-amd64 linux-headers-amd64)"
      return 0
      ;;
  esac

  [ -d "$host/lib/modules/$release" ] || refuse 1 "there is no folder /lib/modules/$release: the running kernel's package has been" \
    "replaced by a newer one. Boot that one and run this again"
  for tool in make "$@"; do have "$tool" || missing=yes; done
  have gcc || have clang || missing=yes
  [ -e "$headers/Makefile" ] || missing=yes
  [ "$missing" = yes ] || return 0
  [ ! -e "$host/run/ostree-booted" ] || refuse 1 "not all is here that builds a module, and this system is an image (ostree). Next, as root:" \
    "rpm-ostree install $(headers_package) $(compiler_package) make $*, boot again, and run this again"
  refuse 1 "not all is here that builds a module. Next, as root: $(build_command "$@"). Then run this again"
}
