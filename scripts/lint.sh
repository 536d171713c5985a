#!/usr/bin/env bash
# Every check that reads the code without running it.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: scripts/lint.sh [--fix | --bash | --without-bash | --list-bash]

Runs golangci-lint (with the import rules of the design), gofumpt, go mod tidy, go.work.sum, shellcheck, the check of compose.yaml
and govulncheck, all of them also when one fails. Status 1 when one did.

  --fix           format the Go code and tidy the module files instead
  --bash          only shellcheck
  --without-bash  all but shellcheck: for who runs both
  --list-bash     print the bash scripts of this repository and end
TEXT
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib/log.sh
. "$root/scripts/lib/log.sh"
# shellcheck source=scripts/lib/go.sh
. "$root/scripts/lib/go.sh"
cd "$root"

# list_bash prints every file whose first line names bash, and the sourced parts.
list_bash() {
  git ls-files -co --exclude-standard | while read -r file; do
    if [ -f "$file" ] && head -n 1 "$file" | grep -qE '^#!.*\bbash$|^# shellcheck shell=bash'; then printf '%s\n' "$file"; fi
  done
}

directories() { go list -m -f '{{.Dir}}'; }

tidy() {
  local directory status=0
  while read -r directory; do
    (cd "$directory" && GOWORK=off go mod tidy "$@") || status=1
  done < <(directories)
  return "$status"
}

# work_sum lists every module of the workspace, as an editor does, which must find all that it wants in go.work.sum: otherwise the
# file changes under whoever does it. --fix leaves it so.
work_sum() {
  local before
  before=$(mktemp "${TMPDIR:-/tmp}/gestor-work-sum.XXXXXX")
  cp go.work.sum "$before"
  go list -m all >/dev/null || return 1
  diff -u "$before" go.work.sum || { mv "$before" go.work.sum && return 1; }
  rm -f "$before"
}

golangci() {
  local patterns
  mapfile -t patterns < <(directories | sed 's,$,/...,')
  # As the unit tests have them compiled: the linter asks for compiled packages, and another variant would be compiled for it alone.
  GOFLAGS="${GOFLAGS:-} -race" bin/golangci-lint run "${patterns[@]}"
}

gofumpt_clean() {
  local differing
  differing=$(list_go | xargs bin/gofumpt -l)
  [ -z "$differing" ] || { printf 'not formatted (run make fmt):\n%s\n' "$differing" && return 1; }
}

list_go() { git ls-files -co --exclude-standard '*.go'; }

shell_clean() { list_bash | xargs -n 8 -P "$(nproc)" shellcheck; }

compose_valid() {
  docker compose version >/dev/null 2>&1 || { printf 'no docker compose: compose.yaml is not checked\n' && return 0; }
  docker compose config --quiet &&
    docker compose -f compose.yaml -f compose.tokens.yaml config --quiet &&
    docker compose -f compose.yaml -f compose.podman.yaml config --quiet &&
    docker compose -f compose.yaml -f compose.notify.yaml config --quiet
}

check() {
  step "$@" || failed+=("$1")
}

case ${1:-} in
  -h | --help) usage && exit 0 ;;
  --list-bash) list_bash && exit 0 ;;
  --bash) shell_clean && exit 0 || exit ;; # with the status of shell_clean
  --fix | --without-bash | '') ;;
  *) usage >&2 && exit 2 ;;
esac
scripts/ensure.sh lint-tools
use_go
if [ "${1:-}" = --fix ]; then
  list_go | xargs bin/gofumpt -w
  tidy -v
  go list -m all >/dev/null
  exit 0
fi
failed=()
check 'gofumpt' gofumpt_clean
check 'golangci-lint' golangci
check 'go mod tidy' tidy -diff
check 'go.work.sum' work_sum
[ "${1:-}" = --without-bash ] || check 'shellcheck' shell_clean
check 'compose.yaml' compose_valid
check 'govulncheck' scripts/vuln.sh
[ ${#failed[@]} -eq 0 ] || die "lint found something in: ${failed[*]}"
say "lint: clean"
