#!/usr/bin/env bash
# Finds out what runs the CPUs of the virtual machines on this host.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=cache.sh
. "$here/cache.sh"

usage() {
	cat <<-'END'
		usage: accel.sh VMLINUZ

		Prints kvm when this host's /dev/kvm boots the kernel, otherwise tcg: QEMU's emulator, many times slower. A device that is
		there need not work (in some virtual machines a guest never gets past its first instructions), so the kernel is booted
		once, for at most 15 s. The answer is kept in .cache/kernel until the host starts anew or has another QEMU.
		GESTOR_BOOT_ACCEL=kvm|tcg   decides without a boot
	END
}

# kvm_boots VMLINUZ: whether the kernel gets as far as to miss its root file system, after which it ends the machine.
kvm_boots() {
	local console status=0
	console=$(mktemp)
	timeout 15 qemu-system-x86_64 -accel kvm -cpu max -smp 2,sockets=2 -m 256 -no-reboot -display none -nodefaults \
		-kernel "$1" -serial "file:$console" -append "console=ttyS0 panic=-1" >/dev/null 2>&1 || status=$?
	grep -a -q 'Unable to mount root fs' "$console" || status=1
	rm -f "$console"
	[ "$status" -eq 0 ]
}

if [ $# -ne 1 ] || [ "$1" = --help ]; then usage && exit 0; fi
case ${GESTOR_BOOT_ACCEL:-} in
kvm | tcg) echo "$GESTOR_BOOT_ACCEL" && exit 0 ;;
'') ;;
*) echo "accel: GESTOR_BOOT_ACCEL is kvm or tcg, not $GESTOR_BOOT_ACCEL" >&2 && exit 2 ;;
esac
if [ ! -w "${GESTOR_HOST_ROOT:-}/dev/kvm" ]; then echo tcg && exit 0; fi

mkdir -p "$CACHE"
host="$(cat /proc/sys/kernel/random/boot_id) $(qemu-system-x86_64 --version | sed -n 1p)"
known=$(sed -n "s/ on ${host//\//\\/}\$//p" "$CACHE/accel" 2>/dev/null || true)
if [ -z "$known" ]; then
	known=tcg
	if kvm_boots "$1"; then known=kvm; fi
	echo "$known on $host" >"$CACHE/accel"
fi
echo "$known"
