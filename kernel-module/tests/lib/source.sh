# shellcheck shell=bash
# The kernel's sources, from Debian's package of them (140 MB). Sourced after cache.sh, whose CACHE it uses.

# shellcheck source=debian.sh
. "$(dirname "${BASH_SOURCE[0]}")/debian.sh"
series=6.12

# extract_source DIRECTORY [MEMBER…]: the whole tree, or those files of it, whole or not at all. It is called in conditions
# too, where no failing command would end it: so each waits for the one before.
extract_source() {
	local directory=$1 archive
	shift
	rm -rf "$directory" "$directory.part" &&
		debian_update bookworm && debian_extract bookworm "$CACHE/source-package" "linux-source-$series" &&
		archive=$(find "$CACHE/source-package/usr/src" -name "linux-source-$series.tar.*") &&
		mkdir -p "$directory.part" &&
		tar -C "$directory.part" --strip-components=1 -xf "$archive" "${@/#/linux-source-$series/}" &&
		mv "$directory.part" "$directory" &&
		rm -rf "$CACHE/source-package"
}

# source_tree prints where the sources are, and fetches them when they are not there.
source_tree() {
	if [ ! -e "$CACHE/source-$series/Makefile" ]; then extract_source "$CACHE/source-$series" >&2 || return 1; fi
	echo "$CACHE/source-$series"
}

# checkpatch_script prints where checkpatch.pl is: in the sources when they are there, else by itself; with "fetch" it is
# fetched when there is neither.
checkpatch_script() {
	local directory
	for directory in "$CACHE/source-$series" "$CACHE/checkpatch"; do
		if [ -e "$directory/scripts/checkpatch.pl" ]; then echo "$directory/scripts/checkpatch.pl" && return; fi
	done
	[ "${1:-}" = fetch ] || return 1
	extract_source "$CACHE/checkpatch" scripts/{checkpatch.pl,spelling.txt,const_structs.checkpatch} >&2 || return 1
	echo "$CACHE/checkpatch/scripts/checkpatch.pl"
}
