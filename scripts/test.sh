#!/usr/bin/env bash
# The test suite in stages, each with its time, each skip with its reason, and what was left out by name.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: scripts/test.sh [STAGE…]

Runs the given stages, or those without a remark in this order; with CI=true lint and boot too. make soak has the two that
take long.

  images   the images build (base images are pulled or made first)
  vet      go vet over every module
  unit     go test -race over every module but e2e
  alone    every module builds by itself, without the workspace (GOWORK=off)
  bash     shellcheck, and the tests of the scripts (bats)
  module   the kernel module's quick checks
  e2e      the suite on the real engine, the page in a browser
  lint     linters and format       only when named, or with CI=true
  boot     kernels booted in qemu   only when named, or with CI=true
  storm    a debug kernel (KASAN)   only when named, and in make soak
  guest    a whole Debian in qemu   only when named, and in make soak

What is missing on the host is installed first when root runs this; otherwise the tests that need it are skipped and
say so. Ends with the stages that were left out, the total of passed, failed and skipped, and status 1 when anything failed.

GESTOR_BOOT_KERNELS   kernels of the stage boot (default: 6.1,newest)
TEXT
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib/log.sh
. "$root/scripts/lib/log.sh"
# shellcheck source=scripts/lib/go.sh
. "$root/scripts/lib/go.sh"
# shellcheck source=scripts/lib/tools.sh
. "$root/scripts/lib/tools.sh"
# shellcheck source=scripts/lib/compose.sh
. "$root/scripts/lib/compose.sh"
# shellcheck source=scripts/lib/tally.sh
. "$root/scripts/lib/tally.sh"

# prepare installs what the stages need. In CI everything must be had; elsewhere a missing engine, browser or emulator
# costs the tests that need it, and those say so.
prepare() {
  local thing
  "$root/scripts/ensure.sh" go test-tools
  use_go
  build_tools gotestsum
  for thing in "$@"; do
    "$root/scripts/ensure.sh" "$thing" || { [ "${CI:-}" = true ] && die "CI needs $thing"; } ||
      warn "going on without $thing: tests that need it are skipped"
  done
}

# go_tests NAME TIMEOUT ARGUMENT… runs go test through gotestsum and counts every test.
go_tests() {
  local name=$1 timeout=$2 events status=0
  shift 2
  events=$work/$name.json
  "$root/bin/gotestsum" --format pkgname-and-test-fails --hide-summary skipped --jsonfile "$events" -- \
    -timeout "$timeout" "$@" || status=$?
  tally_go_events "$events" || return 1
  return "$status"
}

modules() { go list -m -f '{{.Path}}/...'; }

stage_images() {
  docker version >/dev/null 2>&1 || { tally skipped images "no Docker Engine answers" && return 0; }
  tally_run 'base images' "$root/scripts/base-images.sh"
  tally_run 'compose build' build_images
}

stage_vet() {
  local patterns
  mapfile -t patterns < <(modules)
  tally_run 'go vet' go vet "${race[@]}" "${patterns[@]}"
}

# Some packages' tests read files of the whole repository. Those run each time: the cache of go test knows the files of a
# test's own module alone, and would say ok of a page or a published word that has changed.
stage_unit() {
  local all patterns whole status=0
  mapfile -t all < <(modules | grep -v '/e2e/')
  mapfile -t whole < <(go list "${all[@]}" | grep -E '^gestor\.local/(tools/.*|manager|generator|logs)$')
  mapfile -t patterns < <(go list "${all[@]}" | grep -vxFf <(printf '%s\n' "${whole[@]}"))
  go_tests unit 15m -race "${no_vet[@]}" "${patterns[@]}" || status=1
  go_tests repository 15m -race -count=1 "${no_vet[@]}" "${whole[@]}" || status=1
  return "$status"
}

stage_alone() {
  local directory
  while read -r directory; do
    tally_run "GOWORK=off go build in ${directory#"$root"/}" env -C "$directory" GOWORK=off go build "${race[@]}" ./...
  done < <(go list -m -f '{{.Dir}}')
}

# bats_files FILE…: each file in a bats of its own, as many at a time as there are processors; what a file printed appears when
# it has ended.
bats_files() {
  # shellcheck disable=SC2016 # the words of the inner shell
  printf '%s\0' "$@" | xargs -0 -P "$(nproc)" -n 1 bash -c '
    printed=$(bats --tap "$1" 2>&1)
    status=$?
    flock "$0" printf "# %s\n%s\n" "${1##*/}" "$printed"
    exit "$status"' "$work"
}

stage_bash() {
  local tests
  tally_run "shellcheck of $("$root/scripts/lint.sh" --list-bash | wc -l) scripts" "$root/scripts/lint.sh" --bash
  mapfile -t tests < <(git -C "$root" ls-files -co --exclude-standard '*.bats')
  tally_tap bats_files "${tests[@]}"
}

stage_module() { tally_script "kernel module, quick" "$root/scripts/module-test.sh" --quick; }

stage_boot() {
  tally_script "kernel module, booted" "$root/scripts/module-test.sh" --boot "${GESTOR_BOOT_KERNELS:-6.1,newest}" --cost
}

stage_storm() { tally_script "kernel module, debug kernel" "$root/scripts/module-test.sh" --storm; }

# After the stage images: the guest gets the images that this host's engine has.
stage_guest() { tally_script "kernel module, whole guest" "$root/scripts/module-test.sh" --guest; }

# The suite mostly waits for its ticks: the log service's own tests, which need no engine, run beside it. The others take
# turns, since they measure.
stage_e2e() {
  local alone together status=0
  mapfile -t alone < <(go list gestor.local/e2e/... | grep -vE '/e2e/(suite|store)$')
  together=(gestor.local/e2e/suite gestor.local/e2e/store)
  go_tests e2e 25m -count=1 -p 1 "${no_vet[@]}" "${alone[@]}" || status=1
  go_tests e2e-suite 25m -count=1 -p 2 "${no_vet[@]}" "${together[@]}" || status=1
  return "$status"
}

stage_lint() { tally_run lint "$root/scripts/lint.sh" "${no_bash[@]}"; }

# run_stage NAME prints a header, runs the stage, and counts a stage that broke without a count of its own as one failure.
run_stage() {
  local status started=$SECONDS failed_before
  failed_before=$(tally_count failed)
  printf '\n=== %s\n' "$1"
  set +e
  (set -e && "stage_$1")
  status=$?
  set -e
  if [ "$status" -ne 0 ] && [ "$(tally_count failed)" -eq "$failed_before" ]; then
    tally failed "stage $1" "ended with status $status"
  fi
  printf '=== %s: %d s\n' "$1" $((SECONDS - started))
}

stages=() left_out=()
for argument in "$@"; do
  case $argument in
    images | vet | unit | alone | bash | module | e2e | lint | boot | storm | guest) stages+=("$argument") ;;
    -h | --help) usage && exit 0 ;;
    *) usage >&2 && exit 2 ;;
  esac
done
if [ ${#stages[@]} -eq 0 ] && [ "${CI:-}" = true ]; then
  # The kernels that boot fetches are what e2e's power cuts need.
  stages=(images vet unit alone bash lint boot module e2e)
  left_out=(storm guest)
elif [ ${#stages[@]} -eq 0 ]; then
  stages=(images vet unit alone bash module e2e)
  left_out=(lint boot storm guest)
fi

# With the unit tests, vet and the builds read the packages as those have them compiled, with the race detector: otherwise all of them,
# the dependencies and the standard library too, would be compiled twice, which takes longer than the tests. What the stage vet checks
# is more than what go test would check once more, and the stage bash has what lint would check of the scripts.
race=() no_vet=() no_bash=()
case " ${stages[*]} " in *' unit '*) race=(-race) ;; esac
case " ${stages[*]} " in *' vet '*) no_vet=(-vet=off) ;; esac
case " ${stages[*]} " in *' bash '*) no_bash=(--without-bash) ;; esac

cd "$root"
work=$(mktemp -d "${TMPDIR:-/tmp}/gestor-test.XXXXXX")
trap 'rm -rf "$work"' EXIT
tally_start "$work/tally"
needs=()
case " ${stages[*]} " in *' images '* | *' unit '* | *' e2e '*) needs+=(docker compose) ;; esac
case " ${stages[*]} " in *' e2e '*) needs+=(chromium) ;; esac
case " ${stages[*]} " in *' boot '* | *' storm '* | *' guest '*) needs+=(qemu) ;; esac
prepare "${needs[@]}"
for stage in "${stages[@]}"; do run_stage "$stage"; done
tally_report "${left_out[@]}"
