# shellcheck shell=bash
# A Docker Engine that answers. Needs lib/log.sh and lib/apt.sh.

# engine_answers tells whether the docker command reaches an engine.
engine_answers() { timeout 20 docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

# engine_version prints what the engine says of itself; nothing when there is none: docker then fails, or fills the
# template with nothing.
engine_version() {
  local words version api
  words=$(timeout 20 docker version --format '{{.Server.Version}} {{.Server.APIVersion}}' 2>/dev/null) || return 0
  read -r version api <<<"$words"
  [ -z "$api" ] || printf 'engine %s, API %s\n' "$version" "$api"
}

# The socket of an engine that a host's own package starts; what compose.yaml mounts unless GESTOR_DOCKER_SOCKET says otherwise.
default_socket=/var/run/docker.sock

# managed SUITE prints the ids of the containers that the suite's generator has started.
managed() { docker ps -aq --filter label=gestor.managed=true --filter "label=gestor.suite=$1"; }

# find_engine sets engine_address to where the docker command looks for an engine and engine_source to what says so, in
# docker's own order: DOCKER_HOST, then the context. Status 1 when docker does not know it either, after its words.
find_engine() {
  local answer
  engine_address=unix://$default_socket
  engine_source=default
  if [ -n "${DOCKER_HOST:-}" ]; then
    engine_address=$DOCKER_HOST
    engine_source=DOCKER_HOST
  elif have docker; then
    answer=$(timeout 20 docker context inspect --format '{{.Name}} {{.Endpoints.docker.Host}}') || return 1
    engine_address=${answer#* }
    [ "${answer%% *}" = default ] || engine_source="context ${answer%% *}"
  fi
}

# engine_socket prints the path of the socket that find_engine found; status 1 when the address is none.
engine_socket() {
  local socket=${engine_address#unix://}
  [ "$socket" != "$engine_address" ] && printf '%s\n' "${socket:-$default_socket}"
}

# same_socket PATH PATH tells whether both are one, whether it is there or not.
same_socket() { [ "$(readlink -m "$1")" = "$(readlink -m "$2")" ]; }

# own_engine prints how the docker command is brought back to this host's own engine, by what says that it is to be another.
own_engine() {
  if [ -n "${DOCKER_HOST:-}" ]; then
    printf 'unset DOCKER_HOST\n'
  elif [ -n "${DOCKER_CONTEXT:-}" ]; then
    printf 'unset DOCKER_CONTEXT\n'
  else
    printf "run 'docker context use default'\n"
  fi
}

# engine_problem prints why no engine answers, with the address and what says it, and the next step; nothing when one answers.
engine_problem() {
  local reason
  have docker || { printf "the docker command is not there: 'make up' installs it\n" && return; }
  reason=$(find_engine 2>&1) || {
    printf 'docker does not say which engine it means%s: for that of this host %s\n' "${reason:+ ($reason)}" "$(own_engine)"
    return
  }
  find_engine
  ! engine_answers || return 0
  printf "no engine answers at %s (%s): start that one" "$engine_address" "$engine_source"
  [ "$engine_source" = default ] || printf ', or %s for that of this host' "$(own_engine)"
  printf '\n'
}

# ensure_engine installs and starts the engine by need. Whoever names another engine than the host's own means that one: nothing is
# installed or started in its place.
ensure_engine() {
  local where socket other
  if ! find_engine; then
    have docker && engine_answers && return 0
    die "docker does not say which engine it means, see above: 'docker context ls' lists them; for this host's own $(own_engine)"
  fi
  where="$engine_address ($engine_source)"
  other=$(own_engine)

  socket=$(engine_socket) ||
    die "$where is not a socket on this host: the services mount the engine's socket and read the host's own /proc, so that they govern this host alone. For its own engine $other and run again"
  have docker && engine_answers && return 0
  if have docker && [[ "$(docker version 2>&1)" == *'permission denied'* ]]; then
    same_socket "$socket" "$default_socket" || die "this user may not use the engine's socket $where"
    die "this user may not use the engine's socket $where. Run this as root: usermod -aG docker $(id -un), then log in again"
  fi
  same_socket "$socket" "$default_socket" ||
    die "no engine answers at $where: start that one, or $other for this host's own, and run again"

  if ! have docker || ! have dockerd; then
    install_engine
  fi
  engine_answers || start_engine
  engine_answers || die "the Docker Engine does not answer after its start at $where: see 'journalctl -u docker' or /var/log/docker.log"
}

# install_engine takes Debian's or Ubuntu's own package; Debian 13 has the command in a package of its own.
install_engine() {
  require_root "installing the Docker Engine" "scripts/ensure.sh docker"
  apt_install docker.io ca-certificates iptables
  if ! have docker; then apt_install docker-cli; fi
}

# start_engine starts the daemon with the host's service manager, else as a process of its own, and waits for it.
start_engine() {
  require_root "starting the Docker Engine" "scripts/ensure.sh docker"
  if [ -d /run/systemd/system ]; then
    step "starting the Docker Engine (systemd)" systemctl enable --now docker || true
  elif [ -x /etc/init.d/docker ]; then
    step "starting the Docker Engine (init script)" service docker start || true
  fi
  wait_for_engine 20 && return 0
  dockerd_lives && return 0
  say "starting the Docker Engine as a plain process (log: /var/log/docker.log)"
  setsid --fork dockerd </dev/null >>/var/log/docker.log 2>&1
  wait_for_engine 60 || {
    tail -n 5 /var/log/docker.log >&2
    return 0
  }
}

# dockerd_lives tells whether a daemon runs, answering or not: a second one would only fail.
dockerd_lives() { [ -s /var/run/docker.pid ] && kill -0 "$(cat /var/run/docker.pid)" 2>/dev/null; }

# wait_for_engine SECONDS waits until the engine answers.
wait_for_engine() {
  local left=$1
  while [ "$left" -gt 0 ]; do
    engine_answers && return 0
    sleep 1
    left=$((left - 1))
  done
  return 1
}
