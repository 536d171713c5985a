#!/usr/bin/env bash
# Stops the suite in order and proves that nothing of it is left on the engine.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: scripts/down.sh [--sweep]

Stops the suite: the generator removes what it started, the manager sends its last records and asks for the charts, the
log service ends. The records and charts in ./data stay. Ends with status 1 when a container of the suite is left.

  --sweep   also remove managed containers that a killed generator left behind
TEXT
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib/log.sh
. "$root/scripts/lib/log.sh"
# shellcheck source=scripts/lib/dotenv.sh
. "$root/scripts/lib/dotenv.sh"

# shellcheck source=scripts/lib/engine.sh
. "$root/scripts/lib/engine.sh"

sweep=no
case ${1:-} in
  -h | --help) usage && exit 0 ;;
  --sweep) sweep=yes ;;
  '') ;;
  *) usage >&2 && exit 2 ;;
esac
cd "$root"
problem=$(engine_problem)
[ -z "$problem" ] || die "$problem"
project=$(setting COMPOSE_PROJECT_NAME gestor)
step "stopping the suite" docker compose down --remove-orphans || die "docker compose down failed, see above: run 'make down' again, and 'make doctor' when it fails again"
mapfile -t left < <(managed "$project")
if [ ${#left[@]} -gt 0 ] && [ "$sweep" = yes ]; then
  step "removing ${#left[@]} managed containers" docker rm -f "${left[@]}"
elif [ ${#left[@]} -gt 0 ]; then
  die "${#left[@]} managed containers are left. Remove them with: scripts/down.sh --sweep"
fi
say "nothing of the suite is left on the engine; records and charts are in $(setting GESTOR_DATA_DIR ./data)"
