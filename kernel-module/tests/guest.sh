#!/usr/bin/env bash
# A whole Debian 13 with systemd, cgroup v2 and Docker, in which the module and the suite are used as people use them.
set -euo pipefail

tests=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$tests/../.." && pwd)
# shellcheck source=lib/cache.sh
. "$tests/lib/cache.sh"
work=$CACHE/boot
mirror=${GESTOR_DEBIAN_MIRROR:-http://deb.debian.org}
# shellcheck source=lib/boot.sh
. "$tests/lib/boot.sh"

usage() {
	cat <<-'END'
		usage: guest.sh [--no-suite]

		Makes a Debian 13 image (once; about three minutes), puts this repository and, when the host's engine has them, the
		suite's images into it, and boots it under qemu: make insmod, a container, docker compose up with source=module,
		convergence, make rmmod, make dkms from a folder with a space in its name. Boots it again: the module is loaded, with
		its group; make dkms-remove. Boots it with lockdown=integrity: what the kernel refuses insmod.sh refuses before, and
		says why. Needs root, mmdebstrap, mkfs.ext4 and qemu. --no-suite leaves docker compose out.
	END
}

packages=systemd-sysv,dbus,udev,kmod,linux-image-cloud-amd64,linux-headers-cloud-amd64,initramfs-tools,make,gcc-14,gcc,libc6-dev
packages+=,docker.io,docker-cli,docker-compose,apparmor,iptables,jq,curl,ca-certificates,busybox-static,procps,dkms

# base: the system without our own files.
base() {
	local dir=$CACHE/guest-base
	if [ "$(cat "$dir/.complete" 2>/dev/null)" != "$packages" ]; then
		rm -rf "$dir"
		mmdebstrap --quiet --variant=minbase --include="$packages" trixie "$dir" "$mirror/debian" "deb $mirror/debian-security trixie-security main" >"$CACHE/guest-base.log" 2>&1
		echo "$packages" >"$dir/.complete"
	fi
	echo "$dir"
}

# stage BASE OUT: the system with the repository, the images and the tests in it.
stage() {
	local out=$2
	rm -rf "$out"
	cp -a --reflink=auto "$1" "$out"
	rm -f "$out/.complete"
	mkdir -p "$out/root/gestor"
	tar -C "$root" --exclude=.cache --exclude=.git --exclude=./data --exclude=./bin --exclude=./.env -c . | tar -C "$out/root/gestor" -x
	cp "$tests/guest-image/run.sh" "$out/root/run.sh"
	cp "$tests/guest-image/gestor-test.service" "$out/etc/systemd/system/"
	ln -sf ../gestor-test.service "$out/etc/systemd/system/multi-user.target.wants/"
	echo gestor-guest >"$out/etc/hostname"
	echo '127.0.0.1 localhost gestor-guest' >"$out/etc/hosts"
	# What waits for a network or a console that the guest does not have would only cost time.
	ln -sf /dev/null "$out/etc/systemd/system/systemd-networkd-wait-online.service"
	ln -sf /dev/null "$out/etc/systemd/system/serial-getty@ttyS0.service"
	(cd "$root/services/manager" && CGO_ENABLED=0 go test -c -o "$out/root/source.test" ./internal/source) || true
}

# save_images FILE: what compose.yaml names, when this host's engine has all of it.
save_images() {
	local images=(debian:trixie-slim gestor/{logs,manager,generator,high-cpu,high-ram,low-idle,low-pulse})
	docker image inspect "${images[@]}" >/dev/null 2>&1 && docker save -o "$1" "${images[@]}"
}

if [ "${1:-}" = --help ]; then usage && exit 0; fi
if [ "$(id -u)" -ne 0 ] || ! command -v mmdebstrap >/dev/null || ! command -v mkfs.ext4 >/dev/null; then
	echo "skip guest: root, mmdebstrap and mkfs.ext4 are needed" && exit 0
fi
mkdir -p "$work"
system=$(base)
stage "$system" "$CACHE/guest-root"
if [ "${1:-}" != --no-suite ]; then save_images "$CACHE/guest-root/root/images.tar" || true; fi
rm -f "$work/guest.ext4"
mkfs.ext4 -q -d "$CACHE/guest-root" "$work/guest.ext4" 6G
rm -rf "$CACHE/guest-root"
vmlinuz=$(find "$system/boot" "$system/usr/lib/modules" -maxdepth 2 -name 'vmlinuz*' | sort -V | tail -1)
initrd=$(find "$system/boot" -name 'initrd.img-*' | sort -V | tail -1)

# The emulator of an old QEMU may break a phase in its middle (lib/boot.sh): it then begins again with the disk that it had.
save_disk() { ! qemu_before 8.1 || cp --reflink=auto --sparse=always "$work/guest.ext4" "$work/guest.ext4.saved"; }
restore_disk() { cp --reflink=auto --sparse=always "$work/guest.ext4.saved" "$work/guest.ext4"; }
before_reboot=restore_disk

# boot NAME PHASE [WORDS]: boots the system for a phase of run.sh, with more words for the kernel.
boot() {
	save_disk
	GESTOR_BOOT_SECONDS=${GESTOR_BOOT_SECONDS:-1500} GESTOR_BOOT_MEMORY=3072 qemu_run "$1" "$vmlinuz" "$initrd" \
		"root=/dev/vda rw rdinit=/init panic_on_warn=0 systemd.show_status=0 gestor.phase=$2 ${3:-}" \
		-drive "file=$work/guest.ext4,format=raw,if=virtio,cache=unsafe" || true
	collect "$1"
}

boot guest use
boot guest-rebooted rebooted
boot guest-locked locked lockdown=integrity
rm -f "$work/guest.ext4.saved"
