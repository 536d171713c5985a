#!/usr/bin/env bash
# Builds the module for one of the kernels of kernels.sh, outside the source tree.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source_dir=$(cd "$here/../.." && pwd)
# shellcheck source=cache.sh
. "$here/cache.sh"

usage() {
	cat <<-'END'
		usage: build.sh NAME [MAKE ARGUMENTS...]     NAME as for kernels.sh; W=1, C=2 and the like are passed on

		Prints the compiler's output on stderr and the path of sysinfo_gestor.ko on stdout.
		GESTOR_PATCH     a patch to put onto the copy that is built (the faults of the debug tests)
		GESTOR_KDIR      a configured kernel tree to build for instead of NAME's headers; NAME then only names the output
	END
}

# stage NAME: a copy of the sources, so that builds for several kernels do not disturb each other.
stage() {
	local out=$CACHE/build/$1
	rm -rf "$out"
	mkdir -p "$out"
	make -s -C "$source_dir" copy TO="$out"
	if [ -n "${GESTOR_PATCH:-}" ]; then patch -s -d "$out" -p1 <"$GESTOR_PATCH"; fi
	echo "$out"
}

# compiler NAME BUILD: what make needs to be told about the compiler.
compiler() {
	case $1 in
	newest-arm64) echo "ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu- CC=aarch64-linux-gnu-gcc-14" ;;
	*-arm64) echo "ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu- CC=aarch64-linux-gnu-gcc-12" ;;
	5.10*) echo CC=gcc-12 ;;
	esac
}

# in_toolchain ROOT COMMAND...: runs the command as it is, or in a chroot that sees the cache at its own path.
in_toolchain() {
	local root=$1
	shift
	if [ "$root" = / ]; then "$@" && return; fi
	mkdir -p "$root$CACHE" "$root/proc"
	# shellcheck disable=SC2016 # the inner shell expands them
	unshare -m sh -c 'mount --bind "$2" "$1$2" && mount -t proc proc "$1/proc" && root=$1 && shift 2 && exec chroot "$root" "$@"' \
		sh "$root" "$CACHE" "$@"
}

if [ $# -eq 0 ] || [ "$1" = --help ]; then usage && exit 0; fi
name=$1
shift
if [ -n "${GESTOR_KDIR:-}" ]; then
	build=$GESTOR_KDIR toolchain=/
else
	read -r _ _ build _ _ toolchain < <("$here/kernels.sh" "$name")
fi
out=$(stage "$name")
read -ra cc < <(compiler "$name"; echo)
in_toolchain "$toolchain" nice make -C "$build" M="$out" "${cc[@]}" CONFIG_DEBUG_INFO_BTF_MODULES= "$@" modules >&2
echo "$out/sysinfo_gestor.ko"
