# shellcheck shell=bash
# Engines to try the suite on besides the installed one. Needs lib/log.sh, lib/apt.sh and lib/go.sh; root is set by the caller.

# What a current engine consists of: modules of the Go module proxy, each built with its own dependencies.
moby_version=v2.0.0-beta.24
containerd_version=v2.4.2
runc_version=v1.5.3

# A docker command as new as the one in the generator's image: that of this Debian release.
docker_cli_release=trixie

# current_engine_directory prints the folder of the programs of that engine; its name has the versions, so that others are built anew.
current_engine_directory() {
  printf '%s/.cache/engines/moby-%s_containerd-%s_runc-%s\n' "${root:?}" "$moby_version" "$containerd_version" "$runc_version"
}

# build_current_engine builds it unless it is there: five to ten minutes on two cores.
build_current_engine() {
  local target
  target=$(current_engine_directory)
  if [ ! -x "$target/dockerd" ]; then
    apt_install gcc libc6-dev libseccomp-dev pkg-config
    rm -rf "$target.partial"
    mkdir -p "$target.partial"
    install_modules "$target.partial" || die "building the current engine failed: is the Go module proxy within reach?"
    rm -rf "$target"
    mv "$target.partial" "$target"
  fi
  [ -x "$target/docker" ] || newer_docker_command "$target" ||
    warn "no newer docker command could be had: this host's own is tried with the current engine"
}

# install_modules DIRECTORY builds the engine's programs into it. Without its tag runc has no seccomp, and no container starts.
install_modules() {
  local static='osusergo netgo exclude_graphdriver_btrfs no_systemd no_btrfs'
  step "runc $runc_version" install_module "$1" 1 seccomp '' "github.com/opencontainers/runc@$runc_version" &&
    step "containerd $containerd_version (some minutes)" install_module "$1" 0 "$static" '' \
      "github.com/containerd/containerd/v2/cmd/containerd@$containerd_version" \
      "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2@$containerd_version" &&
    step "dockerd $moby_version (some minutes)" install_module "$1" 0 "$static" \
      "-X github.com/moby/moby/v2/dockerversion.Version=${moby_version#v}" \
      "github.com/moby/moby/v2/cmd/dockerd@$moby_version" "github.com/moby/moby/v2/cmd/docker-proxy@$moby_version"
}

# install_module DIRECTORY CGO TAGS FLAGS PACKAGE@VERSION… builds programs of one module with its own go.mod.
install_module() {
  local directory=$1 cgo=$2 tags=$3 flags=$4
  shift 4
  cd "$directory" && GOBIN=$directory GOWORK=off GOFLAGS=-mod=mod CGO_ENABLED=$cgo go install -trimpath -ldflags "-s -w $flags" -tags "$tags" "$@"
}

# newer_docker_command DIRECTORY puts the docker command of a newer Debian there, unless the host's is as new: an engine may refuse
# the versions that an old one speaks.
newer_docker_command() {
  local work status=0
  speaks_current docker && return 0
  have apt-get || return 1
  work=$(mktemp -d "${TMPDIR:-/tmp}/gestor-docker.XXXXXX")
  step "the docker command of Debian $docker_cli_release" unpack_docker_command "$work" "$1" || status=1
  rm -rf "$work"
  return "$status"
}

unpack_docker_command() {
  foreign_deb "$docker_cli_release" "$1" docker-cli && dpkg-deb -x "$1"/docker-cli_*.deb "$1/tree" &&
    speaks_current "$1/tree/usr/bin/docker" && install -m 0755 "$1/tree/usr/bin/docker" "$2/docker"
}

# speaks_current COMMAND tells whether a docker command speaks API 1.44 or later, which no engine refuses yet.
speaks_current() {
  local version
  version=$(env -u DOCKER_API_VERSION DOCKER_HOST=unix:///nonexistent "$1" version --format '{{.Client.APIVersion}}' 2>/dev/null) || true
  [[ $version =~ ^1\.[0-9]+$ ]] && [ "${version#1.}" -ge 44 ]
}

# replace_between FILE MARK TEXTFILE puts a text between the lines `<!-- MARK: begin -->` and `<!-- MARK: end -->` of a file.
replace_between() {
  local file=$1 mark=$2 text=$3 new
  if ! grep -qxF "<!-- $mark: begin -->" "$file" || ! grep -qxF "<!-- $mark: end -->" "$file"; then
    die "$file has no marks for $mark: put '<!-- $mark: begin -->' and '<!-- $mark: end -->' where the table belongs"
  fi
  new=$(mktemp "${TMPDIR:-/tmp}/gestor-doc.XXXXXX")
  awk -v mark="$mark" -v text="$text" '
    $0 == "<!-- " mark ": end -->" { inside = 0 }
    !inside { print }
    $0 == "<!-- " mark ": begin -->" { inside = 1; while ((getline line < text) > 0) print line }' "$file" >"$new"
  cat "$new" >"$file"
  rm -f "$new"
}

# between FILE MARK prints what stands there.
between() { sed -n "/^<!-- $2: begin -->\$/,/^<!-- $2: end -->\$/p" "$1" | sed '1d;$d'; }
