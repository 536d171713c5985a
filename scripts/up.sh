#!/usr/bin/env bash
# From a clone to the page: what is missing is installed, images are made, the suite is started.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: scripts/up.sh

Installs Docker and compose where they are missing, provides the base images, builds, starts the suite and waits until
the page answers. Every step may be repeated: what is there stays. After make govern it brings the generator and
policy/policy.yaml back.

It writes to .env, once, what fits this host:
  GESTOR_USER           owner of ./data: the user who owns this folder (65532 when that is root)
  GESTOR_DOCKER_SOCKET  the socket of DOCKER_HOST or of the docker context, where that is not the usual one
  GESTOR_ENGINE_USER    manager and generator: user 65532 with the group of the Docker socket
  GESTOR_OOM_SCORE_ADJ  -500 where the engine may lower the score: the kernel then spares the services when memory is short
A line that is there already is never changed. docs/settings.md lists the other settings.
TEXT
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib/log.sh
. "$root/scripts/lib/log.sh"
# shellcheck source=scripts/lib/dotenv.sh
. "$root/scripts/lib/dotenv.sh"
# shellcheck source=scripts/lib/engine.sh
. "$root/scripts/lib/engine.sh"
# shellcheck source=scripts/lib/host_form.sh
. "$root/scripts/lib/host_form.sh"
# shellcheck source=scripts/lib/policy.sh
. "$root/scripts/lib/policy.sh"
# shellcheck source=scripts/lib/compose.sh
. "$root/scripts/lib/compose.sh"
# shellcheck source=scripts/lib/module.sh
. "$root/scripts/lib/module.sh"
# shellcheck source=scripts/lib/suite.sh
. "$root/scripts/lib/suite.sh"
again='make up' # what goes on from where this was interrupted

case ${1:-} in
  -h | --help) usage && exit 0 ;;
  '') ;;
  *) usage >&2 && exit 2 ;;
esac
cd "$root"
started=$SECONDS
trap 'interrupted && exit 130' INT
scripts/ensure.sh docker compose
leave_host_form
problem=$(policy_problem)
[ -z "$problem" ] || die "$problem"
build_suite
start_suite

say "ready after $((SECONDS - started)) s"
cat <<TEXT

  page      http://127.0.0.1:$port
  records   curl -s 'http://127.0.0.1:$port/v1/records?limit=5'
  watch     docker compose logs -f manager        stop   make down
TEXT
