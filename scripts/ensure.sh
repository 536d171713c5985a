#!/usr/bin/env bash
# Checks that what Gestor needs is on this host, and installs what is missing.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: scripts/ensure.sh THING…

Checks each thing in order and installs it where it is missing (root, Debian or Ubuntu). A thing that is there costs
nothing. Without root it ends with the command that root has to run.

  docker       a Docker Engine that answers: installs docker.io and starts it, with systemd or without
  compose      docker compose 2 or later as a plugin of the docker command
  go           Go 1.26 or later, or an older one that fetches it
  test-tools   what the test suite needs besides Go: a C compiler, make, jq, shellcheck, bats, debootstrap
  lint-tools   the pinned linters and checkers of tools/, built into ./bin
  chromium     the browser of the page's end-to-end tests
  podman       podman 4.3 or later and runc, for the tests against it; its service is not started
  qemu         what the kernel module's boot tests need: qemu, busybox, kernel package tools
  doctor       installs nothing; tells what is there and what is missing
TEXT
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib/log.sh
. "$root/scripts/lib/log.sh"
# shellcheck source=scripts/lib/apt.sh
. "$root/scripts/lib/apt.sh"
# shellcheck source=scripts/lib/go.sh
. "$root/scripts/lib/go.sh"
# shellcheck source=scripts/lib/engine.sh
. "$root/scripts/lib/engine.sh"
# shellcheck source=scripts/lib/compose.sh
. "$root/scripts/lib/compose.sh"
# shellcheck source=scripts/lib/dotenv.sh
. "$root/scripts/lib/dotenv.sh"
# shellcheck source=scripts/lib/host_form.sh
. "$root/scripts/lib/host_form.sh"
# shellcheck source=scripts/lib/policy.sh
. "$root/scripts/lib/policy.sh"
# shellcheck source=scripts/lib/notices.sh
. "$root/scripts/lib/notices.sh"
# shellcheck source=scripts/lib/tools.sh
. "$root/scripts/lib/tools.sh"
umask 022 # what is installed is for everybody on this host

ensure_go() {
  use_go && return 0
  apt_install golang-go ca-certificates
  use_go && return 0
  fetch_go && use_go && return 0
  die "no Go $go_wanted or later, and none of this host's versions can fetch $go_toolchain: install Go $go_wanted into /usr/local/go and run again"
}

ensure_test_tools() {
  apt_install gcc g++ libc6-dev make jq shellcheck bats debootstrap curl ca-certificates procps iproute2
}

ensure_chromium() {
  have chromium || have chromium-browser || have google-chrome && return 0
  if [ "$(host_id)" = ubuntu ]; then
    die "Ubuntu's chromium package is a snap: install Google Chrome or a chromium package and run again"
  fi
  apt_install chromium fonts-dejavu-core
}

# podman_version prints the number alone; nothing when there is no podman. Asking for more than that would have podman make its
# storage.
podman_version() { have podman && podman --version | sed -nE 's/^podman version ([0-9.]+).*/\1/p'; }

# podman_words prints what doctor says of podman. It prefers crun where that is installed, which starts nothing on cgroup v1.
podman_words() {
  local version
  version=$(podman_version) || return 0
  if have crun && [ ! -e "${cgroup_root:-/sys/fs/cgroup}/cgroup.controllers" ]; then
    version+=", but crun starts no containers on cgroup v1: set runtime = \"runc\" under [engine] in /etc/containers/containers.conf"
  fi
  printf '%s\n' "$version"
}

ensure_podman() {
  local version
  apt_install podman runc
  version=$(podman_version)
  [[ $version =~ ^([5-9]|[1-9][0-9])\. || $version =~ ^4\.([3-9]|[1-9][0-9]) ]] ||
    die "podman ${version:-of an unknown version} is older than 4.3: install podman 4.3 or later (Debian 12, Ubuntu 24.04) and run again"
}

ensure_qemu() {
  apt_install qemu-system-x86 busybox-static cpio kmod xz-utils zstd gcc make libelf-dev bc flex bison e2fsprogs
}

# doctor prints a line per thing, and returns 1 when something that `make up` needs is missing.
doctor() {
  local gaps=0 problem version
  version=$(engine_version)
  report docker "${version:-missing: $(engine_problem)}"
  [ -n "$version" ] || gaps=1
  if find_engine 2>/dev/null && [ "$engine_source" != default ]; then report engine "$engine_address ($engine_source)"; fi
  report compose "$(compose_version)" || gaps=1
  if compose_serves && { ! problem=$(policy_problem) || [ -n "$problem" ]; }; then
    report policy "${problem:-its settings cannot be read, see above}"
    gaps=1
  fi
  if compose_serves && { ! problem=$(notices_problem) || [ -n "$problem" ]; }; then
    report notices "${problem:-its settings cannot be read, see above}"
    [[ $problem == 'the URL'* ]] || gaps=1
  fi
  report go "$(use_go && go version | cut -d' ' -f3)" || true
  report shellcheck "$(command -v shellcheck)" || true
  report bats "$(command -v bats)" || true
  report chromium "$(command -v chromium || command -v chromium-browser || command -v google-chrome)" || true
  report podman "$(podman_words)" || true
  report qemu "$(command -v qemu-system-x86_64)" || true
  report lint-tools "$(find "$root/bin" -type f -printf '%f ' 2>/dev/null)" || true
  report kernel-module "$(cd /proc && ls -d sysinfo_* 2>/dev/null)" || true
  return "$gaps"
}

report() {
  printf '%-14s %s\n' "$1" "${2:-missing}"
  [ -n "$2" ]
}

[ $# -gt 0 ] || { usage >&2 && exit 2; }
for thing in "$@"; do
  case $thing in
    docker) ensure_engine ;;
    compose) ensure_engine && ensure_compose ;;
    go) ensure_go ;;
    test-tools) ensure_test_tools ;;
    lint-tools) ensure_go && ensure_test_tools && build_tools all ;;
    chromium) ensure_chromium ;;
    podman) ensure_podman ;;
    qemu) ensure_qemu ;;
    doctor) doctor || die "something that 'make up' needs is not there: it installs what it can, and ends with the command for the rest" ;;
    -h | --help) usage ;;
    *) usage >&2 && die "unknown thing $thing" ;;
  esac
done
