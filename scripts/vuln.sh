#!/usr/bin/env bash
# Known vulnerabilities in what the services link, less the ones that are explained.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: scripts/vuln.sh

Runs govulncheck over every module. A finding whose code is called fails the check unless tools/vuln-exclusions.txt
names it with a reason. Where the vulnerability database cannot be reached the check is skipped and says so.

GOVULNDB   address of the database (file:///… for a local copy; default: govulncheck's own)
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
  '') ;;
  *) usage >&2 && exit 2 ;;
esac
cd "$root"
scripts/ensure.sh go test-tools
use_go
build_tools govulncheck
work=$(mktemp -d "${TMPDIR:-/tmp}/gestor-vuln.XXXXXX")
trap 'rm -rf "$work"' EXIT

# A finding with a function in its first trace entry is code that is called; the others are only in the module graph.
called='select(.finding.trace[0].function) | [.finding.osv, .finding.trace[0].module, (.finding.fixed_version // "no fix")] | @tsv'
while read -r directory; do
  name=${directory#"$root"/}
  if ! (cd "$directory" && GOWORK=off "$root/bin/govulncheck" -json ${GOVULNDB:+"-db=$GOVULNDB"} ./...) \
    >"$work/report" 2>"$work/errors"; then
    if grep -qE 'no such host|connection refused|i/o timeout|Forbidden|network is unreachable|fetching vulnerabilities' "$work/errors"; then
      say "skipped: the vulnerability database cannot be reached from here ($(tail -n 1 "$work/errors"))"
      exit 0
    fi
    cat "$work/errors" >&2
    die "govulncheck failed in $name"
  fi
  jq -r "$called" "$work/report" | sort -u | sed "s,$,\t$name," >>"$work/found"
done < <(go list -m -f '{{.Dir}}' | grep -v '/tools$')

awk '!/^#/ && NF { print $1 }' tools/vuln-exclusions.txt | sort -u >"$work/excluded"
while read -r id; do
  grep -q "^$id" "$work/found" || warn "tools/vuln-exclusions.txt: $id is found no more; remove its line"
done <"$work/excluded"
if grep -vFwf "$work/excluded" "$work/found"; then
  die "the vulnerabilities above are called: raise the module to the fixed version (third column)"
fi
say "no known vulnerability is called, $(wc -l <"$work/excluded") explained"
