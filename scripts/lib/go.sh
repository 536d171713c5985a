# shellcheck shell=bash
# Finds the Go that builds and tests this repository. Needs lib/log.sh.

# go_wanted is the language version of every go.mod here; go_toolchain the release that an older Go is asked to fetch.
go_wanted=1.26
go_toolchain=go1.26.8

# go_release GO prints the minor release of a go command (26 for go1.26.8) without letting it switch toolchains.
go_release() { GOTOOLCHAIN=local "$1" env GOVERSION 2>/dev/null | sed -n 's/^go1\.\([0-9]*\).*/\1/p'; }

# go_candidates prints the go commands of this host, most wanted first.
go_candidates() {
  command -v go || true
  local candidate
  for candidate in "${root:?}/.cache/go/bin/go" /usr/local/go/bin/go /usr/lib/go-*/bin/go; do
    if [ -x "$candidate" ]; then printf '%s\n' "$candidate"; fi
  done
}

# use_go puts a Go of at least go_wanted on the PATH of the calling script: one that is new enough by itself, else one
# of 1.21 or later that fetches go_toolchain through the Go module proxy. Returns 1 when this host has neither.
use_go() {
  local candidate release
  while read -r candidate; do
    release=$(go_release "$candidate")
    if [ -n "$release" ] && [ "$release" -ge "${go_wanted#1.}" ]; then
      PATH=$(dirname "$candidate"):$PATH
      export PATH
      return 0
    fi
  done < <(go_candidates)
  while read -r candidate; do
    release=$(go_release "$candidate")
    if [ -n "$release" ] && [ "$release" -ge 21 ] && GOTOOLCHAIN=$go_toolchain "$candidate" version >/dev/null 2>&1; then
      PATH=$(dirname "$candidate"):$PATH
      GOTOOLCHAIN=$go_toolchain
      export PATH GOTOOLCHAIN
      return 0
    fi
  done < <(go_candidates)
  return 1
}

# fetch_go puts go_toolchain into .cache/go with any Go that knows modules: the toolchain is a module of the Go module
# proxy, checked against the checksum database like every other. Such a download has no executable bits.
fetch_go() {
  local candidate module directory target=${root:?}/.cache/go
  candidate=$(go_candidates | head -n 1)
  [ -n "$candidate" ] || return 1
  module=golang.org/toolchain@v0.0.1-$go_toolchain.$("$candidate" env GOOS)-$("$candidate" env GOARCH)
  step "fetching $go_toolchain through the Go module proxy" download_module "$candidate" "$module" || return 1
  directory=$(download_module "$candidate" "$module" | sed -n 's/.*"Dir": "\(.*\)",*/\1/p')
  [ -d "$directory" ] || return 1
  rm -rf "$target"
  mkdir -p "$(dirname "$target")"
  cp -r --no-preserve=mode "$directory" "$target"
  chmod -R +x "$target/bin" "$target/pkg/tool"
}

# download_module GO MODULE prints what `go mod download -json` says of a module, in a folder without one.
download_module() {
  local work status
  work=$(mktemp -d "${TMPDIR:-/tmp}/gestor-go.XXXXXX")
  (cd "$work" && "$1" mod init gestor.local/fetch 2>/dev/null && GOWORK=off "$1" mod download -json "$2")
  status=$?
  rm -rf "$work"
  return "$status"
}
