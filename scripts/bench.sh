#!/usr/bin/env bash
# Benchmarks of every module, repeated, summed up, and kept for comparison.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: scripts/bench.sh [PATTERN]

Runs the Go benchmarks whose name matches PATTERN (default: all) and prints benchstat's summary. The raw figures are
kept in .cache/bench; when an earlier run is there the two are compared. Without a PATTERN the log service is then measured
side by side with VictoriaLogs, built from its Go module. docs/benchmarks.md tells what the figures mean.

GESTOR_BENCH_COUNT     runs of each benchmark (default 5)
GESTOR_BENCH_RECORDS   records that the two log stores are asked about (default 1000000)
TEXT
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib/log.sh
. "$root/scripts/lib/log.sh"
# shellcheck source=scripts/lib/go.sh
. "$root/scripts/lib/go.sh"
# shellcheck source=scripts/lib/tools.sh
. "$root/scripts/lib/tools.sh"

case ${1:-} in
  -h | --help) usage && exit 0 ;;
  -*) usage >&2 && exit 2 ;;
esac
cd "$root"
scripts/ensure.sh go
use_go
build_tools benchstat
mkdir -p .cache/bench
before=$(find .cache/bench -name '*.txt' | sort | tail -n 1)
now=.cache/bench/$(date -u +%Y%m%dT%H%M%SZ).txt
mapfile -t patterns < <(go list -m -f '{{.Path}}/...' | grep -v '/tools/')
go test -run '^$' -bench "${1:-.}" -benchmem -count "${GESTOR_BENCH_COUNT:-5}" -timeout 60m "${patterns[@]}" |
  tee "$now" | grep -E '^(Benchmark|pkg:|FAIL)' || die "a benchmark failed, or none matches ${1:-.}: see $now"
printf '\n'
bin/benchstat ${before:+"$before"} "$now"
if [ $# -eq 0 ]; then
  beside=$root/${now%.txt}-records.md
  step "the log service beside VictoriaLogs (minutes)" \
    env -C e2e go run ./bench -records "${GESTOR_BENCH_RECORDS:-1000000}" -out "$beside" || die "the comparison broke: see above"
  cat "$beside"
fi
