#!/usr/bin/env bash
# Fetches the kernels that the tests build for and boot: headers, image and modules from Debian's packages,
# unpacked under .cache/kernel (nothing is installed). See --help.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=cache.sh
. "$here/cache.sh"
# shellcheck source=debian.sh
. "$here/debian.sh"

usage() {
	cat <<-'END'
		usage: kernels.sh NAME...      NAME: 5.10, 6.1, 6.12, newest (add -arm64 for headers to cross-compile with)

		Prints for each NAME one line: NAME RELEASE BUILD VMLINUZ MODULES TOOLCHAIN
		  BUILD      folder to give to make as KDIR, as seen inside TOOLCHAIN
		  VMLINUZ    kernel image, - for the -arm64 names
		  MODULES    the kernel's own modules, - for the -arm64 names
		  TOOLCHAIN  root folder in which to compile: / or a chroot
	END
}

# suite_of NAME: the Debian suite that carries the kernel.
suite_of() {
	case $1 in
	5.10) echo bullseye ;;
	6.1 | 6.12) echo bookworm ;;
	newest) echo trixie-backports ;;
	*) echo "kernels: no such kernel: $1; one of 5.10, 6.1, 6.12, newest" >&2 && return 1 ;;
	esac
}

# meta_of NAME KIND ARCH: the meta package that points at the suite's current kernel. KIND is headers or image.
meta_of() {
	local flavour=cloud-$3
	if [ "$3" = arm64 ]; then flavour=arm64; fi
	case $1 in
	6.12) echo "linux-$2-6.12-$flavour" ;;
	*) echo "linux-$2-$flavour" ;;
	esac
}

# parts_of SUITE PACKAGE: the package and those of its dependencies that hold files of the same kernel.
parts_of() {
	echo "$2"
	debian_apt "$1" apt-cache depends --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
		--no-enhances "$2" | sed -n 's/^ *|\?\(Pre\)\?Depends: <\?\([^>]*\)>\?$/\2/p' |
		grep -E '^linux-(headers|kbuild|binary|modules)-[0-9]' || true
}

# fetch_parts SUITE FOLDER META: unpacks what META leads to, without the packages for another machine.
fetch_parts() {
	local package parts
	debian_update "$1"
	package=$(debian_depends "$1" "$3" '^linux-(headers|image)-[0-9]')
	mapfile -t parts < <(parts_of "$1" "$package" | grep -vE "${4:-^$}" | sort -u)
	debian_extract "$1" "$2" "${parts[@]}"
}

# reroot FOLDER: the flavour's Makefile names /usr/src and /usr/lib; the tree was unpacked elsewhere.
reroot() {
	local makefile link
	for makefile in "$1"/usr/src/linux-headers-*/Makefile; do
		sed -i "s#\([ =]\)/usr/src/#\1$1/usr/src/#g; s#\([ =]\)/usr/lib/linux-kbuild#\1$1/usr/lib/linux-kbuild#g" "$makefile"
	done
	for link in "$1"/usr/src/linux-headers-*/{scripts,tools}; do
		if [ -L "$link" ] && [[ $(readlink "$link") == /* ]]; then ln -sfn "$1$(readlink "$link")" "$link"; fi
	done
}

# toolchain NAME: the folder in which the kernel's build tools can run: kbuild's programs want the C library of the
# suite they were built in, so newer kernels are compiled in a chroot of that suite.
toolchain() {
	if [[ $1 != newest* ]]; then echo / && return; fi
	local root=$CACHE/toolchain-trixie
	local packages=base-files,coreutils,dash,bash,grep,sed,mawk,findutils,gcc-14,make,libelf1t64,libssl3t64,zlib1g,perl-base
	if [[ $1 == *-arm64 ]]; then
		root+=-arm64
		packages+=,gcc-14-aarch64-linux-gnu
	fi
	if [ ! -e "$root/.complete" ]; then
		rm -rf "$root"
		mmdebstrap --quiet --variant=extract --include="$packages" trixie "$root" "$debian_mirror/debian" >&2
		ln -sf mawk "$root/usr/bin/awk"
		mkdir -p "$root$CACHE" "$root/work"
		touch "$root/.complete"
	fi
	echo "$root"
}

fetch_amd64() {
	local name=$1 folder=$2 suite
	suite=$(suite_of "$name")
	fetch_parts "$suite" "$folder" "$(meta_of "$name" headers amd64)"
	fetch_parts "$suite" "$folder" "$(meta_of "$name" image amd64)"
}

# An arm64 tree compiles on amd64 with arm64's configuration and amd64's build programs of the same version.
fetch_arm64() {
	local name=$1 folder=$2 suite kbuild
	suite=$(suite_of "$name")
	GESTOR_ARCH=arm64 fetch_parts "$suite" "$folder" "$(meta_of "$name" headers arm64)" '^linux-kbuild'
	kbuild=$(GESTOR_ARCH=arm64 parts_of "$suite" \
		"$(GESTOR_ARCH=arm64 debian_depends "$suite" "$(meta_of "$name" headers arm64)" '^linux-headers-[0-9]')" |
		grep '^linux-kbuild')
	debian_update "$suite"
	debian_extract "$suite" "$folder" "$kbuild"
}

fetch() {
	local name=$1 folder=$CACHE/kernels/$1
	if [ -e "$folder/.complete" ]; then return; fi
	rm -rf "$folder"
	mkdir -p "$folder"
	if [[ $name == *-arm64 ]]; then
		fetch_arm64 "${name%-arm64}" "$folder"
	else
		fetch_amd64 "$name" "$folder"
	fi
	reroot "$folder"
	touch "$folder/.complete"
}

# describe NAME: the line that the help text promises.
describe() {
	local name=$1 folder=$CACHE/kernels/$1 build image=- modules=-
	build=$(find "$folder"/usr/src -maxdepth 1 -name 'linux-headers-*' ! -name '*-common*' | sort -V | tail -1)
	if [[ $name != *-arm64 ]]; then
		image=$(find "$folder" -maxdepth 5 -type f -name 'vmlinuz*' | sort -V | tail -1)
		modules=$(find "$folder" -maxdepth 4 -path '*lib/modules/*' ! -path '*/modules/*/*' | sort -V | tail -1)
	fi
	echo "$name ${build##*linux-headers-} $build $image $modules $(toolchain "$name")"
}

if [ $# -eq 0 ] || [ "$1" = --help ]; then usage && exit 0; fi
mkdir -p "$CACHE"
for kernel in "$@"; do
	fetch "$kernel"
	describe "$kernel"
done
