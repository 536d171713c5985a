# shellcheck shell=bash
# Where the tests keep kernels, builds and consoles: sets CACHE. Sourced by all of them.

# Kbuild and the tables of kernels.sh take no blanks and the like in a path, and a chroot no symbolic link. So a clone in such
# a folder has its cache in the home folder.
plain_path() { [[ $1 != *[!A-Za-z0-9_./+,@=~-]* ]]; }

CACHE=$(realpath -m "${GESTOR_KERNEL_CACHE:-$(dirname "${BASH_SOURCE[0]}")/../../../.cache/kernel}")
if ! plain_path "$CACHE" && [ -z "${GESTOR_KERNEL_CACHE:-}" ]; then CACHE=$(realpath -m "${XDG_CACHE_HOME:-$HOME/.cache}/gestor-kernel"); fi
if ! plain_path "$CACHE"; then
	echo "kernels cannot be kept in $CACHE: kbuild takes no blanks or special characters in a path; name another folder in GESTOR_KERNEL_CACHE" >&2
	exit 1
fi
