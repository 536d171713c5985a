#!/usr/bin/env bash
# Shows what the manager's policy would do on this host, asks, and writes the approval beside the policy.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: scripts/approve.sh [--who NAME] [--own-count N --yes]

A policy of version 2 that owns containers which Gestor did not start does nothing until a person has seen its plan and
approved it. This takes the plan of the running manager and shows it: each rule as a sentence, the own containers and what a
remove of them would lose, what is protected, what happens now and within 7 days. It then asks for the number of own
containers, and writes approved.json beside the policy.

  --who NAME           who approves it; else the user of this shell and the name of the host
  --own-count N --yes  answers the question: for scripts. N must be the number of own containers in the plan

It refuses while the manager runs another policy than the file has, while a gate is closed or the clock is in doubt, and before
the manager has accepted 3 snapshots of the host. Removing approved.json takes the approval back: from the next tick on nothing
is done to other people's containers.

Exit: 0 approved, or no approval is needed · 1 refused, or the answer was another · 2 wrong usage
TEXT
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib/log.sh
. "$root/scripts/lib/log.sh"
# shellcheck source=scripts/lib/engine.sh
. "$root/scripts/lib/engine.sh"

# find_manager sets manager to the id of the suite's running manager.
find_manager() {
  manager=$(docker compose ps --quiet --status running manager) || die "docker compose does not answer, see above: make doctor tells what is missing"
  [ -n "$manager" ] || die "the manager of the suite does not run, and its plan is what is approved: start the suite with make up"
}

# find_policy sets policy to the path of the policy in the manager's container, empty without one, and folder to the folder on this
# host that it is in. The running container is asked: .env may have changed since it was started.
find_policy() {
  local line destination source
  policy='' folder=''
  while IFS= read -r line; do
    case $line in GESTOR_POLICY=*) policy=${line#*=} ;; esac
  done < <(docker inspect --format '{{range .Config.Env}}{{println .}}{{end}}' "$manager")
  [ -n "$policy" ] || return 0

  while IFS=$'\t' read -r destination source; do
    if [ "$destination" = "$(dirname "$policy")" ]; then folder=$source; fi
  done < <(docker inspect --format '{{range .Mounts}}{{.Destination}}{{"\t"}}{{.Source}}{{println}}{{end}}' "$manager")
  [ -n "$folder" ] || die "the folder of $policy in the manager's container is none of this host: mount the policy's folder (GESTOR_POLICY_DIR), and not the file alone"
  [ -d "$folder" ] || die "the folder of the policy, $folder, is not there: approve on the host that the engine runs on"
  [ -w "$folder" ] || die "$(id -un) may not write in $folder, where the approval belongs: run this as its owner, $(stat -c %U "$folder")"
}

# approval ARGUMENT… runs the manager's command of that name in a process of its own, so that the manager that is to obey has no hand
# in the document.
approval() { COMPOSE_PROGRESS=quiet docker compose run --rm --no-deps -T manager approval "$@" "$policy"; }

# needs_approval says whether the policy needs it, on the standard output; status 1 when it does not.
needs_approval() {
  local status=0
  approval --needed </dev/null || status=$?
  case $status in
    0) return 1 ;;
    10) return 0 ;;
    *) die "the policy cannot be approved, see above" ;;
  esac
}

# take_plan has the running manager's plan made. Status 10 says that something is to be done now.
take_plan() {
  local status=0
  docker exec "$manager" /gestor-manager policy-plan --sizes --json >"$work/plan.json" || status=$?
  [ "$status" -eq 10 ] || return "$status"
}

# ask sets own_count to what the person types.
ask() {
  local answer
  [ -t 0 ] || die "there is no terminal to ask on: read the above, then run this again with --own-count N --yes, N being the number of own containers"
  printf '\nHow many own containers are there? Type their number to approve the policy, anything else to leave it: ' >&2
  read -r answer || die "no answer: nothing was written"
  [[ $answer =~ ^[0-9]+$ ]] || die "not approved: nothing was written"
  own_count=$answer
}

# write_approval puts the document into place as a whole: the manager may look at any moment.
write_approval() {
  approval --who "$who" --own-count "$own_count" <"$work/plan.json" >"$work/approved.json" || die "not approved, see above: nothing was written"
  new=$(mktemp "$folder/.approved.json.XXXXXX")
  cat "$work/approved.json" >"$new"
  chmod 0644 "$new"
  sync "$new"
  mv -fT "$new" "$folder/approved.json"
}

own_count='' yes=no who=${SUDO_USER:-$(id -un)}@$(uname -n)
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) usage && exit 0 ;;
    --own-count | --who)
      [ -n "${2:-}" ] || { usage >&2 && exit 2; }
      if [ "$1" = --who ]; then who=$2; else own_count=$2; fi
      shift
      ;;
    --yes) yes=yes ;;
    *) usage >&2 && exit 2 ;;
  esac
  shift
done
case $yes:$own_count in
  no:) ;;
  yes:*[!0-9]* | yes: | no:*) printf 'error: --own-count and --yes go together, with a number: see scripts/approve.sh --help\n' >&2 && exit 2 ;;
esac

cd "$root"
problem=$(engine_problem)
[ -z "$problem" ] || die "$problem"
find_manager
find_policy
if [ -z "$policy" ]; then
  say "the manager runs the default policy, which needs no approval"
  exit 0
fi
say "the policy is $folder/$(basename "$policy"), in the manager's container $policy"
needs_approval || exit 0

work=$(mktemp -d "${TMPDIR:-/tmp}/gestor-approve.XXXXXX") new=''
trap 'rm -rf "$work" ${new:+"$new"}' EXIT
step "the manager makes its plan: readings of the host a tick apart, then the sizes of the own containers" take_plan ||
  die "there is no plan to approve, see above"
printf '\n'
approval --show <"$work/plan.json" || die "not approved, see above: nothing was written"

[ "$yes" = yes ] || ask
write_approval
say "approved by $who with $own_count own containers: $folder/approved.json. It is in force from the manager's next tick on"
say "taken back by: rm $folder/approved.json"
