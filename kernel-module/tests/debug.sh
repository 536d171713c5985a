#!/usr/bin/env bash
# The module in kernels that watch themselves: storms that must leave no complaint, and faults that must be caught.
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
		usage: debug.sh [--seconds N] [--part checks|storm|faults] [kasan|kcsan]

		Builds the debug kernel when the cache has none (about five minutes), boots it, and runs every check and a storm of
		N seconds (60) in it. Then loads modules with faults put in from tests/faults/KIND: each must be reported. The kernel
		with kcsan, which finds data races, has readers on every CPU in place of the checks.
	END
}

seconds=60 parts='checks storm faults'
while [[ ${1:-} == --* ]]; do
	case $1 in
	--seconds) seconds=$2 && shift 2 ;;
	--part) parts=$2 && shift 2 ;;
	*) usage && exit 0 ;;
	esac
done
kind=${1:-kasan}
mkdir -p "$work"
build_guest "$CACHE/guest"
kernel=$("$tests/lib/debug-kernel.sh" "$kind")
export GESTOR_KDIR=$kernel GESTOR_BOOT_SECONDS=${GESTOR_BOOT_SECONDS:-900}

# KCSAN watches an address for a moment and looks whether another CPU touches it. Emulated CPUs may share one core of the
# host: the moment has to be longer than the turns that they take, so there are fewer of them.
watch=
# The kernel's own races must not end the run: see complaints in lib/boot.sh.
if [ "$kind" = kcsan ]; then watch="kcsan.udelay_task=3000 kcsan.skip_watch=1000 panic_on_warn=0"; fi

# build NAME [PATCH]: the module, with a fault when one is given.
build() { GESTOR_PATCH=${2:-} "$tests/lib/build.sh" "$1" 2>"$work/$1.build"; }

suite() {
	local name=$1 suite=$2 module
	module=$(build "debug-$kind")
	initramfs "$work/$name.cpio" "$CACHE/guest" "$module" -
	qemu_run "$name" "$kernel/arch/x86/boot/bzImage" "$work/$name.cpio" \
		"gestor.suite=$suite gestor.seconds=$seconds gestor.rounds=20 $watch" || true
	collect "$name"
}

# fault_options: what brings the faults out. Races want readers at the same time; KASAN stops at its first report, which
# need not be ours. A word that the kernel does not know would be taken for the guest's own argument.
fault_options() {
	case $kind in
	kasan) echo "gestor.suite=fault kasan_multi_shot" ;;
	kcsan) echo "gestor.suite=race gestor.seconds=120 $watch" ;;
	esac
}

# fault PATCH: boots a module with the fault; the console must show what the patch's first line expects. The guest is
# left as soon as it does, since some faults hang it.
fault() {
	local name wanted module pid
	name=fault-$(basename "$1" .patch)
	wanted=$(sed -n '1s/^expect: //p' "$1")
	module=$(build "$name" "$1")
	initramfs "$work/$name.cpio" "$CACHE/guest" "$module" -
	rm -f "$work/$name.console"
	GESTOR_BOOT_SECONDS=180 qemu_run "$name" "$kernel/arch/x86/boot/bzImage" "$work/$name.cpio" \
		"$(fault_options) panic_on_warn=0" 2>/dev/null &
	pid=$!
	while kill -0 "$pid" 2>/dev/null && ! grep -a -E -q "$wanted" "$work/$name.console" 2>/dev/null; do sleep 1; done
	pkill -P "$pid" 2>/dev/null || true
	wait "$pid" 2>/dev/null || true
	if grep -a -E -q "$wanted" "$work/$name.console"; then
		echo "ok $kind catches $(basename "$1" .patch)"
	else
		echo "FAIL $kind does not catch $(basename "$1" .patch); see $work/$name.console"
	fi
}

for part in $parts; do
	case $kind-$part in
	*-storm | kasan-checks) suite "$kind-$part" "$part" ;;
	kcsan-checks) suite kcsan-race race ;;
	*-faults) for patch in "$tests/faults/$kind"/*.patch; do fault "$patch"; done ;;
	esac
done
