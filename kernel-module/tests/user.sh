#!/usr/bin/env bash
# The module's pure code in user space: a line for each Go test.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
if [ "${1:-}" = --help ]; then echo "usage: user.sh     tests the JSON escape and the path parser under sanitizers" && exit 0; fi
output=$(mktemp)
trap 'rm -f "$output"' EXIT
GOWORK=off go test -count=1 -v ./user >"$output" 2>&1 || true
sed -nE 's/^--- PASS: (Test[A-Za-z]*) .*/ok user \1/p; s/^--- FAIL: (Test[A-Za-z]*) .*/FAIL user \1/p; s/^--- SKIP: (Test[A-Za-z]*) .*/skip user \1: gcc is not installed/p' "$output"
if ! grep -q '^--- ' "$output"; then echo "FAIL user: $(tail -n 1 "$output")"; fi
if grep -q '^--- FAIL' "$output"; then cat "$output" >&2; fi
