# shellcheck shell=bash
# Settings in the .env file beside compose.yaml. Needs lib/log.sh; root is set by the caller.

# remember NAME VALUE writes a setting to .env unless the file or the environment has it.
remember() {
  [ -z "${!1:-}" ] || return 0
  if ! grep -qs "^$1=" "${root:?}/.env"; then
    printf '%s=%s\n' "$1" "$2" >>"$root/.env"
    say "$1=$2 written to .env"
  fi
}

# setting NAME DEFAULT prints a setting as compose sees it: the environment before .env.
setting() {
  local value=${!1:-}
  if [ -z "$value" ] && [ -f "${root:?}/.env" ]; then value=$(sed -n "s/^$1=//p" "$root/.env" | tail -n 1); fi
  printf '%s\n' "${value:-$2}"
}
