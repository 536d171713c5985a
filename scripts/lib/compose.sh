# shellcheck shell=bash
# docker compose, version 2 or later, as a plugin of the docker command. Needs lib/log.sh, lib/apt.sh and lib/go.sh.

# compose_module is built from source where no package has a compose that serves.
compose_module=github.com/docker/compose/v2
compose_module_version=v2.40.3

# compose_version prints the version of `docker compose`; nothing when the plugin is missing. Debian 12's docker-compose
# 1.29 is a command of its own and never counts: it rejects the `name:` of compose.yaml.
compose_version() { docker compose version --short 2>/dev/null | sed 's/^v//'; }

compose_serves() {
  local major
  major=$(compose_version)
  major=${major%%.*}
  [[ $major =~ ^[0-9]+$ ]] && [ "$major" -ge 2 ]
}

# revision prints the commit that the tree is at, with -dirty when something was changed; nothing outside of a clone.
revision() {
  git -c safe.directory="${root:?}" -C "$root" describe --always --dirty --abbrev=40 --exclude '*' 2>/dev/null || true
}

# build_images builds every image of compose.yaml, labelled with the commit that it is made of.
build_images() { docker compose build --build-arg "REVISION=$(revision)"; }

# plugin_directory prints where the docker command looks for plugins: for everybody as root, else for this user.
plugin_directory() {
  if [ "$(id -u)" -eq 0 ]; then
    printf '/usr/local/lib/docker/cli-plugins\n'
  else
    printf '%s/cli-plugins\n' "${DOCKER_CONFIG:-$HOME/.docker}"
  fi
}

# remove_unhealthy PROJECT ends and removes the services of a project that are unhealthy, so that `up` begins them anew. One that
# the engine is about to restart is still called unhealthy, for up to a minute, and `up` ends at that word at once although what
# was wrong is fixed.
remove_unhealthy() {
  local services
  mapfile -t services < <(docker ps --filter "label=com.docker.compose.project=$1" --filter health=unhealthy \
    --format '{{.Label "com.docker.compose.service"}}')
  [ ${#services[@]} -eq 0 ] || step "beginning anew: ${services[*]}" docker compose rm --stop --force "${services[@]}"
}

# ensure_compose tries, in this order: a package of this release, Debian 13's static binary, the Go module.
ensure_compose() {
  compose_serves && return 0
  if have docker-compose; then
    say "docker-compose $(docker-compose version --short 2>/dev/null) is not enough: docker compose 2 or later is needed"
  fi
  compose_from_release || compose_from_trixie || compose_from_module ||
    die "docker compose 2 or later could not be installed: put its binary at $(plugin_directory)/docker-compose and run again"
  say "docker compose $(compose_version)"
}

# compose_from_release installs the host's own package: docker's repository, Ubuntu's, or Debian's from release 13 on.
compose_from_release() {
  local package
  [ "$(id -u)" -eq 0 ] && have apt-get || return 1
  for package in docker-compose-plugin docker-compose-v2 docker-compose; do
    case $(apt_candidate "$package") in
      '' | 1.*) ;;
      *) apt_install "$package" && compose_serves && return 0 ;;
    esac
  done
  return 1
}

# compose_from_trixie takes the static plugin out of Debian 13's packages without installing them: the docker.io they
# ask for stays out.
compose_from_trixie() {
  local work status
  have apt-get || return 1
  work=$(mktemp -d "${TMPDIR:-/tmp}/gestor-compose.XXXXXX")
  step "docker compose from Debian 13's packages" unpack_trixie "$work" && compose_serves
  status=$?
  rm -rf "$work"
  return "$status"
}

unpack_trixie() {
  local package plugin
  foreign_deb trixie "$1" docker-compose docker-buildx || return 1
  for package in "$1"/*.deb; do dpkg-deb -x "$package" "$1/tree" || return 1; done
  for plugin in docker-compose docker-buildx; do
    install -D -m 0755 "$1/tree/usr/libexec/docker/cli-plugins/$plugin" "$(plugin_directory)/$plugin" || return 1
  done
}

# compose_from_module builds the plugin inside the module's own directory: `go install` refuses the module for its
# exclude and replace lines.
compose_from_module() {
  use_go || return 1
  step "docker compose $compose_module_version from its Go module (2 to 4 minutes)" build_compose && compose_serves
}

build_compose() {
  local source output
  output=$(plugin_directory)/docker-compose
  source=$(GOFLAGS='' GOWORK=off go mod download -json "$compose_module@$compose_module_version" | sed -n 's/.*"Dir": "\(.*\)",*/\1/p') &&
    [ -n "$source" ] && mkdir -p "$(dirname "$output")" && rm -f "$output" && cd "$source" &&
    CGO_ENABLED=0 GOWORK=off go build -trimpath -o "$output" \
      -ldflags "-s -w -X $compose_module/internal.Version=$compose_module_version" ./cmd
}
