#!/bin/sh
# Which compiler a kernel was built with: a module wants the same kind and, where it can be had, the same version.
set -eu

usage() {
	cat <<'END'
usage: compiler.sh [--name] KDIR

Prints what make has to be told for the kernel whose headers are in KDIR: LLVM=1 or LLVM=-18 for one built by clang, CC=gcc-13
where that is not what `gcc` is here, else nothing. --name prints the compiler's name instead, gcc-13 or clang-18, whether it is
here or not; without headers that of the running kernel.
END
}

# recorded NAME: a value of the kernel's configuration.
recorded() { cat "$kdir/.config" "$kdir/include/config/auto.conf" 2>/dev/null | sed -n "s/^CONFIG_$1=//p" | head -n 1 | tr -d '"'; }

have() { command -v "$1" >/dev/null 2>&1; }

# major COMMAND: its version's first number.
major() { "$1" -dumpversion 2>/dev/null | cut -d. -f1; }

# of_running sets kind, version and word from the line in which a kernel tells what built it.
of_running() {
	line=$(cat "${GESTOR_HOST_ROOT:-}/proc/version" 2>/dev/null || true)
	case $line in
	*'clang version'*)
		kind=clang word=clang
		version=$(echo "$line" | sed -n 's/.*clang version \([0-9]*\).*/\1/p')
		;;
	*)
		kind=gcc
		word=$(echo "$line" | sed -n 's/^[^(]*([^)]*) (\([^ ()]*gcc[^ ()]*\) .*/\1/p')
		version=$(echo "$line" | sed -n 's/^[^(]*([^)]*) ([^ ()]*gcc[^ ()]* ([^)]*) \([0-9]*\)\..*/\1/p')
		;;
	esac
}

# of_headers sets the same from the kernel's configuration; status 1 where KDIR has none.
of_headers() {
	text=$(recorded CC_VERSION_TEXT)
	word=${text%% *}
	if [ -n "$(recorded CC_IS_CLANG)" ]; then
		kind=clang word=clang version=$(recorded CLANG_VERSION)
	else
		kind=gcc version=$(recorded GCC_VERSION)
	fi
	[ -n "$version" ] || return 1
	version=$((version / 10000))
}

name=no
case ${1:-} in
--help | -h | '') usage && exit 0 ;;
--name) name=yes && shift ;;
esac
kdir=$1
of_headers || of_running

if [ "$name" = yes ]; then
	echo "$kind${version:+-$version}"
elif [ "$kind" = clang ]; then
	# Numbered tools go with LLVM=-N.
	if have "clang-$version" && { ! have clang || [ "$(major clang)" != "$version" ]; }; then echo "LLVM=-$version"; else echo LLVM=1; fi
elif [ -e "$kdir/.kernelvariables" ]; then
	: # Debian's headers name their compiler themselves and depend on its package
elif [ "$word" != gcc ] && have "$word"; then
	echo "CC=$word"
elif [ -n "$version" ] && [ "$(major gcc)" != "$version" ] && have "gcc-$version"; then
	echo "CC=gcc-$version"
elif [ -n "$version" ] && have gcc && [ "$(major gcc)" != "$version" ]; then
	echo "compiler.sh: the kernel was built with gcc $version, this is gcc $(major gcc): if the build fails, install gcc $version" >&2
fi
