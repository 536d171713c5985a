#!/usr/bin/env bats
# scripts/test-engines.sh up to where it would start engines, and its library.

setup() {
  root=$BATS_TEST_DIRNAME/../..
  # shellcheck source=scripts/lib/log.sh
  . "$root/scripts/lib/log.sh"
  # shellcheck source=scripts/lib/engines.sh
  . "$root/scripts/lib/engines.sh"
  file=$BATS_TEST_TMPDIR/page.md
  printf '%s\n' before '<!-- engines: begin -->' old older '<!-- engines: end -->' after >"$file"
}

@test "help names every engine, and an unknown one is refused" {
  run "$root/scripts/test-engines.sh" --help
  [ "$status" -eq 0 ]
  for engine in docker current current-1.44 podman; do [[ $output == *"  $engine "* ]]; done
  run "$root/scripts/test-engines.sh" lxc
  [ "$status" -eq 2 ]
}

@test "a text replaces what stands between the marks, and nothing else" {
  printf '%s\n' 'a & b' '| \1 |' >"$BATS_TEST_TMPDIR/text"
  replace_between "$file" engines "$BATS_TEST_TMPDIR/text"
  [ "$(cat "$file")" = "$(printf '%s\n' before '<!-- engines: begin -->' 'a & b' '| \1 |' '<!-- engines: end -->' after)" ]
  [ "$(between "$file" engines)" = "$(cat "$BATS_TEST_TMPDIR/text")" ]
}

@test "a page without the marks is not written" {
  printf 'no marks\n' >"$file"
  run replace_between "$file" engines /dev/null
  [ "$status" -eq 1 ]
  [ "$(cat "$file")" = 'no marks' ]
}

@test "the page has the marks, and its table every engine that the script knows" {
  between "$root/docs/engines.md" engines | grep -qxF '| | docker | current | current-1.44 | podman |'
}

@test "the folder of the current engine tells its versions and is no two entries of a PATH" {
  [[ $(current_engine_directory) == *"$moby_version"*"$containerd_version"*"$runc_version" ]]
  [[ $(current_engine_directory) != *:* ]]
}

@test "a docker command that speaks API 1.43 is too old for the current engine, one of 1.44 is not" {
  printf '#!/bin/sh\necho "$VERSION"; exit 1\n' >"$BATS_TEST_TMPDIR/docker"
  chmod +x "$BATS_TEST_TMPDIR/docker"
  VERSION=1.43 run speaks_current "$BATS_TEST_TMPDIR/docker"
  [ "$status" -ne 0 ]
  VERSION=1.44 run speaks_current "$BATS_TEST_TMPDIR/docker"
  [ "$status" -eq 0 ]
  VERSION='' run speaks_current "$BATS_TEST_TMPDIR/docker"
  [ "$status" -ne 0 ]
}
