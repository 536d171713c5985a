# shellcheck shell=bash
# What up.sh and govern.sh do alike: from a clone to a suite that answers. Needs lib/log.sh, lib/dotenv.sh, lib/engine.sh,
# lib/policy.sh, lib/compose.sh and lib/module.sh; root is set by the caller.

# save_socket gives the services the socket of the engine that they are started on, which DOCKER_HOST or a docker context may
# have chosen.
save_socket() {
  local socket mounted
  find_engine || return 0 # it answers all the same: nobody chose another than the host's own
  socket=$(engine_socket)
  same_socket "$socket" "${default_socket:?}" || save_setting GESTOR_DOCKER_SOCKET "$socket"

  mounted=$(setting GESTOR_DOCKER_SOCKET "$default_socket")
  same_socket "$socket" "$mounted" ||
    warn "the services run on the engine at ${engine_address:?} (${engine_source:?}) and govern the one at $mounted (GESTOR_DOCKER_SOCKET): unless both are the same engine, take that line out of .env"
}

# save_owners finds the users that fit this host. A socket whose group is unknown here (rootless Docker, Docker
# Desktop) leaves the default of compose.yaml.
save_owners() {
  local owner socket
  socket=$(setting GESTOR_DOCKER_SOCKET "$default_socket")
  owner=$(stat -c %u:%g "${root:?}")
  if [ "${owner%%:*}" = 0 ]; then owner=65532:65532; fi
  save_setting GESTOR_USER "$owner"
  if [ -S "$socket" ] && [ "$(stat -Lc %U:%a "$socket")" = root:660 ]; then
    save_setting GESTOR_ENGINE_USER "65532:$(manager_group)"
  fi
}

# check_module says so when the module's file, if it is loaded, is not for the manager's group: the manager then reads /proc.
check_module() {
  local loaded wanted
  loaded=$(cat "${host-}/sys/module/${module:?}/parameters/gid" 2>/dev/null) || return 0
  wanted=$(module_gid)
  [ "$loaded" = "$wanted" ] ||
    warn "the kernel module that is loaded lets the group $loaded read, the manager's is $wanted: 'make insmod' loads it for that group (after make dkms: make dkms again). Until then the manager reads /proc"
}

# save_score asks the engine for what it may refuse: only one with CAP_SYS_RESOURCE may lower a score.
save_score() {
  if docker run --rm --pull never --network none --oom-score-adj -500 --entrypoint true debian:trixie-slim >/dev/null 2>&1; then
    save_setting GESTOR_OOM_SCORE_ADJ -500
  fi
}

# listens PORT tells whether somebody takes connections there.
listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# port_problem PROJECT prints what is wrong with a published port and the next step; nothing when both can be had. The engine
# itself says so only after the images are built.
port_problem() {
  local name port taken=
  while read -r name port; do
    port=$(setting "$name" "$port") || return 1
    if ! [[ $port =~ ^[1-9][0-9]{0,4}$ ]] || [ "$port" -gt 65535 ]; then
      printf '%s is %q: want a number from 1 to 65535\n' "$name" "$port"
    elif [ "$port" = "$taken" ]; then
      printf 'GESTOR_PORT and GESTOR_OPS_PORT are both %s: want two\n' "$port"
    elif listens "$port" &&
      [ -z "$(docker ps -q --filter "label=com.docker.compose.project=$1" --filter "publish=$port")" ]; then
      printf 'port %s of 127.0.0.1 is in use by something else: end that, or set %s to another in .env\n' "$port" "$name"
    else
      taken=$port
      continue
    fi
    return 0
  done <<<$'GESTOR_PORT 8080\nGESTOR_OPS_PORT 8081'
}

# page_answers asks the page for its first line, without curl, which a bare host lacks.
page_answers() {
  local line
  exec 3<>"/dev/tcp/127.0.0.1/$1" || return 1
  printf 'GET / HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n' >&3
  read -r -t 10 line <&3
  [[ $line == *' 200 '* || $line == *' 401 '* ]] # 401: it is there and asks for the read token
}

# explain_failure ends the script with what the services said last. again is the command that goes on.
explain_failure() {
  docker compose ps -a >&2 || true
  docker compose logs --no-color --no-log-prefix --tail 15 prepare logs manager generator >&2 || true
  die "the suite did not become healthy: the lines above are the last that the services printed. After fixing it run '${again:?}' again"
}

# interrupted says what Ctrl-C leaves: what docker compose has started goes on.
interrupted() {
  trap - INT
  say "interrupted: what is started runs on. '$again' goes on from here, 'make down' stops it"
}

# build_suite installs what is missing, writes to .env what fits this host, and builds the images. Sets project.
build_suite() {
  local problem
  scripts/ensure.sh docker compose
  save_socket
  save_owners
  check_module
  project=$(setting COMPOSE_PROJECT_NAME gestor)
  problem=$(port_problem "$project")
  [ -z "$problem" ] || die "$problem"
  scripts/base-images.sh
  save_score
  step "building the images (some minutes the first time)" build_images || die "an image did not build: see above"
}

# start_suite starts the services of the compose files that .env names, and waits until the page answers. Sets port.
start_suite() {
  local problem
  problem=$(policy_problem)
  [ -z "$problem" ] || die "$problem"
  remove_unhealthy "${project:?}"
  step "starting the suite" docker compose up -d --wait --wait-timeout 180 --remove-orphans || explain_failure
  port=$(setting GESTOR_PORT 8080)
  (page_answers "$port") 2>/dev/null || explain_failure
}
