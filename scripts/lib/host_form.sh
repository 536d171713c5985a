# shellcheck shell=bash
# The two forms of the suite: that of compose.yaml, whose generator starts containers to decide on, and that of this host's own
# containers, which compose.host.yaml makes of it. COMPOSE_FILE in .env says which one it is: so every docker compose in this folder, a
# script's or a person's, means the same suite. Needs lib/log.sh and lib/dotenv.sh; root is set by the caller.

# compose_files prints what compose reads of this suite, one file a line: COMPOSE_FILE, or what it finds by itself.
compose_files() {
  local files
  files=$(setting COMPOSE_FILE '') || return 1
  if [ -n "$files" ]; then
    tr ':' '\n' <<<"$files"
  else
    default_files
  fi
}

# default_files prints what compose finds by itself.
default_files() {
  echo compose.yaml
  if [ -e "${root:?}/compose.override.yaml" ]; then echo compose.override.yaml; fi
}

# in_host_form tells whether the suite is that of this host's own containers.
in_host_form() { compose_files | grep -E '(^|/)compose\.host\.yaml$' >/dev/null; }

# policy_name prints the name of the suite's policy in its folder.
policy_name() { if in_host_form; then echo host.yaml; else echo policy.yaml; fi; }

# enter_host_form and leave_host_form have .env say it. What else COMPOSE_FILE names stays.
enter_host_form() {
  in_host_form || change_setting COMPOSE_FILE "$(compose_files | paste -sd:):compose.host.yaml"
}

leave_host_form() {
  local files usual
  in_host_form || return 0
  files=$(compose_files | grep -vE '(^|/)compose\.host\.yaml$' | paste -sd:)
  usual=$(default_files | paste -sd:)
  if [ "$files" = "$usual" ]; then files=''; fi
  change_setting COMPOSE_FILE "$files"
}
