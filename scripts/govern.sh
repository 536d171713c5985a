#!/usr/bin/env bash
# From a clone to a manager that observes the containers of this host itself, with nothing touched.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: scripts/govern.sh

Does what scripts/up.sh does, for the containers that are on this host already: installs what is missing, builds, and starts the
log service and the manager without the generator, under policy/host.yaml instead of policy/policy.yaml. It touches no container:
the policy that it drafts owns none.

Where policy/host.yaml is not there it is drafted from a survey of this host (scripts/gestor survey), as comments that you uncomment:
whom the policy would own, and a rule for each kind of leftover. One that is there stays as it is. Where the survey fails nothing is
written.

Where the generator runs it is stopped first, and removes what it started. COMPOSE_FILE in .env then names compose.host.yaml, so that
every docker compose in this folder means this suite. make up brings the generator and policy/policy.yaml back; make down ends both.
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
again='make govern' # what goes on from where this was interrupted

# stop_generator ends the generator of the running suite, which removes what it started as with make down: the manager that is to
# decide by another policy would leave that alone.
stop_generator() {
  local left
  [ -n "$(docker compose ps --quiet --status running generator)" ] || return 0
  say "the generator runs: it is stopped now and removes the $(managed "$project" | wc -l) containers that it has on this host; they are Gestor's own, no other is touched"
  step "stopping the generator" docker compose rm --stop --force generator || die "the generator was not stopped, see above: run 'make down', then 'make govern' again"
  left=$(managed "$project" | wc -l)
  [ "$left" -eq 0 ] ||
    warn "the generator has left $left containers behind, which policy/host.yaml does not own: scripts/down.sh --sweep removes them and stops the suite, make govern starts it again"
}

# survey prints a draft of the policy. Status 10 says that it found something.
survey() {
  local status=0
  COMPOSE_PROGRESS=quiet docker compose run --rm --no-deps -T manager survey --yaml || status=$?
  [ "$status" -eq 10 ] || return "$status"
}

# draft_policy writes the survey's draft to a policy that is not there, as a whole or not at all.
draft_policy() {
  folder=$(policy_folder)
  policy=$folder/host.yaml
  if [ -e "$policy" ]; then
    say "$policy is there and stays as it is"
    return
  fi
  [ -d "$folder" ] || die "the folder of the policy, $folder, is not there: make it, or take GESTOR_POLICY_DIR out of .env"

  new=$(mktemp "$folder/.host.yaml.XXXXXX") || die "$(id -un) may not write in $folder, where the policy belongs: run this as its owner, $(stat -c %U "$folder")"
  trap 'rm -f "$new"' EXIT
  say "surveying the containers of this host"
  survey >"$new" || die "the survey failed, see above: no policy was written and nothing was touched"
  [ -s "$new" ] || die "the survey has printed no policy: nothing was written; run it yourself: scripts/gestor survey"

  # Readable for the manager whatever the umask, and its editor's: the owner of the folder.
  chmod 0644 "$new"
  if [ "$(id -u)" -eq 0 ]; then chown --reference="$folder" "$new"; fi
  sync "$new"
  mv -fT "$new" "$policy"
  trap - EXIT
  say "$policy written: a draft, which owns no container"
}

# found prints the comment that the draft begins with, up to its own next steps: what the survey has found.
found() { sed -n '/^#/!q;/^# Next:/q;s/^# \{0,1\}/  /p' "$policy"; }

# in_manager ARGUMENT… runs a command of the running manager, which knows policy and approval as it sees them.
in_manager() { docker compose exec -T manager /gestor-manager "$@"; }

# in_force prints which policy the manager has in force, in which mode, and whom that may touch.
in_force() {
  in_manager reload | sed 's/, as before$//; s/^/  /'
  in_manager check-policy /etc/gestor/host.yaml | sed -n '/^# It /,/^#$/s/^# /  /p'
}

case ${1:-} in
  -h | --help) usage && exit 0 ;;
  '') ;;
  *) usage >&2 && exit 2 ;;
esac
cd "$root"
started=$SECONDS
trap 'interrupted && exit 130' INT
build_suite
in_host_form || may_change COMPOSE_FILE # before anything is stopped or written
stop_generator
draft_policy
enter_host_form
start_suite

say "ready after $((SECONDS - started)) s: the manager observes this host"
cat <<TEXT

What the survey has found (all of it: scripts/gestor survey)
$(found)

What is in force
$(in_force)

  page      http://127.0.0.1:$port

Next: take the # away from a selector of own and a rule that you mean, then see what they would do. Nothing is done before you
have approved it.
  edit      $policy
  check     scripts/gestor check-policy --host $policy
  plan      scripts/gestor policy-plan
  approve   make approve
  stop      make down                docs/own-host.md tells the whole of it
TEXT
