# shellcheck shell=bash
# Settings as compose sees them: the environment, then the .env file beside compose.yaml. Needs lib/log.sh and docker compose;
# root is set by the caller.

# What compose prints of a name that nobody sets.
not_set='(not set)'

# compose_setting NAME prints what the suite gets of a setting, $not_set when neither the environment nor .env has it. Compose itself is
# asked: its grammar of .env (quotes, escapes, export, comments, other variables, carriage returns) differs between its
# versions, and a second reader would differ from all of them. An image name is the one value that it prints as it is, without
# quoting. The project's name is here what it is in compose.yaml.
compose_setting() {
  local value
  # shellcheck disable=SC2016 # compose expands it
  value=$(printf 'name: gestor\nservices: {setting: {image: "=${%s-%s}"}}\n' "$1" "$not_set" |
    docker compose --project-directory "${root:?}" -f - config --images) ||
    die "docker compose does not read the settings of $root/.env: see above"
  printf '%s\n' "${value#=}"
}

# setting NAME DEFAULT prints a setting, and the default where it is empty or not set, like compose.yaml's ${NAME:-DEFAULT}.
setting() {
  local value
  value=$(compose_setting "$1") || return 1
  [ "$value" != "$not_set" ] || value=''
  printf '%s\n' "${value:-$2}"
}

# save_setting NAME VALUE writes a setting to .env unless the file or the environment has it.
save_setting() {
  local value line=$1=$2
  value=$(compose_setting "$1") || return 1
  [ "$value" = "$not_set" ] || return 0
  [[ $2 =~ ^[[:alnum:]_.:/@%+-]*$ ]] || line="$1='${2//\'/\\\'}'"
  { end_last_line "${root:?}/.env" && printf '%s\n' "$line" >>"$root/.env"; } ||
    die "$root/.env cannot be written, see above: let $(id -un) write it, or put this line there: $line"
  say "$line written to .env"
}

# end_last_line FILE ends a last line that an editor left without its end: what is written next would become a part of it.
end_last_line() {
  if [ -s "$1" ] && [ -n "$(tail -c 1 "$1")" ]; then printf '\n' >>"$1"; fi
}

# may_change NAME ends the script where .env does not decide on a setting: what the environment says has to be taken away by whoever
# set it.
may_change() {
  if [ -n "${!1+set}" ]; then die "$1 is set in the environment, which wins over .env: unset $1 and run this again"; fi
}

# change_setting NAME VALUE has .env say this of a setting, whatever it said before; an empty value takes the setting out.
change_setting() {
  local file new now
  may_change "$1"
  file=$(readlink -m "${root:?}/.env")
  new=$(mktemp "$file.XXXXXX") || die "$file cannot be written, see above: let $(id -un) write in its folder"

  if [ -e "$file" ]; then
    cp -p "$file" "$new"
    sed -Ei "/^[[:space:]]*(export[[:space:]]+)?$1[[:space:]]*[=:]/d" "$new"
    end_last_line "$new"
  else
    chmod 0644 "$new"
  fi
  [ -z "$2" ] || printf '%s=%s\n' "$1" "$2" >>"$new"
  mv -fT "$new" "$file"

  # Compose has the last word on what a line means.
  now=$(compose_setting "$1") || return 1
  [ "$now" = "${2:-$not_set}" ] || die "$file still says $1=$now: have it say ${2:-nothing of it}, and run this again"
  if [ -n "$2" ]; then say "$1=$2 written to .env"; else say "$1 taken out of .env"; fi
}
