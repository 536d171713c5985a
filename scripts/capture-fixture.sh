#!/bin/sh
# Copies the few files of /proc and /sys/fs/cgroup that services/manager/internal/source/hostproc reads, for the containers that
# run now and a process that is in none, so that its tests can read this host again. The unified tree of a hybrid host
# holds no figures and is left out.
# Plain sh, so that it also runs in a small guest with busybox.
set -eu

usage() {
	cat <<'END'
usage: capture-fixture.sh DIR [ID…]

Writes DIR/proc, DIR/cgroup and DIR/clock (boot time and wall clock in microseconds). DIR must not exist.
With full container ids only those containers are copied.
PROC and CGROUP name other roots than /proc and /sys/fs/cgroup.
The files are text, but a process name may hold any byte: look at them before they leave this host.
END
}

case "${1:-}" in
-h | --help) usage; exit 0 ;;
'') usage >&2; exit 2 ;;
esac
dir=$1
shift
proc=${PROC:-/proc}
cgroup=${CGROUP:-/sys/fs/cgroup}
[ ! -e "$dir" ] || { echo "capture-fixture: $dir exists (name another)" >&2; exit 2; }
mkdir -p "$dir"

# copy FILE TO: reads once and keeps going when the process or cgroup is gone.
copy() {
	mkdir -p "$(dirname "$2")"
	cat "$1" >"$2" 2>/dev/null || rm -f "$2"
}

# one PID: what is read of a process.
one() {
	for f in stat status cgroup cmdline; do copy "$proc/$1/$f" "$dir/proc/$1/$f"; done
}

id='[0-9a-f]\{64\}'
if [ $# -gt 0 ]; then id="\\($(echo "$@" | sed 's/ /\\|/g')\\)"; fi
read -r up _ <"$proc/uptime"
echo "$(echo "$up" | tr -d .)0000 $(date +%s)000000" >"$dir/clock"
for f in meminfo sys/kernel/random/boot_id sys/kernel/osrelease; do copy "$proc/$f" "$dir/proc/$f"; done
grep '^cpu' "$proc/stat" >"$dir/proc/stat"
copy "$proc/1/cgroup" "$dir/proc/1/cgroup"
one 2 # kthreadd: on every host, in no container
for p in "$proc"/[0-9]*; do
	if grep -q "$id" "$p/cgroup" 2>/dev/null; then one "${p##*/}"; fi
done

# The containers' cgroups, and the limits on the way up.
if [ -e "$cgroup/cgroup.controllers" ]; then copy "$cgroup/cgroup.controllers" "$dir/cgroup/cgroup.controllers"; fi
files='cpu.stat cgroup.events memory.current memory.stat memory.max memory.peak memory.swap.current memory.events
cpuacct.usage cpuacct.usage_user cpuacct.usage_sys memory.usage_in_bytes memory.max_usage_in_bytes memory.oom_control
freezer.state'
find "$cgroup" \( -path "$cgroup/unified" -o -path "$cgroup/cpu" \) -prune -o -type d -print | grep "${id}[^/]*\$" | while read -r d; do
	for f in $files; do
		if [ -e "$d/$f" ]; then copy "$d/$f" "$dir/cgroup/${d#"$cgroup"/}/$f"; fi
	done
	while d=${d%/*} && [ "$d" != "$cgroup" ]; do
		if [ -e "$d/memory.max" ]; then copy "$d/memory.max" "$dir/cgroup/${d#"$cgroup"/}/memory.max"; fi
	done
done
