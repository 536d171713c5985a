# shellcheck shell=bash
# The pinned tools of tools/, built into ./bin once. Needs lib/log.sh and lib/go.sh; root is set by the caller.

# build_tools all|NAME… builds the named tools, or those of every tools/*.mod, unless the one in ./bin was built from
# the same module file with the same Go.
build_tools() {
  local name file names=("$@")
  if [ "$1" = all ]; then
    names=()
    for file in "${root:?}"/tools/*.mod; do
      name=$(basename "$file" .mod)
      if [ "$name" != go ]; then names+=("$name"); fi
    done
  fi
  for name in "${names[@]}"; do build_tool "$name" || die "building $name failed: is the Go module proxy within reach?"; done
}

build_tool() {
  local name=$1 stamp wanted
  stamp=$root/.cache/tools/$name
  wanted="$(sha256sum <"$root/tools/$name.mod") $(cd "$root/tools" && go env GOVERSION)"
  [ -x "$root/bin/$name" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && return 0
  mkdir -p "$root/bin" "$(dirname "$stamp")"
  step "building $(tool_module "$name")" compile_tool "$name" &&
    printf '%s\n' "$wanted" >"$stamp"
}

# tool_module NAME prints the module and version that the tool comes from.
tool_module() {
  awk '$1 == "tool" { tool = $2 }
    { sub(/^require /, "") }
    tool != "" && index(tool, $1) == 1 && $2 ~ /^v/ { print $1, $2 }' "$root/tools/$1.mod" | head -n 1
}

compile_tool() {
  cd "$root/tools" && CGO_ENABLED=0 GOWORK=off go build -modfile="$1.mod" -trimpath -ldflags '-s -w' -o "$root/bin/" tool
}
