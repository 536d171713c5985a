#!/usr/bin/env bash
# Counts the instructions that a reading costs: the module against cgroup files and /proc, on a deterministic clock.
set -euo pipefail

tests=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=lib/cache.sh
. "$tests/lib/cache.sh"
work=$CACHE/boot
# shellcheck source=lib/initramfs.sh
. "$tests/lib/initramfs.sh"
# shellcheck source=lib/boot.sh
. "$tests/lib/boot.sh"

# The budget: instructions for one read of the whole document at 100 containers with 10 processes each.
budget=${GESTOR_COST_BUDGET:-4000000}
sizes=${GESTOR_COST_SIZES:-100x10}

usage() {
	cat <<-'END'
		usage: cost.sh [NAME]     NAME as for boot.sh, default 6.12

		Boots under qemu -icount shift=0, where one nanosecond is one instruction, once for each of GESTOR_COST_SIZES
		(default 100x10: containers x processes). Fails when a read at 100x10 passes GESTOR_COST_BUDGET instructions, or when
		at 1000 containers it is not 20 times cheaper than opening five cgroup files for each. Values: .cache/kernel/cost.txt
	END
}

# icount_run SIZE: like qemu_run, with one CPU and the counted clock.
icount_run() {
	qemu_machine="-accel tcg,thread=single -icount shift=0,sleep=off -cpu max -smp 1" GESTOR_BOOT_MEMORY=${GESTOR_BOOT_MEMORY:-3072} \
		qemu_run "cost-$1" "$vmlinuz" "$work/cost.cpio" "gestor.suite=cost gestor.size=$1 mitigations=off" || true
}

value() { sed -n "s/^value $2 //p" "$work/cost-$1.report"; }

# check_bounds SIZE: the bounds that hold for that size.
check_bounds() {
	local module opened
	module=$(value "$1" module) opened=$(value "$1" cgroup-files-opened)
	if [ -z "$module" ] || [ -z "$opened" ]; then
		echo "FAIL cost $1: no values" && return
	fi
	case $1 in
	100x10)
		if [ "$module" -le "$budget" ]; then
			echo "ok cost budget: $module instructions at $1, at most $budget"
		else
			echo "FAIL cost budget: $module instructions at $1, at most $budget"
		fi
		;;
	1000x1)
		if [ $((opened / module)) -ge 20 ]; then
			echo "ok cost ratio: $((opened / module)) times cheaper than opening five files for each of 1000 containers"
		else
			echo "FAIL cost ratio: only $((opened / module)) times cheaper than opening five files for each of 1000 containers"
		fi
		;;
	esac
}

if [ "${1:-}" = --help ]; then usage && exit 0; fi
name=${1:-6.12}
mkdir -p "$work"
build_guest "$CACHE/guest"
gcc -O1 -Wall -Wextra -Wno-sign-compare -static -o "$CACHE/guest/cost" "$tests/csrc/cost.c"
read -r _ _ _ vmlinuz modules _ < <("$tests/lib/kernels.sh" "$name")
module=$("$tests/lib/build.sh" "$name" 2>"$work/cost.build")
initramfs "$work/cost.cpio" "$CACHE/guest" "$module" "$modules"
: >"$CACHE/cost.txt"
for size in $sizes; do
	icount_run "$size"
	collect "cost-$size"
	sed -n "s/^value /$size /p" "$work/cost-$size.report" >>"$CACHE/cost.txt"
	check_bounds "$size"
done
