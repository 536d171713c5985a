#!/usr/bin/env bash
# Provides the base images that the Dockerfiles name: pulls them, and makes them here where no registry answers.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: scripts/base-images.sh [--local] [--list] [IMAGE…]

Makes sure that every base image named by a FROM line of the Dockerfiles (or the given ones) is in the local engine.
An image that is there stays as it is. A missing one is pulled; where that fails it is made on this host under its
ordinary name: debian:<release>-slim with debootstrap from the mirror of the host's apt, golang:<version>-<release> as
that plus the host's Go tree. Images made here carry the label gestor.base=local.

  --local   make the images here without asking a registry, also when they are there already
  --list    print the names of the base images and end

GESTOR_PULL_TIMEOUT    seconds that one pull may take (default 300; an unreachable registry fails at once)
GESTOR_DEBIAN_MIRROR   Debian archive for debootstrap (default: the one the host's apt is configured with)
TEXT
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib/log.sh
. "$root/scripts/lib/log.sh"
# shellcheck source=scripts/lib/apt.sh
. "$root/scripts/lib/apt.sh"
# shellcheck source=scripts/lib/go.sh
. "$root/scripts/lib/go.sh"

# base_names prints the images that the Dockerfiles build upon, without build stages and scratch.
base_names() {
  find "$root/services" "$root/stress-images" -name Dockerfile -exec cat {} + |
    awk '
      toupper($1) == "FROM" {
        for (i = 2; i <= NF && $i ~ /^--/; i++);
        named[$i] = 1
        if (toupper($(i + 1)) == "AS") stage[$(i + 2)] = 1
      }
      END { for (name in named) if (!(name in stage) && name != "scratch") print name }' |
    sort
}

present() { docker image inspect "$1" >/dev/null 2>&1; }

# pull IMAGE; the first refusal makes the later images skip the question.
pull() {
  [ "$registry" = no ] && return 1
  local reason
  say "pulling $1"
  reason=$(timeout "${GESTOR_PULL_TIMEOUT:-300}" docker pull -q "$1" 2>&1 >/dev/null) && return 0
  registry=no
  say "no registry gave $1, base images are made on this host (${reason:-no answer in time})"
  return 1
}

# make_debian IMAGE builds debian:<release>-slim with debootstrap.
make_debian() {
  local image=$1 release mirror keyring tree
  release=${image#debian:}
  release=${release%-slim}
  require_root "making $image with debootstrap" "scripts/base-images.sh"
  apt_install debootstrap debian-archive-keyring ca-certificates
  mirror=$(debian_mirror)
  keyring=$(debian_keyring)
  tree=$work/$release
  mkdir -p "$tree"
  # Without a configured Debian mirror (Ubuntu) debootstrap's own default serves.
  step "making $image: debootstrap of Debian $release" \
    debootstrap --variant=minbase --keyring="$keyring" "$release" "$tree" ${mirror:+"$mirror"} ||
    die "debootstrap of $release failed: check the network, or set GESTOR_DEBIAN_MIRROR to a Debian archive that answers"
  slim "$tree" "$release" "$mirror"
  step "making $image: import" import "$tree" "$image"
  rm -rf "$tree"
}

# slim TREE RELEASE MIRROR removes what the -slim images lack too, and lets apt and TLS inside the image work as on the host.
slim() {
  local tree=${1:?} release=$2 mirror=$3
  rm -rf "$tree"/var/cache/apt/* "$tree"/var/lib/apt/lists/* "$tree"/var/log/* \
    "$tree"/usr/share/{doc,man,info,locale,lintian}/* "$tree"/tmp/* "${tree:?}"/dev/*
  mkdir -p "$tree/var/cache/apt/archives/partial" "$tree/var/lib/apt/lists/partial"
  if [ -n "$mirror" ]; then
    printf 'deb %s %s main\n' "$mirror" "$release" >"$tree/etc/apt/sources.list"
  fi
  apt_host_options >"$tree/etc/apt/apt.conf.d/90host"
  # apt's binary caches would add 80 MB to every image that installs a package.
  printf '%s\n' 'Dir::Cache::pkgcache "";' 'Dir::Cache::srcpkgcache "";' 'Acquire::Languages "none";' \
    'APT::Install-Recommends "false";' 'DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb"; };' \
    >"$tree/etc/apt/apt.conf.d/91small"
  # A proxy's own certificate authority stands in the host's bundle; without it module downloads in a build fail.
  # The second copy survives an installation of ca-certificates in a later image.
  install -D -m 0644 /etc/ssl/certs/ca-certificates.crt "$tree/etc/ssl/certs/ca-certificates.crt"
  install -D -m 0644 /etc/ssl/certs/ca-certificates.crt "$tree/usr/local/share/ca-certificates/host.crt"
  rm -f "$tree/etc/resolv.conf" "$tree/etc/hostname"
}

import() {
  tar -C "$1" --numeric-owner -c . |
    docker import --change 'CMD ["bash"]' --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
      --change 'LABEL gestor.base=local' - "$2"
}

# make_go IMAGE builds golang:<version>-<release> from debian:<release>-slim and the Go tree of this host.
make_go() {
  local image=$1 release context
  release=${image##*-}
  provide "debian:$release-slim"
  use_go || "$root/scripts/ensure.sh" go
  use_go
  context=$work/go-image
  mkdir -p "$context"
  step "making $image: copying $(go version | cut -d' ' -f3)" copy_go "$(cd "$root/tools" && go env GOROOT)" "$context"
  printf '%s\n' "FROM debian:$release-slim" \
    'ENV PATH=/go/bin:/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin GOPATH=/go GOTOOLCHAIN=local' \
    'LABEL gestor.base=local' 'WORKDIR /go' 'ADD go.tar /usr/local/' >"$context/Dockerfile"
  step "making $image: build" docker build -q -t "$image" "$context"
  rm -rf "$context"
}

# copy_go GOROOT CONTEXT packs the tree as /usr/local/go; the toolchain's own tests stay out.
copy_go() {
  tar -C "$1" --exclude=./test --exclude=./api --exclude=./doc --transform 's,^\.,go,' \
    --owner=0 --group=0 --mode=u+w,a+rX -chf "$2/go.tar" .
}

# provide IMAGE pulls or makes one image unless it is there.
provide() {
  if [ "$force_local" = no ]; then
    present "$1" && return 0
    pull "$1" && return 0
  elif [[ " $made " == *" $1 "* ]]; then
    return 0
  fi
  case $1 in
    debian:*-slim) make_debian "$1" ;;
    golang:*-*) make_go "$1" ;;
    *) die "no registry gave $1 and this script cannot make it: load it with 'docker load' and run again" ;;
  esac
  made="$made $1"
}

force_local=no
registry=unknown
made=
names=()
for argument in "$@"; do
  case $argument in
    --local) force_local=yes ;;
    --list) base_names && exit 0 ;;
    -h | --help) usage && exit 0 ;;
    -*) usage >&2 && die "unknown option $argument" ;;
    *) names+=("$argument") ;;
  esac
done
[ ${#names[@]} -gt 0 ] || mapfile -t names < <(base_names)

umask 022 # an image made under another one has files, and a root, that its users may not read
work=$(mktemp -d "${TMPDIR:-/tmp}/gestor-base.XXXXXX")
trap 'rm -rf "$work"' EXIT
for name in "${names[@]}"; do provide "$name"; done
say "base images ready: ${names[*]}"
