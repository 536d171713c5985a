#!/usr/bin/env bash
# Builds a kernel that watches itself, from Debian's source package, and keeps it in .cache/kernel.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=cache.sh
. "$here/cache.sh"
# shellcheck source=source.sh
. "$here/source.sh"

usage() {
	cat <<-'END'
		usage: debug-kernel.sh kasan|kcsan

		Prints the folder of the built kernel (arch/x86/boot/bzImage in it; also what modules are built against). The first
		call takes about five minutes on two cores; later calls reuse the result while tests/config is unchanged.
	END
}

if [ $# -eq 0 ] || [ "$1" = --help ]; then usage && exit 0; fi
kind=$1
mkdir -p "$CACHE"
out=$CACHE/debug-$kind
wanted=$(cat "$here/../config/base.config" "$here/../config/$kind.config" | sha256sum)
if [ "$(cat "$out/.complete" 2>/dev/null)" != "$wanted" ]; then
	tree=$(source_tree)
	rm -rf "$out"
	mkdir -p "$out"
	{
		make -C "$tree" O="$out" tinyconfig
		(cd "$out" && "$tree/scripts/kconfig/merge_config.sh" -m .config "$here/../config/base.config" "$here/../config/$kind.config")
		make -C "$tree" O="$out" olddefconfig
		nice make -C "$tree" O="$out" -j"$(nproc)" bzImage modules
	} >"$CACHE/debug-$kind.log" 2>&1 || { tail -n 20 "$CACHE/debug-$kind.log" >&2 && exit 1; }
	echo "$wanted" >"$out/.complete"
fi
echo "$out"
