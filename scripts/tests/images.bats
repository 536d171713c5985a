#!/usr/bin/env bats
# Images say which commit they are made of.

setup() {
  cd "$BATS_TEST_TMPDIR" || return
  mkdir bin clone
  printf '#!/bin/sh\necho "$*" >>"%s"\n' "$BATS_TEST_TMPDIR/asked" >bin/docker
  chmod +x bin/docker
  PATH=$BATS_TEST_TMPDIR/bin:$PATH
  root=$BATS_TEST_TMPDIR/clone
  # shellcheck source=scripts/lib/compose.sh
  . "$BATS_TEST_DIRNAME/../lib/compose.sh"
}

commit() {
  git -C clone init -q
  echo one >clone/file
  git -C clone add file
  git -C clone -c user.name=a -c user.email=a@b commit -qm one
}

@test "a build gets the commit, and tells when files were changed since" {
  commit
  build_images
  echo two >clone/file
  build_images
  [ "$(sed -n 1p asked)" = "compose build --build-arg REVISION=$(git -C clone rev-parse HEAD)" ]
  [ "$(sed -n 2p asked)" = "compose build --build-arg REVISION=$(git -C clone rev-parse HEAD)-dirty" ]
}

@test "a tag does not take the commit's place" {
  commit
  git -C clone tag v9
  [ "$(revision)" = "$(git -C clone rev-parse HEAD)" ]
}

@test "outside of a clone a build goes on without one" {
  build_images
  [ "$(cat asked)" = "compose build --build-arg REVISION=" ]
}

@test "nothing builds images past the labels" {
  cd "$BATS_TEST_DIRNAME/../.."
  run grep -rnE 'docker compose build' Makefile scripts --include=*.sh --include=Makefile
  [ "${#lines[@]}" -eq 1 ]
  [[ ${lines[0]} == scripts/lib/compose.sh:* ]]
}
