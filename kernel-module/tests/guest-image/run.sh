#!/bin/bash
# Runs inside the Debian guest, once Docker is up: the module and the whole suite on a host with systemd and cgroup v2.
# Results go to the second serial port, in the same lines as every other check.
set -uo pipefail
exec 3>/dev/ttyS1
stty -F /dev/ttyS1 raw 2>/dev/null

ok() { echo "ok $1" >&3; }
fail() { echo "FAIL $1: $(tr '\n' '|' <<<"${2:-}" | tail -c 600)" >&3; }

# check NAME COMMAND…: one result; what the command prints is the reason when it fails.
check() {
	local name=$1 output
	shift
	if output=$("$@" 2>&1); then ok "$name"; else fail "$name" "$output"; fi
	echo "guest: $name: $output" | tail -c 2000
}

# eventually SECONDS COMMAND…: until it succeeds.
eventually() {
	local end=$((SECONDS + $1)) output
	shift
	while ((SECONDS < end)); do
		if output=$("$@" 2>&1); then return 0; fi
		sleep 2
	done
	echo "not within the time: $output"
	return 1
}

field() { jq -r ".containers[] | select(.id==\"$1\") | .$2" /proc/sysinfo_gestor; }

one_container() {
	local id pid
	tar -C / -c bin/busybox | docker import --change 'ENTRYPOINT ["/bin/busybox"]' - tiny >/dev/null || return 1
	id=$(docker run -d --memory 32m --name one tiny sleep 1000) || return 1
	pid=$(docker inspect -f '{{.State.Pid}}' one)
	test "$(field "$id" process_count)" = 1 || { echo "process_count: $(field "$id" process_count)"; return 1; }
	test "$(field "$id" 'processes[0].pid')" = "$pid" || { echo "pid $pid: $(field "$id" 'processes[0].pid')"; return 1; }
	test "$(field "$id" 'processes[0].nspid')" = 1 || return 1
	test "$(field "$id" runtime)" = docker || return 1
	test "$(field "$id" memory_max_kb)" = 32768 || { echo "limit $(field "$id" memory_max_kb)"; return 1; }
	docker pause one >/dev/null || return 1
	test "$(field "$id" frozen)" = true || { echo "not frozen"; return 1; }
	docker unpause one >/dev/null
	docker exec one /bin/busybox true
}

# A container's root passes mode bits; only the host's /proc may be read.
refused_inside() {
	! docker run --rm tiny cat /proc/sysinfo_gestor >/dev/null 2>&1 || { echo "its own /proc was readable"; return 1; }
	docker run --rm -v /proc:/host/proc:ro tiny cat /host/proc/sysinfo_gestor | jq -e .end >/dev/null
}

containers_of() { docker ps -q --filter "label=gestor.class=$1" | wc -l; }
converged() { test "$(containers_of low)" = 3 && test "$(containers_of high)" = 2; }
records_say_module() {
	grep -rqE '"source":"module"' /root/gestor/data
}

suite_up() {
	cd /root/gestor && GESTOR_SOURCE=module GESTOR_INTERVAL=60s GESTOR_BATCH=10 GESTOR_OOM_SCORE_ADJ=-500 \
		docker compose up -d --no-build --wait --wait-timeout 240 && return 0
	docker inspect -f '{{json .State.Health.Log}}' gestor-manager-1 | tail -c 300
	docker logs --tail 6 gestor-manager-1 2>&1 | cut -c1-400
	return 1
}
# An engine that may lower scores, cgroup v2, services without root or without capabilities.
services_are_spared() {
	local role pid score
	for role in logs manager generator; do
		pid=$(docker inspect -f '{{.State.Pid}}' "gestor-$role-1")
		score=$(cat "/proc/$pid/oom_score_adj")
		test "$score" = -500 || { echo "$role: $score"; return 1; }
	done
}
suite_down() { cd /root/gestor && docker compose down -t 60 && test -z "$(docker ps -aq --filter label=gestor.run)"; }

gone() { test ! -e /proc/sysinfo_gestor || { echo "it is there" && return 1; }; }

# What make dkms promises: the file belongs to the group of the socket, and the parameters given are in force.
loaded_for_manager() {
	local group want
	group=$(stat -c %g:%a /proc/sysinfo_gestor) || return 1
	want=$(stat -Lc %g /var/run/docker.sock):440
	test "$group" = "$want" || { echo "group $group, not $want"; return 1; }
	test "$(cat /sys/module/sysinfo_gestor/parameters/cmdline_max)" = 256 || { echo "cmdline_max is not 256"; return 1; }
}

loaded_by_systemd() {
	systemctl is-active systemd-modules-load.service && ! systemctl show -p ExecMainStatus systemd-modules-load.service | grep -v '=0$'
}

nothing_left() {
	local left
	left=$(find /etc /usr/src /var/lib/dkms /lib/modules -name '*sysinfo_gestor*')
	test -z "$left" || { echo "$left"; return 1; }
}

# refuses STATUS WORDS COMMAND…: it ends with that status and says that.
refuses() {
	local want=$1 words=$2 output status=0
	shift 2
	output=$("$@" 2>&1) || status=$?
	echo "status $status: $output"
	test "$status" = "$want" && [[ $output == *$words* ]]
}

# The kernel itself: nothing but its own words.
kernel_refuses() {
	local output
	! output=$(insmod /root/built.ko 2>&1) || { echo "it was loaded"; return 1; }
	echo "$output; $(dmesg | tail -n 2)"
	gone
}

# use: the module and the suite as people use them.
use() {
	echo "guest: $(uname -r), $(docker --version)"
	check "guest: docker answers" eventually 180 docker version
	check "guest: make insmod" make -C /root/gestor insmod
	check "guest: a container as Docker describes it" one_container
	check "guest: refused inside a container, readable through the host's /proc" refused_inside
	if [ -x /root/source.test ]; then check "guest: both sources agree" /root/source.test -test.v -test.run SourcesAgree; fi
	docker rm -f one >/dev/null 2>&1
	if [ -e /root/images.tar ]; then
		check "guest: images loaded" docker load -q -i /root/images.tar
		check "guest: the suite starts with source=module" suite_up
		eventually 60 docker inspect gestor-generator-1 >/dev/null
		check "guest: the kernel spares the services" services_are_spared
		check "guest: it converges to 3 low and 2 high" eventually 300 converged
		check "guest: the records name the module" eventually 60 records_say_module
		[ -x /root/source.test ] && check "guest: both sources agree on a busy host" /root/source.test -test.v -test.run SourcesAgree
		check "guest: the suite leaves nothing behind" suite_down
	else
		echo "skip guest: the suite: its images are not built on this host (make images)" >&3
	fi
	check "guest: make rmmod" make -C /root/gestor rmmod
	check "guest: the file is gone" gone
	cp /root/gestor/kernel-module/sysinfo_gestor.ko /root/built.ko # for the boot with lockdown
	cp -r /root/gestor "/root/a b" && make -s -C "/root/a b/kernel-module" clean
	check "guest: make dkms from a folder with a space" make -C "/root/a b" dkms PARAMETERS=cmdline_max=256
	check "guest: it is loaded, for the manager's group" loaded_for_manager
}

# rebooted: what make dkms left is at work after a boot.
rebooted() {
	check "guest: loaded at boot, for the manager's group" loaded_for_manager
	check "guest: by systemd-modules-load" loaded_by_systemd
	check "guest: make dkms-remove" make -C "/root/a b" dkms-remove
	check "guest: nothing of it is left" nothing_left
	check "guest: make rmmod" make -C "/root/a b" rmmod
	check "guest: make insmod from a folder with a space" make -C "/root/a b" insmod
	check "guest: make rmmod again" make -C "/root/a b" rmmod
}

# locked: a kernel that takes signed modules alone, as with Secure Boot.
locked() {
	rm -rf "/lib/modules/$(uname -r)/build" # who builds or installs anything before asking would fail in another way
	check "guest: not loaded at boot after make dkms-remove" gone
	check "guest: the kernel refuses the module" kernel_refuses
	check "guest: insmod.sh says so before it builds" refuses 4 'locked down although Secure Boot is off' /root/gestor/scripts/insmod.sh
	check "guest: without CAP_SYS_MODULE" refuses 3 'bounding set' setpriv --bounding-set -sys_module /root/gestor/scripts/insmod.sh
	check "guest: in a container" refuses 3 'this is a container' unshare --pid --fork --mount-proc /root/gestor/scripts/insmod.sh
	sysctl -q kernel.modules_disabled=1
	check "guest: modules_disabled" refuses 3 'modules_disabled=1' /root/gestor/scripts/insmod.sh
}

phase=$(sed -n 's/.*gestor.phase=\([a-z]*\).*/\1/p' /proc/cmdline)
"$phase"
echo "done 0 failed" >&3
sync
sleep 1
systemctl reboot --force --force
