#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2034,SC2154 # the bodies of fake commands and of the tables expand when they run
# insmod.sh and dkms.sh on machines that cannot be had: their files lie in a folder, their commands are answers that were recorded.

bats_require_minimum_version 1.5.0

setup() {
  clone=$(realpath "$BATS_TEST_DIRNAME/../..")
  scripts=$clone/scripts
  bin=$BATS_TEST_TMPDIR/bin
  done=$BATS_TEST_TMPDIR/done
  mkdir -p "$bin"
  export bin done
  machine
}

# fake NAME BODY puts a command of that name first on the PATH.
fake() {
  printf '#!/usr/bin/env bash\n%s\n' "$2" >"$bin/$1"
  chmod +x "$bin/$1"
  PATH=$bin:$PATH
}

# The begin of a command that notes how it was called.
noting='echo "$(basename "$0") $*" >>"$done"'

# machine makes a Debian on which a module can be built and loaded: a table's row then takes something from it.
machine() {
  export GESTOR_HOST_ROOT=$BATS_TEST_TMPDIR/machine
  host=$GESTOR_HOST_ROOT
  rm -rf "$host" "$done"
  mkdir -p "$host"/proc/{self/ns,sys/kernel} "$host"/sys/{kernel/security,module/module/parameters,firmware/efi/efivars} "$host"/{etc,usr/src,var/lib/dkms}
  ln -s 'pid:[4026531836]' "$host/proc/self/ns/pid"
  ln -s 'user:[4026531837]' "$host/proc/self/ns/user"
  echo >"$host/proc/modules"
  echo 0 >"$host/proc/sys/kernel/modules_disabled"
  rights 000001ffffffffff 000001ffffffffff
  echo '[none] integrity confidentiality' >"$host/sys/kernel/security/lockdown"
  echo N >"$host/sys/module/module/parameters/sig_enforce"
  efi SecureBoot 0
  runs 6.12.57+deb13-amd64 'Linux version 6.12.57+deb13-amd64 (debian-kernel@lists.debian.org) (x86_64-linux-gnu-gcc-14 (Debian 14.2.0-19) 14.2.0, GNU ld (GNU Binutils for Debian) 2.44) #1 SMP PREEMPT_DYNAMIC Debian 6.12.57-1 (2025-11-05)'
  system debian ''
  has_headers

  export uid=0 kernel_of_engine='' mokutil=''
  unset DOCKER_HOST GESTOR_ENGINE_USER GESTOR_DOCKER_SOCKET
  fake id 'case ${1-} in -u) echo "$uid" ;; *) exec /usr/bin/id "$@" ;; esac'
  fake docker 'case "$1 ${2-}" in "info --format") [ -n "$kernel_of_engine" ] && echo "$kernel_of_engine" ;; *) exit 1 ;; esac'
  fake mokutil 'case $1 in --test-key) echo "$2 ${mokutil:-is not enrolled}" ;; *) exit 255 ;; esac'
  fake dpkg-query 'case ${*: -1} in linux-headers-*|proxmox-headers-*) ;; *) echo installed ;; esac'
  fake apt-get "$noting; exit 1"
  fake apt-cache '[ "$1" = policy ] && echo "  Candidate: 1"'
  fake make "$noting"'; [[ $* != *" copy "* ]] || exec /usr/bin/make "$@"'
  fake insmod "$noting"'; loaded=$GESTOR_HOST_ROOT/sys/module/sysinfo_gestor/parameters; mkdir -p "$loaded"
    echo sysinfo_gestor >"$loaded/proc_name"; echo {} >"$GESTOR_HOST_ROOT/proc/sysinfo_gestor"'
  fake modprobe "$noting"
  fake rmmod "$noting"
  fake dkms "$noting"'; case $1 in install) mkdir -p "$GESTOR_HOST_ROOT/var/lib/dkms/$2" ;; remove) rm -r "$GESTOR_HOST_ROOT/var/lib/dkms/${2:?}" ;; esac'
  for tool in gcc kmod; do fake "$tool" 'exit 0'; done
  fake kmodsign "$noting"
}

rights() { printf 'Name:\tbash\nCapInh:\t0000000000000000\nCapEff:\t%s\nCapBnd:\t%s\n' "$1" "$2" >"$host/proc/self/status"; }

# efi NAME VALUE is a variable of the firmware: four bytes of attributes, then the value.
efi() { printf '\x06\x00\x00\x00\x0'"$2" >"$host/sys/firmware/efi/efivars/$1-8be4df61-93ca-11d2-aa0d-00e098032b8c"; }

# runs RELEASE VERSION [uname -s]
runs() {
  echo "$2" >"$host/proc/version"
  fake uname 'case $1 in -r) echo '"'$1'"' ;; -s) echo '"${3:-Linux}"' ;; esac'
  headers=$host/lib/modules/$1/build
}

system() { printf 'NAME="x"\nID=%s\nID_LIKE="%s"\n' "$1" "$2" >"$host/etc/os-release"; }

has_headers() {
  mkdir -p "$headers/scripts"
  touch "$headers/Makefile"
  echo 'CONFIG_MODULE_SIG_HASH="sha512"' >"$headers/.config"
  printf '#!/usr/bin/env bash\necho "sign-file $*" >>"$done"\n' >"$headers/scripts/sign-file"
  chmod +x "$headers/scripts/sign-file"
}

no_headers() { rm -rf "$headers" && mkdir -p "$(dirname "$headers")"; }

# has_key PRIVATE CERTIFICATE [WORDS OF MOKUTIL]
has_key() {
  mkdir -p "$host/$(dirname "$1")" "$host/$(dirname "$2")"
  touch "$host/$1" "$host/$2"
  mokutil=${3:-}
}

locked_down() {
  echo 'none [integrity] confidentiality' >"$host/sys/kernel/security/lockdown"
  efi SecureBoot 1
}

# says WORDS tells whether the output has all of them, separated by ~; else missing is the first that it has not.
says() {
  local word
  IFS='~' read -ra wanted <<<"$1"
  for word in "${wanted[@]}"; do
    missing=$word
    [[ $output == *"$word"* ]] || return 1
  done
}

# A row: what a machine is, what it says, | the status of insmod.sh | words of it, separated by ~. Nothing may have been installed,
# built or loaded.
refusals='rights 000001fffffeffff 000001fffffeffff|3|bounding set~GESTOR_SOURCE=auto
rights 00000000a80425fb 00000000a80425fb|3|CAP_SYS_MODULE
rights 0000000000000000 000001ffffffffff; uid=1000|1|needs root~make insmod
rights 0000000000000000 000001ffffffffff|3|although it is root
ln -sfn "pid:[4026532201]" "$host/proc/self/ns/pid"|3|container~host itself~GESTOR_SOURCE=auto
ln -sfn "user:[4026532198]" "$host/proc/self/ns/user"|3|container
rm "$host/proc/modules"|3|without loadable modules~6.12.57+deb13-amd64~GESTOR_SOURCE=auto
echo 1 >"$host/proc/sys/kernel/modules_disabled"|3|modules_disabled=1~until the next boot
runs 6.6.87.2-microsoft-standard-WSL2 "Linux version 6.6.87.2-microsoft-standard-WSL2 (root@439a258ad544) (gcc (GCC) 11.2.0, GNU ld (GNU Binutils) 2.37) #1 SMP PREEMPT_DYNAMIC Thu Jun  5 18:30:46 UTC 2025"; system ubuntu debian|3|WSL~cgroup files instead~GESTOR_SOURCE=auto
runs 4.4.0-19041-Microsoft "Linux version 4.4.0-19041-Microsoft (Microsoft@Microsoft.com) (gcc version 5.4.0 (GCC) ) #3996-Microsoft Thu Jan 18 16:36:00 PST 2024"|3|WSL
runs 6.10.14-linuxkit "Linux version 6.10.14-linuxkit (root@buildkitsandbox) (gcc (Alpine 13.2.1_git20240309) 13.2.1 20240309, GNU ld (GNU Binutils) 2.42) #1 SMP Sat May 17 08:28:57 UTC 2025"|3|Docker Desktop~cgroup files instead~GESTOR_SOURCE=auto
kernel_of_engine=6.10.14-linuxkit|3|Docker Desktop~would see none of them
kernel_of_engine=6.6.87.2-microsoft-standard-WSL2|3|Docker Desktop
runs 24.5.0 "" Darwin|3|Darwin~Docker Desktop
locked_down|4|Secure Boot is on~apt-get install dkms mokutil~make dkms~mokutil --import /var/lib/dkms/mok.pub~blue screen
locked_down; echo "none integrity [confidentiality]" >"$host/sys/kernel/security/lockdown"|4|Secure Boot is on
locked_down; system ubuntu debian|4|update-secureboot-policy --new-key~mokutil --import /var/lib/shim-signed/mok/MOK.der
locked_down; system linuxmint "ubuntu debian"|4|update-secureboot-policy --new-key
locked_down; system fedora ""|4|kmodgenca -a~mokutil --import /etc/pki/akmods/certs/public_key.der
locked_down; system arch ""|4|install dkms and mokutil~mokutil --import /var/lib/dkms/mok.pub
locked_down; has_key var/lib/dkms/mok.key var/lib/dkms/mok.pub|4|Next, as root: mokutil --import /var/lib/dkms/mok.pub
locked_down; has_key var/lib/shim-signed/mok/MOK.priv var/lib/shim-signed/mok/MOK.der|4|Next, as root: mokutil --import /var/lib/shim-signed/mok/MOK.der
locked_down; has_key var/lib/dkms/mok.key var/lib/dkms/mok.pub "is already in the enrollment request"|4|Next, as root: boot again~blue screen
rm "$host/sys/kernel/security/lockdown"; efi SecureBoot 1|4|Secure Boot is on
echo "none [integrity] confidentiality" >"$host/sys/kernel/security/lockdown"|4|although Secure Boot is off~lockdown=~boot without that
echo "none [integrity] confidentiality" >"$host/sys/kernel/security/lockdown"; has_key var/lib/dkms/mok.key var/lib/dkms/mok.pub "is already enrolled"|4|although Secure Boot is off
echo Y >"$host/sys/module/module/parameters/sig_enforce"|4|sig_enforce
rm -r "$host/sys/firmware"; rm "$host/sys/kernel/security/lockdown"; fake mokutil "echo SecureBoot enabled"|4|Secure Boot is on'

@test "insmod: whatever can refuse is asked before anything is installed, built or loaded" {
  while IFS='|' read -r change want words; do
    machine
    no_headers
    eval "$change"
    run "$scripts/insmod.sh"
    [ "$status" -eq "$want" ] || { echo "$change: status $status: $output" && return 1; }
    says "$words" || { echo "$change: without '$missing': $output" && return 1; }
    [ ! -e "$done" ] || { echo "$change: $(cat "$done")" && return 1; }
  done <<<"$refusals"
}

@test "insmod: a module is built and loaded with the manager's group and the parameters given" {
  export GESTOR_DOCKER_SOCKET=$BATS_TEST_TMPDIR/nowhere
  run "$scripts/insmod.sh" cmdline_max=256 proc_name=sysinfo_202003745
  [ "$status" -eq 0 ] || { echo "$output" && return 1; }
  grep -qx "make -s -C $clone/kernel-module KDIR=$headers" "$done"
  grep -qx "insmod $clone/kernel-module/sysinfo_gestor.ko gid=0 cmdline_max=256 proc_name=sysinfo_202003745" "$done"
  run ! grep -q sign-file "$done"

  rm "$host"/proc/self/ns/{pid,user} # a kernel without namespaces
  GESTOR_ENGINE_USER=65532:4711 "$scripts/insmod.sh"
  [[ $(tail -n 1 "$done") == *'.ko gid=4711' ]]
  [[ $(tail -n 2 "$done" | head -n 1) == 'rmmod sysinfo_gestor' ]] # the one that was loaded
  GESTOR_ENGINE_USER=65532:4711 "$scripts/insmod.sh" gid=7
  [[ $(tail -n 1 "$done") == *'.ko gid=7' ]]
}

@test "insmod: what is no parameter of the module is refused, for the kernel would ignore it" {
  for given in gid cmdline_max= max_proc=7 'proc_name=a b' 'gid=1;2' $'gid=1\nx=2'; do
    run "$scripts/insmod.sh" "$given"
    [ "$status" -eq 1 ]
    [[ $output == *"$given is no parameter"*cmdline_max* ]]
    [ ! -e "$done" ]
  done
}

# A row: what a machine is | what is called to sign.
signatures='locked_down; has_key var/lib/dkms/mok.key var/lib/dkms/mok.pub "is already enrolled"|sign-file sha512 $host/var/lib/dkms/mok.key $host/var/lib/dkms/mok.pub
locked_down; has_key var/lib/shim-signed/mok/MOK.priv var/lib/shim-signed/mok/MOK.der "is already enrolled"|sign-file sha512 $host/var/lib/shim-signed/mok/MOK.priv $host/var/lib/shim-signed/mok/MOK.der
locked_down; rm "$headers/scripts/sign-file"; has_key var/lib/shim-signed/mok/MOK.priv var/lib/shim-signed/mok/MOK.der "is already enrolled"|kmodsign sha512 $host/var/lib/shim-signed/mok/MOK.priv $host/var/lib/shim-signed/mok/MOK.der
locked_down; has_key etc/pki/akmods/private/private_key.priv etc/pki/akmods/certs/public_key.der "is already enrolled"|sign-file sha512 $host/etc/pki/akmods/private/private_key.priv $host/etc/pki/akmods/certs/public_key.der
locked_down; has_key var/lib/dkms/mok.key var/lib/dkms/mok.pub; fake mokutil "exit 255"|sign-file sha512 $host/var/lib/dkms/mok.key $host/var/lib/dkms/mok.pub
locked_down; has_key var/lib/dkms/mok.key var/lib/dkms/mok.pub; has_key var/lib/shim-signed/mok/MOK.priv var/lib/shim-signed/mok/MOK.der; fake mokutil "case \$2 in */mok.pub) echo is already enrolled ;; *) echo is not enrolled ;; esac"|sign-file sha512 $host/var/lib/dkms/mok.key $host/var/lib/dkms/mok.pub
echo Y >"$host/sys/module/module/parameters/sig_enforce"; has_key ${headers#"$host"}/certs/signing_key.pem ${headers#"$host"}/certs/signing_key.x509|sign-file sha512 $headers/certs/signing_key.pem $headers/certs/signing_key.x509'

@test "insmod: where the kernel wants a signature the key that it trusts makes one" {
  while IFS='|' read -r change want; do
    machine
    eval "$change"
    run "$scripts/insmod.sh"
    [ "$status" -eq 0 ] || { echo "$change: $output" && return 1; }
    grep -qFx "$(eval "echo \"$want\"") $clone/kernel-module/sysinfo_gestor.ko" "$done" || { echo "$change: $(cat "$done")" && return 1; }
  done <<<"$signatures"
}

# A row: what a machine is | insmod's words | the status of insmod.sh | words of it.
refused_late='true|Operation not permitted|3|CAP_SYS_MODULE
true|Key was rejected by service|4|signature
true|Invalid parameters|1|Invalid parameters
locked_down; has_key var/lib/dkms/mok.key var/lib/dkms/mok.pub "is already enrolled"|Key was rejected by service|4|mok.key is enrolled and the kernel refuses it all the same
locked_down; has_key var/lib/dkms/mok.key var/lib/dkms/mok.pub; fake mokutil "exit 255"|Required key not available|4|mokutil --import /var/lib/dkms/mok.pub'

@test "insmod: what the kernel refuses all the same is explained" {
  while IFS='|' read -r change said want words; do
    machine
    eval "$change"
    fake insmod "echo 'insmod: ERROR: could not insert module x.ko: $said' >&2; exit 1"
    run "$scripts/insmod.sh"
    [ "$status" -eq "$want" ] && says "$words" || { echo "$change $said: status $status: $output" && return 1; }
  done <<<"$refused_late"
}

# A row: release | the kernel's words | ID ID_LIKE | the command that installs what a build needs (apt: what apt-get is called with).
fedora='Linux version 6.14.0-63.fc42.x86_64 (mockbuild@d5701c6d040c430db8c8c8c6a0e1d0dd) (gcc (GCC) 15.0.1 20250228 (Red Hat 15.0.1-0), GNU ld version 2.44-3.fc42) #1 SMP PREEMPT_DYNAMIC Mon Mar 24 19:53:37 UTC 2025'
arch='Linux version 6.15.2-arch1-1 (linux@archlinux) (gcc (GCC) 15.1.1 20250425, GNU ld (GNU Binutils) 2.44.0) #1 SMP PREEMPT_DYNAMIC Tue, 10 Jun 2025 21:32:33 +0000'
suse='Linux version 6.4.0-150600.23.53-default (geeko@buildhost) (gcc (SUSE Linux) 7.5.0, GNU ld (GNU Binutils; SUSE Linux Enterprise 15) 2.43.1.20240828-150100.7.52) #1 SMP PREEMPT_DYNAMIC Wed Jun  4 05:37:40 UTC 2025'
cachyos='Linux version 6.15.2-2-cachyos (linux-cachyos@cachyos) (clang version 20.1.6, LLD 20.1.6) #1 SMP PREEMPT_DYNAMIC Tue, 10 Jun 2025 20:27:40 +0000'
ubuntu='Linux version 6.8.0-60-generic (buildd@lcy02-amd64-054) (x86_64-linux-gnu-gcc-13 (Ubuntu 13.3.0-6ubuntu2~24.04) 13.3.0, GNU ld (GNU Binutils for Ubuntu) 2.42) #63-Ubuntu SMP PREEMPT_DYNAMIC Tue Apr 15 19:04:15 UTC 2025'
packages="6.14.0-63.fc42.x86_64|$fedora|fedora |dnf install kernel-devel-6.14.0-63.fc42.x86_64 gcc make kmod elfutils-libelf-devel
6.14.0-63.fc42.x86_64+debug|$fedora|fedora |dnf install kernel-debug-devel-6.14.0-63.fc42.x86_64 gcc
5.14.0-503.14.1.el9_5.x86_64|$fedora|rocky rhel centos fedora|dnf install kernel-devel-5.14.0-503.14.1.el9_5.x86_64 gcc
5.14.0-503.14.1.el9_5.x86_64+rt|$fedora|rhel fedora|dnf install kernel-rt-devel-5.14.0-503.14.1.el9_5.x86_64 gcc
5.14.0-503.14.1.el9_5.aarch64+64k|$fedora|rhel fedora|dnf install kernel-64k-devel-5.14.0-503.14.1.el9_5.aarch64 gcc
5.15.0-309.180.4.el9uek.x86_64|$fedora|ol fedora|dnf install kernel-uek-devel-5.15.0-309.180.4.el9uek.x86_64 gcc
6.1.141-155.222.amzn2023.x86_64|$fedora|amzn fedora|dnf install kernel-devel-6.1.141-155.222.amzn2023.x86_64 gcc
6.15.2-arch1-1|$arch|arch |pacman -S --needed linux-headers gcc make kmod
6.12.33-1-lts|$arch|arch |pacman -S --needed linux-lts-headers gcc
6.15.2-zen1-1-zen|$arch|arch |pacman -S --needed linux-zen-headers gcc
6.15.2-hardened1-1-hardened|$arch|arch |pacman -S --needed linux-hardened-headers gcc
6.12.30-1-MANJARO|$arch|manjaro arch|pacman -S --needed linux612-headers gcc
6.15.2-2-cachyos|$cachyos|cachyos arch|pacman -S --needed linux-cachyos-headers clang lld llvm make
6.4.0-150600.23.53-default|$suse|opensuse-leap suse opensuse|zypper install kernel-default-devel gcc make kmod (headers of the version 6.4.0-150600.23.53
6.15.2-1-default|$suse|opensuse-tumbleweed opensuse suse|zypper install kernel-default-devel gcc make kmod (headers of the version 6.15.2-1
6.12.31-0-lts|$arch|alpine |apk add linux-lts-dev gcc make kmod musl-dev
6.12.30|$arch|nixos |install the headers of the kernel 6.12.30"

@test "insmod: where these scripts install nothing the command that does has this system's names" {
  while IFS='|' read -r release version names want; do
    machine
    runs "$release" "$version"
    mkdir -p "$(dirname "$headers")"
    [[ $release != *cachyos ]] || echo linux-cachyos >"$(dirname "$headers")/pkgbase"
    system "${names%% *}" "${names#* }"
    run "$scripts/insmod.sh"
    [ "$status" -eq 1 ] && [[ $output == *"$want"* ]] || { echo "$release: status $status: $output" && return 1; }
    [ ! -e "$done" ]
  done <<<"$packages"

  rm -r "$host/lib/modules"
  run "$scripts/insmod.sh"
  [[ $output == *'replaced by a newer one'*'Boot that one'* ]]
  runs 6.14.0-63.fc42.x86_64 "$fedora"
  system fedora ''
  no_headers
  mkdir -p "$host/lib/modules/6.14.0-63.fc42.x86_64" "$host/run"
  touch "$host/run/ostree-booted"
  run "$scripts/insmod.sh"
  [[ $output == *'rpm-ostree install kernel-devel-6.14.0-63.fc42.x86_64 gcc make kmod, boot again'* ]]
}

@test "insmod: on Debian and Ubuntu the headers and the kernel's own compiler are installed" {
  fake dpkg-query 'exit 1'
  no_headers
  fake apt-get "$noting"'; case " $* " in *" linux-headers-"*|*" proxmox-headers-"*) mkdir -p "$(dirname '"$headers"')" ;; esac'
  run "$scripts/insmod.sh"
  [ "$status" -eq 1 ]
  [[ $output == *'boot it and run this again'* ]]
  grep -q 'install --no-install-recommends make libc6-dev gcc-14 kmod$' "$done"
  grep -q 'linux-headers-6.12.57+deb13-amd64$' "$done"

  rm "$done"
  runs 6.8.0-60-generic "$ubuntu"
  system ubuntu debian
  run "$scripts/insmod.sh"
  grep -q 'make libc6-dev gcc-13 kmod$' "$done"
  rm "$done"
  fake apt-cache ''
  run "$scripts/insmod.sh"
  grep -q 'make libc6-dev gcc kmod$' "$done"
  runs 6.8.12-9-pve "$ubuntu"
  system debian ''
  run "$scripts/insmod.sh"
  grep -q 'proxmox-headers-6.8.12-9-pve$' "$done"
}

# A row: lines of the headers' configuration | the compilers that are here, NAME=VERSION | what make is told | the compiler's name.
compilers='CC_VERSION_TEXT="gcc (GCC) 15.1.1 20250425" CC_IS_GCC=y GCC_VERSION=150101|gcc=15||gcc-15
CC_VERSION_TEXT="gcc (GCC) 14.2.1 20250207" CC_IS_GCC=y GCC_VERSION=140201|gcc=15 gcc-14=14|CC=gcc-14|gcc-14
CC_VERSION_TEXT="gcc (GCC) 14.2.1 20250207" CC_IS_GCC=y GCC_VERSION=140201|gcc=15||gcc-14
CC_VERSION_TEXT="x86_64-linux-gnu-gcc-13 (Ubuntu 13.3.0-6ubuntu2~24.04) 13.3.0" CC_IS_GCC=y GCC_VERSION=130300|gcc=11 x86_64-linux-gnu-gcc-13=13|CC=x86_64-linux-gnu-gcc-13|gcc-13
CC_VERSION_TEXT="clang version 20.1.6" CC_IS_CLANG=y CLANG_VERSION=200106 GCC_VERSION=0|gcc=15 clang=20.1.6|LLVM=1|clang-20
CC_VERSION_TEXT="Ubuntu clang version 18.1.3 (1ubuntu1)" CC_IS_CLANG=y CLANG_VERSION=180103|gcc=13 clang-18=18.1.3|LLVM=-18|clang-18
CC_VERSION_TEXT="clang version 18.1.3" CC_IS_CLANG=y CLANG_VERSION=180103|clang=19.1.0 clang-18=18.1.3|LLVM=-18|clang-18
CC_VERSION_TEXT="clang version 18.1.3" CC_IS_CLANG=y CLANG_VERSION=180103|gcc=13|LLVM=1|clang-18'

@test "compiler: the one that the kernel was built with, where it is here" {
  kdir="$BATS_TEST_TMPDIR/a kdir"
  mkdir -p "$kdir"
  while IFS='|' read -r configuration here want name; do
    sed 's/ \([A-Z_]*=\)/\n\1/g; s/\(^\|\n\)/\1CONFIG_/g' <<<"$configuration" >"$kdir/.config"
    mkdir -p "$BATS_TEST_TMPDIR/only"
    rm -f "$BATS_TEST_TMPDIR/only"/*
    for tool in cat sed head tr cut; do ln -s "$(command -v $tool)" "$BATS_TEST_TMPDIR/only/$tool"; done
    for tool in $here; do printf '#!/bin/sh\necho %s\n' "${tool#*=}" >"$BATS_TEST_TMPDIR/only/${tool%=*}" && chmod +x "$BATS_TEST_TMPDIR/only/${tool%=*}"; done
    got=$(PATH=$BATS_TEST_TMPDIR/only "$clone/kernel-module/compiler.sh" "$kdir" 2>/dev/null)
    [ "$got" = "$want" ] || { echo "$configuration, $here: $got" && return 1; }
    [ "$(PATH=$BATS_TEST_TMPDIR/only "$clone/kernel-module/compiler.sh" --name "$kdir")" = "$name" ]
  done <<<"$compilers"

  touch "$kdir/.kernelvariables" # Debian's
  echo 'CONFIG_GCC_VERSION=120200' >"$kdir/.config"
  [ -z "$("$clone/kernel-module/compiler.sh" "$kdir")" ]
}

@test "gid: the manager's group, from the socket that the services are given, unless their user is set" {
  root=$BATS_TEST_TMPDIR/clone
  mkdir -p "$root"
  for lib in log engine dotenv module; do
    # shellcheck source=/dev/null
    . "$scripts/lib/$lib.sh"
  done
  touch "$root/socket"
  [ "$(id -u)" -ne 0 ] || chown 0:4711 "$root/socket"
  group=$(stat -c %g "$root/socket")
  [ "$(GESTOR_DOCKER_SOCKET=$root/socket module_gid)" = "$group" ]
  [ "$(GESTOR_DOCKER_SOCKET=$root/socket GESTOR_ENGINE_USER=65532:12 module_gid)" = 12 ]
  [ "$(GESTOR_DOCKER_SOCKET=$root/nowhere module_gid)" = 0 ]

  rm "$bin/docker" # compose reads .env
  hash -r
  docker compose version >/dev/null 2>&1 || skip "docker compose, which reads .env, is not on this host"
  printf 'GESTOR_DOCKER_SOCKET="%s"\r\n' "$root/socket" >"$root/.env"
  [ "$(module_gid)" = "$group" ]
  echo 'GESTOR_ENGINE_USER=65532:12' >>"$root/.env"
  [ "$(module_gid)" = 12 ]
}

@test "up: a module that was loaded for another group than the manager's is told" {
  root=$BATS_TEST_TMPDIR/clone
  mkdir -p "$root/scripts" "$host/sys/module/sysinfo_gestor/parameters"
  ln -s "$scripts/lib" "$root/scripts/lib"
  sed '/^case ${1:-} in/,$d' "$scripts/up.sh" >"$root/scripts/up.sh"
  # shellcheck source=scripts/up.sh
  . "$root/scripts/up.sh"
  export GESTOR_ENGINE_USER=65532:998
  echo 998 >"$host/sys/module/sysinfo_gestor/parameters/gid"
  run check_module
  [ "$status" -eq 0 ] && [ -z "$output" ]
  echo 0 >"$host/sys/module/sysinfo_gestor/parameters/gid"
  run check_module
  [ "$status" -eq 0 ] && says "lets the group 0 read, the manager's is 998~make insmod"
  rm -r "$host/sys/module/sysinfo_gestor"
  run check_module
  [ "$status" -eq 0 ] && [ -z "$output" ]
}

@test "dkms: it is built for each kernel and loaded at each boot, and all of it can be taken away" {
  mkdir -p "$host/var/lib/dkms/sysinfo_gestor/0.9.0" "$host/usr/src/sysinfo_gestor-0.9.0" # an earlier release
  version=$(cat "$clone/kernel-module/VERSION")
  run env GESTOR_ENGINE_USER=65532:998 "$scripts/dkms.sh" cmdline_max=256
  [ "$status" -eq 0 ] || { echo "$output" && return 1; }
  [ "$(grep -v '^#' "$host/etc/modules-load.d/sysinfo_gestor.conf")" = sysinfo_gestor ]
  [ "$(grep -v '^#' "$host/etc/modprobe.d/sysinfo_gestor.conf")" = 'options sysinfo_gestor gid=998 cmdline_max=256' ]
  says "written: /etc/modules-load.d/sysinfo_gestor.conf~written: /etc/modprobe.d/sysinfo_gestor.conf: options sysinfo_gestor gid=998 cmdline_max=256~make dkms-remove"
  says "taken away: /usr/src/sysinfo_gestor-0.9.0~written: /usr/src/sysinfo_gestor-$version"
  grep -qx "dkms remove sysinfo_gestor/0.9.0 --all" "$done"
  grep -qx "dkms install sysinfo_gestor/$version" "$done"
  [ "$(tail -n 1 "$done")" = 'modprobe sysinfo_gestor' ]
  [ ! -e "$host/usr/src/sysinfo_gestor-0.9.0" ]
  tree=$host/usr/src/sysinfo_gestor-$version
  grep -qx "PACKAGE_VERSION=\"$version\"" "$tree/dkms.conf"
  grep -qx 'AUTOINSTALL="yes"' "$tree/dkms.conf"
  [ -x "$tree/compiler.sh" ] && [ -e "$tree/Kbuild" ] && [ -e "$tree/uapi/sysinfo_gestor.h" ]

  run "$scripts/dkms.sh" --remove
  [ "$status" -eq 0 ]
  says "taken away: /usr/src/sysinfo_gestor-$version~taken away: /etc/modules-load.d/sysinfo_gestor.conf~taken away: /etc/modprobe.d/sysinfo_gestor.conf"
  grep -qx "dkms remove sysinfo_gestor/$version --all" "$done"
  [ -z "$(find "$host/etc" "$host/usr/src" "$host/var/lib/dkms" -name '*sysinfo_gestor-*' -o -name 'sysinfo_gestor.conf')" ]
  run "$scripts/dkms.sh" --remove
  [ "$status" -eq 0 ]
  says 'nothing to do'
}

@test "dkms: what is left of it is taken away also where DKMS is gone, and what stays is told" {
  ! command -v dkms | grep -v "^$bin/" || skip "DKMS is installed here"
  rm "$bin/dkms"
  mkdir -p "$host/usr/src/sysinfo_gestor-0.9.0" "$host/var/lib/dkms/sysinfo_gestor/0.9.0"
  run "$scripts/dkms.sh" --remove
  [ "$status" -eq 0 ]
  says 'DKMS is not installed~stays below /lib/modules~taken away: /usr/src/sysinfo_gestor-0.9.0'
  [ -z "$(find "$host/usr/src" "$host/var/lib/dkms" -name '*sysinfo_gestor-*' -o -name 0.9.0)" ]
}

@test "dkms: nothing is installed where no module can be loaded, or for what is no parameter" {
  no_headers
  rm "$host/proc/modules"
  run "$scripts/dkms.sh"
  [ "$status" -eq 3 ] && says 'dkms: this kernel~without loadable modules'
  [ ! -e "$done" ]
  machine
  run "$scripts/dkms.sh" 'cmdline_max=1 install sysinfo_gestor /bin/false'
  [ "$status" -eq 1 ] && [ ! -e "$done" ] && [ ! -e "$host/etc/modprobe.d" ]
  uid=1000 run "$scripts/dkms.sh" --remove
  [ "$status" -eq 1 ] && says 'needs root'
}

@test "dkms: with Secure Boot it is installed, and the way to the boot that loads it is told" {
  locked_down
  fake dkms "$noting"'; [ "$1" != install ] || { touch "$GESTOR_HOST_ROOT/var/lib/dkms/mok.key" "$GESTOR_HOST_ROOT/var/lib/dkms/mok.pub"; }'
  run "$scripts/dkms.sh"
  [ "$status" -eq 4 ]
  says 'Next, as root: mokutil --import /var/lib/dkms/mok.pub'
  [ -e "$host/etc/modules-load.d/sysinfo_gestor.conf" ]
  run ! grep -q modprobe "$done"
  export mokutil='is already enrolled'
  run "$scripts/dkms.sh"
  [ "$status" -eq 0 ]
  [ "$(tail -n 1 "$done")" = 'modprobe sysinfo_gestor' ]
}
