#!/usr/bin/env bash
# Tries what Gestor asks of a container engine on several of them, and keeps what came out in docs/engines.md.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: scripts/test-engines.sh [--check] [ENGINE…]

Gets each engine (all of them without ENGINE), starts it in namespaces and a folder of its own, beside whatever runs on this host,
and tries one capability after the other on real containers. Prints a table of engines and capabilities; a run of all engines in
which nothing failed writes it into docs/engines.md. Takes root, and about twenty minutes on two cores.

  docker         another daemon of the installed Docker
  current        a Docker Engine of today: built once from Go modules into .cache/engines (five to ten minutes more)
  current-1.44   the same, which refuses clients of API versions before 1.44
  podman         podman's service, from this system's packages

  --check        write nothing: fail when docs/engines.md tells another table
TEXT
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib/log.sh
. "$root/scripts/lib/log.sh"
# shellcheck source=scripts/lib/apt.sh
. "$root/scripts/lib/apt.sh"
# shellcheck source=scripts/lib/go.sh
. "$root/scripts/lib/go.sh"
# shellcheck source=scripts/lib/engines.sh
. "$root/scripts/lib/engines.sh"

all=(docker current current-1.44 podman)
document=$root/docs/engines.md

# prepare ENGINE… installs and builds what they need.
prepare() {
  local engine
  "$root/scripts/ensure.sh" go test-tools
  use_go
  for engine in "$@"; do
    case $engine in
      docker) "$root/scripts/ensure.sh" docker ;;
      podman) "$root/scripts/ensure.sh" podman ;;
      *) build_current_engine ;;
    esac
  done
}

# try ENGINE… runs the tests, with a line of theirs every few seconds, and leaves the table in $work/table.
try() {
  cd "$root/e2e" &&
    GESTOR_ENGINES=$* GESTOR_ENGINE_PROGRAMS=$(current_engine_directory) GESTOR_ENGINES_TABLE=$work/table \
      go test -count=1 -v -timeout 90m -parallel 4 ./engines >&2
}

# results_table prints what docs/engines.md is to say of a run.
results_table() {
  # shellcheck disable=SC2016 # Markdown
  printf '`make test-engines` on %s, %s, Linux %s, %s:\n\n' "$(date -u +%F)" "$(host_id) $(host_codename)" "$(uname -r | cut -d- -f1)" "$(uname -m)"
  cat "$work/table"
}

check=no
engines=()
for argument in "$@"; do
  case $argument in
    --check) check=yes ;;
    docker | current | current-1.44 | podman) engines+=("$argument") ;;
    -h | --help) usage && exit 0 ;;
    *) usage >&2 && exit 2 ;;
  esac
done
[ ${#engines[@]} -gt 0 ] || engines=("${all[@]}")
cd "$root"
require_root "starting engines" "scripts/test-engines.sh"
work=$(mktemp -d "${TMPDIR:-/tmp}/gestor-engines.XXXXXX")
trap 'rm -rf "$work"' EXIT

prepare "${engines[@]}"
say "trying ${engines[*]}"
status=0
try "${engines[@]}" || status=1
[ -s "$work/table" ] || die "the tests ended without a table, see above"
cat "$work/table"
[ "$status" -eq 0 ] || die "an engine cannot do what Gestor asks of it, see the lines with FAIL above; docs/engines.md stays as it is"

if [ "${engines[*]}" != "${all[*]}" ]; then
  say "docs/engines.md stays as it is: it tells of runs of all engines"
elif [ "$check" = yes ]; then
  between "$document" engines | grep '^|' | diff - "$work/table" >&2 ||
    die "docs/engines.md tells another table, see the difference above: 'make test-engines' writes this one"
else
  results_table >"$work/text"
  replace_between "$document" engines "$work/text"
  say "docs/engines.md tells of this run"
fi
