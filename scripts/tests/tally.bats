#!/usr/bin/env bats
# What the total of the test suite is made of: a count that loses a failure would make the whole suite unable to fail.

setup() {
  set -o pipefail # as in the scripts that source these
  # shellcheck source=scripts/lib/log.sh
  . "$BATS_TEST_DIRNAME/../lib/log.sh"
  # shellcheck source=scripts/lib/tally.sh
  . "$BATS_TEST_DIRNAME/../lib/tally.sh"
  tally_start "$BATS_TEST_TMPDIR/tally"
}

counts() { printf '%s passed, %s failed, %s skipped' "$(tally_count passed)" "$(tally_count failed)" "$(tally_count skipped)"; }

event() { printf '{"Action":"%s","Package":"%s","Test":"%s","Output":"%s"}\n' "$@"; }

@test "go events: passes, failures and skips with the reason" {
  {
    event pass p TestA ''
    event output p TestB '    b_test.go:7: no engine answers\n'
    event skip p TestB ''
    event fail p TestC ''
    printf '{"Action":"fail","Package":"p"}\n'
  } >"$BATS_TEST_TMPDIR/events"
  tally_go_events "$BATS_TEST_TMPDIR/events"
  [ "$(counts)" = "1 passed, 1 failed, 1 skipped" ]
  grep -q "$(printf 'skipped\tp.TestB\tno engine answers')" "$tally_file"
}

@test "go events: a package that fails without a failing test counts as a failure" {
  {
    event pass p TestA ''
    printf '{"Action":"fail","Package":"q"}\n'
  } >"$BATS_TEST_TMPDIR/events"
  tally_go_events "$BATS_TEST_TMPDIR/events"
  [ "$(counts)" = "1 passed, 1 failed, 0 skipped" ]
}

@test "tap: ok, not ok and skip" {
  tap() { printf '1..3\nok 1 first\nnot ok 2 second\nok 3 third # skip no docker\n'; return 1; }
  run tally_tap tap
  [ "$status" -eq 1 ]
  [ "$(counts)" = "1 passed, 1 failed, 1 skipped" ]
}

@test "tap: a run without any test is a failure" {
  nothing() { printf '1..0\n'; }
  tally_tap nothing
  [ "$(counts)" = "0 passed, 1 failed, 0 skipped" ]
}

@test "script: its closing line is added to the count" {
  script() { printf 'skip boot of 7.2: no qemu\n12 passed, 2 failed, 1 skipped\n'; return 1; }
  run tally_script module script
  [ "$status" -eq 1 ]
  [ "$(counts)" = "12 passed, 2 failed, 1 skipped" ]
}

@test "script: without a closing line the status decides" {
  tally_script good true
  run tally_script bad false
  [ "$(counts)" = "1 passed, 1 failed, 0 skipped" ]
}

@test "run: a command's status is its outcome" {
  tally_run good true 2>/dev/null
  tally_run bad false 2>/dev/null
  [ "$(counts)" = "1 passed, 1 failed, 0 skipped" ]
}

@test "report: the total is the last line and failures make it fail" {
  tally passed a
  run tally_report
  [ "$status" -eq 0 ]
  [ "${lines[-1]}" = "1 passed, 0 failed, 0 skipped" ]
  tally failed b "broken"
  run tally_report
  [ "$status" -eq 1 ]
  [[ $output == *"FAILED  b: broken"* ]]
  [ "${lines[-1]}" = "1 passed, 1 failed, 0 skipped" ]
}

@test "report: stages that were left out are named, and how they are run" {
  tally passed a
  run tally_report lint boot
  [ "$status" -eq 0 ]
  [[ $output == *"not run lint boot: by name (scripts/test.sh lint), or everything with CI=true"* ]]
  [ "${lines[-1]}" = "1 passed, 0 failed, 0 skipped" ]
  run tally_report
  [[ $output != *"not run"* ]]
}

@test "the stages that a plain run and CI leave out are those that --help calls so" {
  local help named soak script
  help=$("$BATS_TEST_DIRNAME/../test.sh" --help)
  named=$(sed -n 's/^  \([a-z]*\) .*only when named.*/\1/p' <<<"$help" | xargs)
  soak=$(sed -n 's/^  \([a-z]*\) .*only when named, and in make soak$/\1/p' <<<"$help" | xargs)
  script=$(sed -n 's/^  left_out=(\(.*\))$/\1/p' "$BATS_TEST_DIRNAME/../test.sh")
  [ "$script" = "$soak
$named" ]
  grep -q "scripts/test.sh .*$soak" "$BATS_TEST_DIRNAME/../soak.sh"
}

@test "report: nothing ran is a failure" {
  run tally_report
  [ "$status" -eq 1 ]
}
