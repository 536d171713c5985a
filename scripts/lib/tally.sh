# shellcheck shell=bash
# Counts what passed, failed and was skipped over all stages of the test suite. One line per test in a file:
# outcome, name and reason, separated by tabs. Needs lib/log.sh.

# tally_start FILE begins an empty count.
tally_start() {
  tally_file=$1
  : >"$tally_file"
}

# tally passed|failed|skipped NAME [REASON] counts one test.
tally() { printf '%s\t%s\t%s\n' "$1" "$2" "${3:-}" >>"$tally_file"; }

# tally_count OUTCOME prints how many there are so far.
tally_count() { awk -F '\t' -v outcome="$1" '$1 == outcome { n++ } END { print n + 0 }' "$tally_file"; }

# tally_run NAME COMMAND… runs a command that is one test by itself.
tally_run() {
  local name=$1
  shift
  if step "$name" "$@"; then
    tally passed "$name"
  else
    tally failed "$name" "status not 0: see its output above"
  fi
}

# tally_go_events FILE counts the tests in the events of `go test -json`, and a package that failed without a failing
# test (it did not build, it ran out of time). The reason of a skip is the first line that the test printed.
tally_go_events() {
  jq -rn '
    reduce inputs as $e ({tests: [], said: {}, broken: {}, failed: {}};
      ($e.Package + "." + ($e.Test // "")) as $name |
      if $e.Action == "output" and $e.Test and ($e.Output | test("^ +[^ ]+\\.go:[0-9]+: ")) then
        .said[$name] //= ($e.Output | sub("^ +[^ ]+\\.go:[0-9]+: "; "") | rtrimstr("\n") | gsub("\t"; " "))
      elif $e.Test and ($e.Action | IN("pass", "fail", "skip")) then
        .tests += [[$e.Action, $name]] | if $e.Action == "fail" then .failed[$e.Package] = true else . end
      elif $e.Action == "fail" then .broken[$e.Package] = true
      else . end)
    | .said as $said | .failed as $failed
    | (.tests[] | [({pass: "passed", fail: "failed", skip: "skipped"}[.[0]]), .[1], ($said[.[1]] // "")]),
      (.broken | keys[] | select($failed[.] | not) | ["failed", ., "the package failed outside of its tests"])
    | @tsv' "$1" >>"$tally_file"
}

# tally_tap COMMAND… runs a command that prints TAP (bats) and counts its lines.
tally_tap() {
  local output status=0
  output=$(mktemp "${TMPDIR:-/tmp}/gestor-tap.XXXXXX")
  "$@" 2>&1 | tee "$output" || status=${PIPESTATUS[0]}
  sed -n -E \
    -e 's/^ok [0-9]+ (.*) # skip ?(.*)$/skipped\t\1\t\2/p;t' \
    -e 's/^ok [0-9]+ (.*)$/passed\t\1\t/p' \
    -e 's/^not ok [0-9]+ (.*)$/failed\t\1\tsee above/p' "$output" >>"$tally_file"
  grep -qE '^(not )?ok ' "$output" || tally failed "$1" "it ran no test"
  rm -f "$output"
  return "$status"
}

# tally_script NAME COMMAND… runs a script that ends with a line 'N passed, N failed, N skipped' and adds its count; a
# script without that line is one test. What the script skipped it explains itself, in lines that begin with 'skip'.
tally_script() {
  local name=$1 output status=0 passed failed skipped
  shift
  output=$(mktemp "${TMPDIR:-/tmp}/gestor-script.XXXXXX")
  "$@" 2>&1 | tee "$output" || status=${PIPESTATUS[0]}
  read -r passed failed skipped < <(
    sed -n -E 's/^([0-9]+) passed, ([0-9]+) failed(, ([0-9]+) skipped)?$/\1 \2 \4/p' "$output" | tail -n 1
  ) || true
  if [ -z "${passed:-}" ]; then
    if [ "$status" -eq 0 ]; then passed=1 failed=0; else passed=0 failed=1; fi
  fi
  tally_many passed "$passed" "$name"
  tally_many failed "$failed" "$name" "see its output above"
  grep -iE '^ *skip' "$output" | head -n "${skipped:-0}" | sed -e "s/^/skipped\t$name\t/" >>"$tally_file" || true
  rm -f "$output"
  return "$status"
}

# tally_many OUTCOME NUMBER NAME [REASON] counts a number of tests that have no names of their own.
tally_many() {
  local i
  for ((i = 1; i <= $2; i++)); do tally "$1" "$3 ($i)" "${4:-}"; done
}

# tally_report [STAGE…] prints the failures, the skips with their reasons, the stages that were left out, and the total; returns 1
# when anything failed or nothing ran.
tally_report() {
  local passed failed skipped
  passed=$(tally_count passed) failed=$(tally_count failed) skipped=$(tally_count skipped)
  printf '\n'
  awk -F '\t' '$1 == "failed" { printf "FAILED  %s%s\n", $2, $3 == "" ? "" : ": " $3 }' "$tally_file"
  awk -F '\t' '$1 == "skipped" { printf "skipped %s: %s\n", $2, $3 == "" ? "no reason given" : $3 }' "$tally_file"
  [ $# -eq 0 ] || printf 'not run %s: by name (scripts/test.sh %s), or everything with CI=true\n' "$*" "$1"
  printf '\ntook %d s' "$SECONDS"
  printf '\n%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
  [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}
