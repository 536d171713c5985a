#!/usr/bin/env bash
# The long tests: those that ask for GESTOR_SOAK=1, every fuzz target for a while, and the module in the two slow machines.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: scripts/soak.sh

Runs every Go test with GESTOR_SOAK=1 and the race detector, then each fuzz target for GESTOR_FUZZ_TIME (default 60s), then
the stages of scripts/test.sh that CI leaves out: storm (a debug kernel) and guest (a whole Debian).
TEXT
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib/log.sh
. "$root/scripts/lib/log.sh"
# shellcheck source=scripts/lib/go.sh
. "$root/scripts/lib/go.sh"

# fuzz_targets prints module directory, package directory and name of every fuzz target.
fuzz_targets() {
  git ls-files '*_test.go' | xargs grep -oE '^func Fuzz[A-Za-z0-9_]+' |
    sed -E 's,^(.*)/[^/]+_test\.go:func (Fuzz.*),\1 \2,' | sort -u
}

case ${1:-} in
  -h | --help) usage && exit 0 ;;
  '') ;;
  *) usage >&2 && exit 2 ;;
esac
cd "$root"
scripts/ensure.sh docker compose go test-tools
use_go
export GESTOR_SOAK=1
mapfile -t patterns < <(go list -m -f '{{.Path}}/...' | grep -v '/tools/')
status=0
go test -race -count=1 -p 1 -timeout 4h "${patterns[@]}" || status=1
while read -r directory target; do
  say "fuzzing $target in $directory"
  (cd "$directory" && go test -run '^$' -fuzz "^$target\$" -fuzztime "${GESTOR_FUZZ_TIME:-60s}" .) || status=1
done < <(fuzz_targets)
scripts/test.sh images storm guest || status=1
exit "$status"
