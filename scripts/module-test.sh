#!/usr/bin/env bash
# Tests the kernel module: in user space, by static checks, and in real kernels booted under qemu.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: scripts/module-test.sh [--quick] [--boot NAMES] [--storm] [--debug] [--cost] [--guest] [--all]

  --quick        user-space tests of the code that needs no kernel (sanitizers, random input), and the static checks:
                 builds for 5.10 and 6.1 with W=1, sparse and checkpatch where headers can be had
  --boot NAMES   builds for and boots these kernels, cgroup v2 and v1: 5.10, 6.1, 6.12, newest; separated by commas
  --debug        builds (once, about 5 minutes) and boots a kernel with KASAN, lockdep, PROVE_RCU and kmemleak: every
                 check, a storm, and injected faults that it must catch; then the same with a kernel that looks for data
                 races (KCSAN)
  --storm        of --debug only a storm of 30 s in the first of the two kernels
  --cost         instructions that a read costs, against reading cgroup files and /proc; fails above the budget
  --guest        a whole Debian guest with systemd and Docker
  --all          --quick, the four kernels, --debug, --cost and --guest
  (nothing)      --quick and --boot 6.1,newest

Prints a line for each check (ok, FAIL, skip with the reason) and the totals. Kernels, consoles and builds are kept in
.cache/kernel (GESTOR_KERNEL_CACHE names another folder). What the checks need is installed when root runs them.
TEXT
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
tests=$root/kernel-module/tests
# shellcheck source=scripts/lib/log.sh
. "$root/scripts/lib/log.sh"
# shellcheck source=scripts/lib/apt.sh
. "$root/scripts/lib/apt.sh"

results=$(mktemp)
trap 'rm -f "$results"' EXIT

# record COMMAND…: runs it, shows its lines and keeps them for the totals. A status other than 0 fails too.
record() {
  local status=0
  "$@" | tee -a "$results" || status=$?
  if [ "$status" -ne 0 ]; then echo "FAIL $(basename "$1") ended with status $status" | tee -a "$results"; fi
}

# need COMMAND PACKAGE…: installs the packages when the command is missing; false when that cannot be done.
need() {
  local command=$1
  shift
  have "$command" && return 0
  [ "$(id -u)" -eq 0 ] && have apt-get || return 1
  apt_install "$@" >&2 || return 1
  have "$command"
}

quick() {
  if need gcc gcc libc6-dev && need go golang-go; then
    record "$tests/user.sh"
  else
    record echo "skip user-space tests: gcc and go are needed"
  fi
  need sparse sparse || true # static.sh says that it is missing
  need gcc-12 gcc-12 || true # what 5.10 is built with
  record "$tests/static.sh" 5.10 6.1
}

# in_machine WHAT COMMAND…: runs what needs a virtual machine, or says what is missing for it.
in_machine() {
  if ! need qemu-system-x86_64 qemu-system-x86 || ! need cpio cpio || ! need mmdebstrap mmdebstrap || ! need xz xz-utils; then
    record echo "skip $1: qemu-system-x86, cpio, mmdebstrap and xz-utils are needed (apt-get install)"
    return 0
  fi
  record "${@:2}"
}

boot() { in_machine "booted kernels" "$tests/boot.sh" --rounds "$1" "${@:2}"; }
debug() {
  in_machine "debug kernel" "$tests/debug.sh" kasan
  in_machine "debug kernel for data races" "$tests/debug.sh" kcsan
}
storm() { in_machine "debug kernel" "$tests/debug.sh" --part storm --seconds 30 kasan; }
cost() { in_machine "instruction budget" "$tests/cost.sh"; }
guest() { in_machine "guest" "$tests/guest.sh"; }

totals() {
  local passed failed skipped
  passed=$(grep -c '^ok ' "$results") || true
  failed=$(grep -c '^FAIL ' "$results") || true
  skipped=$(grep -c '^skip ' "$results") || true
  echo "$passed passed, $failed failed, $skipped skipped"
  [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}

if [ $# -eq 0 ]; then set -- --quick --boot 6.1,newest; fi
while [ $# -gt 0 ]; do
  case $1 in
  --quick) quick ;;
  --boot)
    [ $# -gt 1 ] || die "--boot wants names: --boot 6.1,newest"
    IFS=, read -ra names <<<"$2"
    boot 50 "${names[@]}"
    shift
    ;;
  --storm) storm ;;
  --debug) debug ;;
  --cost) cost ;;
  --guest) guest ;;
  --all)
    quick
    boot 1000 5.10 6.1 6.12 newest
    debug
    cost
    guest
    ;;
  --help | -h) usage && exit 0 ;;
  *) usage >&2 && die "no such option: $1" ;;
  esac
  shift
done
totals
