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

# ensure_engine installs and starts the engine by need.
ensure_engine() {
  have docker && engine_answers && return 0
  if have docker && [[ "$(docker version 2>&1)" == *'permission denied'* ]]; then
    die "this user may not use the Docker socket. Run this as root: usermod -aG docker $(id -un), then log in again"
  fi
  if ! have docker || ! have dockerd; then
    install_engine
  fi
  engine_answers || start_engine
  engine_answers || die "the Docker Engine does not answer after its start: see 'journalctl -u docker' or /var/log/docker.log"
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
