# shellcheck shell=bash
# Whether the manager can tell a webhook. Needs lib/dotenv.sh and lib/policy.sh; root is set by the caller.

# notices_problem prints what keeps notices from their webhook and the next step; nothing when nothing does, or none is set.
notices_problem() {
  local files url file user path
  files=$(setting COMPOSE_FILE compose.yaml) && url=$(setting GESTOR_NOTIFY_URL '') && file=$(setting GESTOR_NOTIFY_URL_FILE '') &&
    user=$(setting GESTOR_ENGINE_USER 0:0) || return 1

  # A setting alone gives the manager neither the address nor a way out of its networks.
  if [[ $files != *compose.notify.yaml* ]]; then
    [ -z "$url$file" ] ||
      printf 'the URL cannot be reached: put the address into secrets/notify_url and COMPOSE_FILE=compose.yaml:compose.notify.yaml into .env (docs/operating.md)\n'
    return 0
  fi

  path=${root:?}/secrets/notify_url
  if [ ! -s "$path" ]; then
    printf '%s holds no address: write it there (docs/operating.md), or take compose.notify.yaml out of COMPOSE_FILE\n' "$path"
  elif [[ $user =~ ^[0-9]+:[0-9]+$ ]] && ! may_read "${user%:*}" "${user#*:}" "$path"; then
    printf '%s is not readable for the manager (user %s): chmod 0444 %q\n' "$path" "$user" "$path"
  fi
}
