#!/usr/bin/env bash
# Boots real kernels with the module and runs the checks of tests/guest in each.
set -euo pipefail

tests=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=lib/cache.sh
. "$tests/lib/cache.sh"
work=$CACHE/boot
# shellcheck source=lib/initramfs.sh
. "$tests/lib/initramfs.sh"
# shellcheck source=lib/boot.sh
. "$tests/lib/boot.sh"

usage() {
	cat <<-'END'
		usage: boot.sh [--only WORD] [--cgroup 1|2|hybrid] [--rounds N] NAME...     NAME: 5.10, 6.1, 6.12, newest

		Builds the module for each kernel, boots it under qemu with cgroup v2, with v1 and with both (or as said), and
		prints a line for each check: ok, FAIL or skip. --only runs those with the word in their names; --rounds says how
		often the module is unloaded under readers (1000). Consoles and reports stay in .cache/kernel/boot.
		GESTOR_BOOT_JOBS   boots at the same time (as many as the host has CPUs, at most 4): the checks in a guest are one
		                   after the other, and keep about one CPU busy
	END
}

at_once=${GESTOR_BOOT_JOBS:-$(($(nproc) < 4 ? $(nproc) : 4))}
cgroups="2 1 hybrid" only='' rounds=1000
while [[ ${1:-} == --* ]]; do
	case $1 in
	--only) only=$2 && shift 2 ;;
	--rounds) rounds=$2 && shift 2 ;;
	--cgroup) cgroups=$2 && shift 2 ;;
	*) usage && exit 0 ;;
	esac
done
if [ $# -eq 0 ]; then usage && exit 0; fi
mkdir -p "$work"
build_guest "$CACHE/guest"

# boot NAME CGROUP: one boot and its results, as one piece, since others print theirs at the same time.
boot() {
	local name=$1-v$2
	{
		qemu_run "$name" "$vmlinuz" "$work/$1.cpio" "gestor.cgroup=$2 gestor.rounds=$rounds gestor.only=$only" || true
		collect "$name"
	} >"$work/$name.results" 2>"$work/$name.reasons"
	flock "$work" cat "$work/$name.results"
	cat "$work/$name.reasons" >&2
}

# free_slot waits until fewer boots than $at_once are under way.
free_slot() {
	while [ "$(jobs -rp | wc -l)" -ge "$at_once" ]; do wait -n || true; done
}

for name in "$@"; do
	read -r _ _ _ vmlinuz modules _ < <("$tests/lib/kernels.sh" "$name")
	if ! module=$("$tests/lib/build.sh" "$name" 2>"$work/$name.build"); then
		echo "FAIL $name build: see $work/$name.build" && continue
	fi
	initramfs "$work/$name.cpio" "$CACHE/guest" "$module" "$modules"
	"$tests/lib/accel.sh" "$vmlinuz" >/dev/null # found out once, before several ask
	for cgroup in $cgroups; do
		free_slot
		boot "$name" "$cgroup" &
	done
done
wait
