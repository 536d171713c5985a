# shellcheck shell=bash
# A private apt: downloads packages of any Debian suite without touching the host's sources, lists or packages.
# Sourced by the scripts beside it; CACHE must name a folder that may be kept between runs.

debian_mirror=${GESTOR_DEBIAN_MIRROR:-http://deb.debian.org}
debian_keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# debian_sources SUITE: the sources.list lines that the suite's kernels come from.
debian_sources() {
	local d="deb [signed-by=$debian_keyring] $debian_mirror/debian"
	local s="deb [signed-by=$debian_keyring] $debian_mirror/debian-security"
	case $1 in
	bullseye) echo "$s bullseye-security main" ;;
	bookworm) printf '%s\n' "$d bookworm main" "$s bookworm-security main" ;;
	trixie) printf '%s\n' "$d trixie main" "$s trixie-security main" ;;
	trixie-backports) echo "$d trixie-backports main" ;;
	*) echo "debian: no such suite: $1" >&2 && return 1 ;;
	esac
}

# debian_apt SUITE COMMAND ARGUMENTS...: one apt call (apt-get or apt-cache) with the private lists of SUITE.
# GESTOR_ARCH chooses another architecture than amd64.
debian_apt() {
	local suite=$1 command=$2 arch=${GESTOR_ARCH:-amd64} dir
	dir=$CACHE/apt/$suite-$arch
	shift 2
	mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
	debian_sources "$suite" >"$dir/sources.list"
	"$command" -q -o Dir::Etc::SourceList="$dir/sources.list" -o Dir::Etc::SourceParts=/dev/null \
		-o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null \
		-o Dir::State::Lists="$dir/lists" -o Dir::Cache="$dir/cache" -o Dir::State::status=/dev/null \
		-o APT::Architecture="$arch" -o APT::Architectures="$arch" -o Acquire::Languages=none \
		-o APT::Sandbox::User=root -o Acquire::Retries=3 -o pkgCacheGen::Essential=none "$@"
}

# debian_update SUITE: fetches the lists, at most once in twelve hours.
debian_update() {
	local stamp=$CACHE/apt/$1-${GESTOR_ARCH:-amd64}/updated
	if [ -n "$(find "$stamp" -mmin -720 2>/dev/null)" ]; then return; fi
	debian_apt "$1" apt-get update >/dev/null
	touch "$stamp"
}

# debian_depends SUITE PACKAGE PATTERN: the first dependency of PACKAGE whose name matches the extended pattern.
debian_depends() {
	debian_apt "$1" apt-cache depends --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
		--no-enhances "$2" | sed -n 's/^ *|\?Depends: <\?\([^>]*\)>\?$/\1/p' | grep -E "$3" | sed -n 1p
}

# debian_extract SUITE FOLDER PACKAGES...: downloads the packages and unpacks them into FOLDER.
debian_extract() {
	local suite=$1 folder=$2 work
	shift 2
	work=$(mktemp -d "$CACHE/download.XXXXXX")
	(cd "$work" && debian_apt "$suite" apt-get download "$@" >/dev/null)
	mkdir -p "$folder"
	local package
	for package in "$work"/*.deb; do dpkg-deb -x "$package" "$folder"; done
	rm -rf "$work"
}
