# shellcheck shell=bash
# Progress and errors for every script: nothing longer than two seconds stays silent, and a failure ends with the next step.
# Sourced, never run. Everything goes to standard error: standard output belongs to results.

# say TEXT… prints one progress line.
say() { printf '==> %s\n' "$*" >&2; }

# warn TEXT… prints one line about something that does not stop the work.
warn() { printf 'warning: %s\n' "$*" >&2; }

# die TEXT… prints the reason with the next step and ends the script with status 1.
die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# have NAME tells whether a command of that name is on the PATH.
have() { command -v "$1" >/dev/null 2>&1; }

# heartbeat TITLE prints a line every 15 s until it is killed, so that a long step never looks dead. It ends with the
# script as well ($$, also in a subshell): one that was interrupted kills nothing any more.
heartbeat() {
  local seconds=0
  while sleep 15 >/dev/null 2>&1 && kill -0 $$ 2>/dev/null; do
    seconds=$((seconds + 15))
    printf '    … %s (%d s)\n' "$1" "$seconds" >&2
  done
}

# step TITLE COMMAND… runs the command with its output in a file; the output is shown only when the command fails
# or GESTOR_VERBOSE=1 is set. Returns the command's status. A function that is passed must hand on failures itself: bash
# ignores `set -e` in whatever is called before `||`.
step() {
  local title=$1 file log output status beat started=$SECONDS
  shift
  say "$title"
  # The file has no name from here on: a script that is interrupted leaves none behind.
  file=$(mktemp "${TMPDIR:-/tmp}/gestor-step.XXXXXX") ||
    die "no temporary file, see above: set TMPDIR to a folder with room that $(id -un) may write"
  exec {output}>"$file"
  exec {log}<"$file"
  rm -f "$file"
  heartbeat "$title" &
  beat=$!
  set +e
  if [ "${GESTOR_VERBOSE:-0}" = 1 ]; then
    ("$@") 2>&1 | tee "/dev/fd/$output" >&2
    status=${PIPESTATUS[0]}
  else
    ("$@") >&"$output" 2>&1
    status=$?
  fi
  kill "$beat" 2>/dev/null
  wait "$beat" 2>/dev/null
  set -e
  if [ "$status" -ne 0 ]; then
    tail -n 25 <&"$log" | sed 's/^/    | /' >&2
    printf '    failed after %d s (status %d): %s\n' $((SECONDS - started)) "$status" "$title" >&2
  elif [ $((SECONDS - started)) -ge 2 ]; then
    printf '    done in %d s\n' $((SECONDS - started)) >&2
  fi
  exec {output}>&- {log}<&-
  return "$status"
}
