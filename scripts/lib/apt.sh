# shellcheck shell=bash
# What the scripts ask of apt: installing by need, the mirror that the host is configured with, and packages of
# another Debian release without touching the host's own configuration. Needs lib/log.sh.

# require_root WHAT COMMAND… ends the script unless it runs as root, naming the command to run.
require_root() {
  local what=$1
  shift
  [ "$(id -u)" -eq 0 ] && return 0
  die "$what needs root. Run this as root: $*"
}

# apt_update refreshes the package lists once per script run.
apt_update() {
  [ "${apt_updated:-0}" = 1 ] && return 0
  apt-get -q -o DPkg::Lock::Timeout=300 update && apt_updated=1
}

# apt_candidate PACKAGE prints the version that the host's package lists offer; nothing when they offer none.
apt_candidate() { LC_ALL=C apt-cache policy "$1" 2>/dev/null | sed -n 's/^  Candidate: //p' | grep -v '^(none)$' || true; }

# apt_install PACKAGE… installs what is missing, without recommended packages. A first failure is taken for stale
# package lists: they are refreshed and the installation is tried again.
apt_install() {
  local package missing=()
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  have apt-get || die "apt-get is missing: install ${missing[*]} with this system's package manager and run again"
  require_root "installing ${missing[*]}" "apt-get install -y ${missing[*]}"
  step "apt: installing ${missing[*]}" apt_get_install "${missing[@]}"
}

apt_get_install() {
  apt_get_install_once "$@" || { apt_update && apt_get_install_once "$@"; }
}

apt_get_install_once() {
  DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 install --no-install-recommends "$@" </dev/null
}

# host_codename prints the release name of this system (bookworm, trixie, noble …).
host_codename() { sed -n 's/^VERSION_CODENAME=//p' /etc/os-release; }

# host_id prints debian, ubuntu or what else /etc/os-release calls the system.
host_id() { sed -n 's/^ID=//p' /etc/os-release | tr -d '"'; }

# debian_mirror prints the address of the Debian archive that the host's apt is configured with, or that
# GESTOR_DEBIAN_MIRROR names; nothing on a system that has none (Ubuntu).
debian_mirror() {
  if [ -n "${GESTOR_DEBIAN_MIRROR:-}" ]; then
    printf '%s\n' "$GESTOR_DEBIAN_MIRROR"
  elif [ "$(host_id)" = debian ]; then
    # shellcheck disable=SC2016 # the $(…) is apt's own placeholder
    apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' |
      awk -v release="$(host_codename)" '$2 == release { print $1; exit }'
  fi
}

# debian_keyring prints the path of the archive's keys; empty when debian-archive-keyring is not installed.
debian_keyring() {
  local file
  for file in /usr/share/keyrings/debian-archive-keyring.{gpg,pgp}; do
    if [ -r "$file" ]; then
      printf '%s\n' "$file"
      return 0
    fi
  done
}

# apt_host_options prints the host's own transport settings of apt (proxies, date checks, retries) as a configuration
# file, so that apt inside an image reaches the mirror in the same way.
apt_host_options() {
  apt-config dump | grep -E '^Acquire::(http|https|Check-|Retries)' | grep -v '""' || true
}

# foreign_deb RELEASE DIRECTORY PACKAGE… downloads packages of another Debian release into a directory through a
# private apt: own sources, lists and cache, so the host's package state is neither read nor changed. No root needed.
foreign_deb() {
  local release=$1 directory=$2 mirror keyring private
  shift 2
  mirror=$(debian_mirror)
  keyring=$(debian_keyring)
  if [ -z "$mirror" ] || [ -z "$keyring" ]; then
    warn "no Debian mirror or no Debian keyring on this system"
    return 1
  fi
  private=$(mktemp -d "${TMPDIR:-/tmp}/gestor-apt.XXXXXX")
  mkdir -p "$private/lists/partial" "$private/cache/archives/partial" "$directory"
  printf 'deb [signed-by=%s] %s %s main\n' "$keyring" "$mirror" "$release" >"$private/sources.list"
  local options=(
    -o "Dir::Etc::SourceList=$private/sources.list" -o Dir::Etc::SourceParts=/dev/null
    -o "Dir::State::Lists=$private/lists" -o "Dir::Cache=$private/cache" -o Dir::State::status=/dev/null
    -o APT::Sandbox::User=root
  )
  (cd "$directory" && apt-get -q "${options[@]}" update && apt-get -q "${options[@]}" download "$@")
  local status=$?
  rm -rf "$private"
  return "$status"
}
