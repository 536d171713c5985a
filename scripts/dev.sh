#!/usr/bin/env bash
# One service of the running suite from source, restarted on each change.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: scripts/dev.sh manager|generator|logs

Builds the service from this clone and puts the program into the service's own container of the running suite, with the settings,
the networks and the data that it has there; then shows what it prints. When a source file of it changes it is built again and the
container restarted; a build that fails leaves the program that runs. Ctrl-C puts the container back as its image has it.

The programs lie in .cache/dev. The engine has to run on this host. make up starts the suite.
TEXT
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib/log.sh
. "$root/scripts/lib/log.sh"
# shellcheck source=scripts/lib/go.sh
. "$root/scripts/lib/go.sh"
# shellcheck source=scripts/lib/dotenv.sh
. "$root/scripts/lib/dotenv.sh"
# shellcheck source=scripts/lib/host_form.sh
. "$root/scripts/lib/host_form.sh"

# build makes the program. It takes its name only when it is whole, since the engine may restart the container at any moment.
build() {
  (cd "services/$service" && CGO_ENABLED=0 go build -o "$program.new" .) && mv "$program.new" "$program"
}

# sources prints what the service is made of: all modules but the other two services, and the scripts that the generator runs.
sources() {
  local folder
  if [ "$service" = generator ]; then printf '%s\n' "${wrappers[@]/#/scripts/}"; fi
  for folder in services/*/; do
    case $folder in
      services/manager/ | services/generator/ | services/logs/) [ "$folder" = "services/$service/" ] || continue ;;
    esac
    printf '%s\n' "${folder%/}"
  done
}

# changed tells whether a source file is newer than the last build, or was removed since: then its folder is newer.
changed() {
  local paths
  mapfile -t paths < <(sources)
  [ -n "$(find "${paths[@]}" -newer "$stamp" \( -type d -o -name '*.go' -o -name 'go.*' -o -name '*.html' -o -name '*.css' \
    -o -name '*.js' -o -name '*.sh' -o -name '*.svg' -o -name '*.yaml' -o -name '*.json' \) ! -name '*_test.go' -print -quit)" ]
}

# write_override FILE makes the compose file that mounts the program, and the generator's scripts, over those of the image.
write_override() {
  local wrapper
  {
    printf 'services:\n  %s:\n    volumes:\n' "$service"
    mount_line ".cache/dev/gestor-$service" "/gestor-$service"
    [ "$service" != generator ] || for wrapper in "${wrappers[@]}"; do mount_line "scripts/$wrapper" "/usr/local/bin/$wrapper"; done
  } >"$1"
}

mount_line() { printf '      - {type: bind, source: ./%s, target: %s, read_only: true}\n' "$1" "$2"; }

# with_program ARGUMENT… runs docker compose with the program mounted over that of the image.
with_program() {
  local file options=()
  while read -r file; do options+=(-f "$file"); done < <(compose_files)
  docker compose "${options[@]}" -f "$override" "$@"
}

follow_output() {
  docker compose logs --follow --no-log-prefix --since 1s "$service" &
  follower=$!
}

# put_back makes the service's container anew, from its image.
put_back() {
  trap '' INT HUP
  trap - EXIT TERM # TERM ends the lines of progress: what ignores it would hang here
  set +e # the terminal may be gone, and with it the lines that say what is done
  kill "$follower" 2>/dev/null || true
  step "putting the $service back as its image has it" docker compose up -d --no-deps --no-build --wait "$service" ||
    die "the $service did not come back, see above: make up starts it again"
  exit
}

wrappers=(launch-container.sh managed-containers.sh)
service=${1:-}
case $service in
  manager | generator | logs) [ $# -eq 1 ] || die "one service at a time: $*" ;;
  -h | --help) usage && exit ;;
  *) usage >&2 && die "name a service: manager, generator or logs" ;;
esac
cd "$root"
program=$root/.cache/dev/gestor-$service
override=$root/.cache/dev/$service.yaml
stamp=$root/.cache/dev/$service.built
use_go || die "no Go that builds this: scripts/ensure.sh go installs one"
[ -n "$(docker compose ps --quiet --status running "$service")" ] ||
  die "the $service of the suite does not run: start the suite with make up"

mkdir -p .cache/dev
write_override "$override"
touch "$stamp"
step "building the $service" build || die "the $service does not build: see above"

follower=
trap put_back EXIT INT TERM HUP
step "starting the $service from source" with_program up -d --no-deps --no-build --wait "$service" ||
  warn "the $service is not healthy, see below"
follow_output

while sleep 1; do
  kill -0 "$follower" 2>/dev/null || follow_output
  changed || continue
  touch "$stamp"
  step "building the $service" build || { warn "the program of before goes on" && continue; }
  step "restarting the $service" with_program restart --no-deps "$service" || warn "it was not restarted: see above"
done
