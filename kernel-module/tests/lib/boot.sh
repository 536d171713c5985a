# shellcheck shell=bash
# Boots a kernel under qemu and turns what the guest reports into lines of results. Sourced; work must name
# the folder for consoles and reports.
# shellcheck disable=SC2154

# What a kernel prints when something is wrong with code in it. Not "Call Trace": an OOM kill, which the checks bring
# about, prints one. lockdep's reports are plain warnings, so the console must show those (loglevel=5).
splat='BUG:|WARNING:|Oops|general protection|KASAN:|KCSAN:|UBSAN:|unreferenced object|rcu.*(stall|detected)'
splat+='|suspicious RCU|possible (circular|recursive)|inconsistent lock|lock held when|bad unlock|blocked for more than'

# qemu_run NAME VMLINUZ INITRAMFS APPEND [QEMU ARGUMENTS...]: boots; console and report go to files in $work.
# The time limit is what says that a guest hangs. Two sockets, since a kernel without ACPI (the debug kernels) finds its
# CPUs in a table that has one for each socket.
qemu_run() {
	local name=$1 vmlinuz=$2 initrd=$3 append=$4 limit=${GESTOR_BOOT_SECONDS:-300}
	shift 4
	rm -f "$work/$name".{console,report}
	# shellcheck disable=SC2086 # these are several words
	timeout "$limit" qemu-system-x86_64 ${qemu_accel:--accel tcg,thread=multi -cpu max -smp 2,sockets=2} -m "${GESTOR_BOOT_MEMORY:-1024}" -no-reboot -display none -nodefaults \
		-kernel "$vmlinuz" -initrd "$initrd" -serial "file:$work/$name.console" -serial "file:$work/$name.report" \
		-append "console=ttyS0 loglevel=5 softlockup_all_cpu_backtrace=1 panic=-1 oops=panic panic_on_warn=1 rcupdate.rcu_expedited=1 rdinit=/init net.ifnames=0 $append" "$@"
}

# complaints CONSOLE: the console without the reports of data races that the module has no part in. Linux has such races
# of its own, in its dentry cache for one, and KCSAN watches them too.
complaints() {
	tr -d '\r' <"$1" | awk '
		/KCSAN: data-race/ { report = 1; ours = 0; text = "" }
		report { text = text $0 "\n"; if (/\[sysinfo_gestor\]/) ours = 1 }
		report && /=====/ { if (ours) printf "%s", text; report = 0; next }
		!report
		END { if (report) printf "%s", text }'
}

# collect NAME: prints the results of a boot, and what the console adds to them.
collect() {
	local name=$1 report=$work/$1.report console=$work/$1.console
	grep -a -E '^(ok|FAIL|skip) ' "$report" | sed -E "s#^(ok|FAIL|skip) #\1 $name #" || true
	if ! grep -a -q '^done [0-9]* failed$' "$report"; then
		echo "FAIL $name boot: the guest did not reach its end; see $console"
		tail -n 5 "$console" | tr -d '\r' | sed 's/^/  /' >&2
	fi
	if complaints "$console" | grep -a -E "$splat" >"$work/$name.complaints"; then
		echo "FAIL $name console: the kernel complained; see $console"
		sed -n '1,5s/^/  /p' "$work/$name.complaints" >&2
	else
		echo "ok $name console is clean"
	fi
}
