#!/usr/bin/env bash
# Holds many histories of version 1 policies against the code that decided them before (package oracle), whose plans the rules must make byte for byte.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: scripts/verify-v1.sh [HISTORIES [SEED]]

Draws HISTORIES (default 1000000) histories of a host from SEED (default: the time in seconds) and compares every plan that the rules
make of a version 1 policy with the plan of the code before them. Prints seed and count first. What came of it is added to the table of
docs/benchmarks/version-1.md; a plan that differs is printed, and the exit status is 1.

A history that failed is drawn again by its seed, with as many histories as its number and one more.
TEXT
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib/log.sh
. "$root/scripts/lib/log.sh"
# shellcheck source=scripts/lib/go.sh
. "$root/scripts/lib/go.sh"

case ${1:-} in
  -h | --help) usage && exit 0 ;;
  -*) usage >&2 && exit 2 ;;
esac
histories=${1:-1000000}
seed=${2:-$(date +%s)}
[[ $histories =~ ^[0-9]+$ && $seed =~ ^[0-9]+$ ]] || { usage >&2 && exit 2; }

cd "$root"
scripts/ensure.sh go
use_go
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
revision=$(git describe --always --dirty)
go test -c -o "$work/rules.test" gestor.local/manager/internal/rules

say "$histories histories of seed $seed"
cd services/manager/internal/rules
TIMEFORMAT='%U %S'
{ time "$work/rules.test" -test.run '^TestVersionOneIsASpecialCase$' -test.v -test.timeout 0 \
  -histories "$histories" -history-seed "$seed" >"$work/out" 2>&1; } 2>"$work/time" || { cat "$work/out" && exit 1; }
cd "$root"

tally=$(grep -oE "$histories histories of seed $seed: .*" "$work/out")
read -r plans verdicts removals < <(sed -E 's/^[^:]*: ([0-9]+) plans, ([0-9]+) verdicts, ([0-9]+) removals$/\1 \2 \3/' <<<"$tally")
seconds=$(tail -n 1 "$work/time" | awk '{ printf "%.0f", $1 + $2 }')
line="| $(date -u +%F) | $revision | $seed | $histories | $plans | $verdicts | $removals | $seconds |"
echo "$line" >>docs/benchmarks/version-1.md
say "all plans are the same: $line"
