#!/usr/bin/env bash
# Static checks of the module's C: warnings (W=1), sparse, checkpatch.
set -euo pipefail

tests=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
module=$(cd "$tests/.." && pwd)
# shellcheck source=lib/cache.sh
. "$tests/lib/cache.sh"
# shellcheck source=lib/source.sh
. "$tests/lib/source.sh"
mkdir -p "$CACHE"

usage() {
	cat <<-'END'
		usage: static.sh NAME...     NAME: 5.10, 6.1, 6.12, newest, or 6.1-arm64 and the like (cross-compiled)

		Builds for each kernel with W=1, and with sparse where it is installed; a warning fails. checkpatch --strict runs
		once over the sources. Kbuild must refuse a 32-bit kernel.
	END
}

# complaints FILE: compiler and sparse messages about the module's own files.
complaints() { grep -E '(^|/)[a-z/]+\.[ch]:[0-9]+(:[0-9]+)?: (warning|error)' "$1" | grep -v '/usr/src/\|linux-headers' || true; }

# build_check NAME LABEL MAKE-ARGUMENTS...
build_check() {
	local name=$1 label=$2 log=$CACHE/static-$1.log
	shift 2
	if ! "$tests/lib/build.sh" "$name" "$@" >/dev/null 2>"$log"; then
		echo "FAIL static $name $label: see $log"
	elif [ "$label" = sparse ] && ! grep -q '^ *CHECK ' "$log"; then
		echo "FAIL static $name $label: it was not run; see $log"
	elif [ -n "$(complaints "$log")" ]; then
		echo "FAIL static $name $label: $(complaints "$log" | head -n 1)"
		complaints "$log" >&2
	else
		echo "ok static $name $label"
	fi
}

# version_check NAME: what the module that was just built tells of itself, beside the file that the suite's version is compared with.
version_check() {
	local version expected
	version=$(/sbin/modinfo -F version "$CACHE/build/$1/sysinfo_gestor.ko" || true)
	expected=$(cat "$module/VERSION")
	if [ "$version" = "$expected" ]; then
		echo "ok static $1 modinfo tells version $expected"
	else
		echo "FAIL static $1 modinfo tells version ${version:-nothing}, want $expected"
	fi
}

# checkpatch: the script comes with the kernel's sources only (140 MB), which are fetched for it in CI alone.
checkpatch() {
	local script files
	if [ "${CI:-}" = true ]; then
		script=$(checkpatch_script fetch 2>"$CACHE/fetch.log") ||
			{ echo "FAIL static checkpatch: no kernel sources: $(tail -n 1 "$CACHE/fetch.log")" && return; }
	elif ! script=$(checkpatch_script); then
		echo "skip static checkpatch: no kernel sources in the cache; scripts/module-test.sh --debug, or CI=true, fetches them" && return
	fi
	mapfile -t files < <(cd "$module" && find . -maxdepth 2 \( -name '*.c' -o -name '*.h' \) ! -path './tests/*' ! -name '*.mod.c')
	if (cd "$module" && perl "$script" --no-tree --strict --terse --max-line-length=120 -f "${files[@]}") >"$CACHE/checkpatch.log" 2>&1; then
		echo "ok static checkpatch --strict"
	else
		echo "FAIL static checkpatch --strict: see $CACHE/checkpatch.log"
		cat "$CACHE/checkpatch.log" >&2
	fi
}

# kbuild CONFIGURATION…: what Kbuild says when it is read with these answers of a kernel's configuration.
kbuild() { make -n -C "$module" -f Kbuild src=. srctree=. CONFIG_MODULES=y "$@" 2>&1 || true; }

# A 32-bit kernel is refused with a sentence, before anything is compiled.
refuses_32bit() {
	if kbuild | grep -q 'needs a 64-bit kernel' && ! kbuild CONFIG_64BIT=y | grep -q 'needs a 64-bit kernel'; then
		echo "ok static 32-bit kernels are refused"
	else
		echo "FAIL static 32-bit kernels are refused: Kbuild says $(kbuild | tail -n 1)"
	fi
}

if [ $# -eq 0 ] || [ "$1" = --help ]; then usage && exit 0; fi
refuses_32bit
for name in "$@"; do
	if [[ $name == *-arm64 && $name != newest* ]] && ! command -v aarch64-linux-gnu-gcc-12 >/dev/null; then
		echo "skip static $name: gcc-12-aarch64-linux-gnu is not installed" && continue
	fi
	if [[ $name == 5.10 ]] && ! command -v gcc-12 >/dev/null; then
		echo "skip static $name: gcc-12 is not installed" && continue
	fi
	if ! "$tests/lib/kernels.sh" "$name" >/dev/null 2>"$CACHE/fetch.log"; then
		echo "skip static $name: its headers could not be fetched: $(tail -n 1 "$CACHE/fetch.log")" && continue
	fi
	build_check "$name" "W=1" W=1
	version_check "$name"
	if [[ $name == newest* ]]; then
		echo "skip static $name sparse: Debian's (0.6.4) does not know the __typeof_unqual__ of this kernel's headers"
	elif ! command -v sparse >/dev/null; then
		echo "skip static $name sparse: not installed"
	else
		build_check "$name" "sparse" C=2
	fi
done
checkpatch
