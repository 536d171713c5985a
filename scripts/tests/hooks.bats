#!/usr/bin/env bats
# shellcheck disable=SC2016 # what stands in the committed files is not to expand
# The check before a commit, in a clone with one module.

bats_require_minimum_version 1.5.0

setup() {
  clone=$BATS_TEST_TMPDIR/clone
  mkdir -p "$clone/scripts" "$clone/code"
  cp -r "$BATS_TEST_DIRNAME/../lib" "$clone/scripts/lib"
  cp -r "$BATS_TEST_DIRNAME/../../.githooks" "$BATS_TEST_DIRNAME/../../.shellcheckrc" "$clone/"
  cd "$clone" || return 1
  git init -q
  git config user.email nobody@example.com
  git config user.name nobody
  git config core.hooksPath .githooks
  printf 'module example.com/code\n\ngo 1.26\n' >go.mod
  git add .
  git commit -qm begin
}

@test "a clean commit goes through" {
  printf 'package code\n\nimport "fmt"\n\n// Say prints it.\nfunc Say() { fmt.Printf("%%d\\n", 1) }\n' >code/code.go
  printf '#!/usr/bin/env bash\necho "$1"\n' >say.sh
  git add .
  run -0 git commit -qm more
}

@test "what is wrong is named, and nothing is committed" {
  while IFS='|' read -r want file content; do
    printf '%b' "$content" >"$file"
    git add .
    run -1 git commit -qm more
    [[ $output == *"not committed: "*"$want"* ]] || { echo "$want: $output" && return 1; }
    git rm -qf --cached "$file"
    rm "$file"
  done <<'TABLE'
format|code/code.go|package code\n\nfunc  Say() {}\n
nolint without a reason|code/code.go|package code\n\nfunc Say() {} //nolint:all\n
go vet|code/code.go|package code\n\nimport "fmt"\n\nfunc Say() { fmt.Printf("%d\\\\n", "one") }\n
shellcheck|say.sh|#!/usr/bin/env bash\necho $1\n
blanks|page.md|a line with blanks   \n
TABLE
}

@test "what is staged counts, not what the file holds by now" {
  printf 'package code\n\nfunc  Say() {}\n' >code/code.go
  git add .
  printf 'package code\n\nfunc Say() {}\n' >code/code.go
  run -1 git commit -qm more
  [[ $output == *'not committed: format'* ]]
}
