# shellcheck shell=bash
# Boots a kernel under qemu and turns what the guest reports into lines of results. Sourced; tests must name the folder of the
# tests, work that for consoles and reports.
# shellcheck disable=SC2154

# What a kernel prints when something is wrong with code in it. Not "Call Trace": an OOM kill, which the checks bring
# about, prints one. lockdep's reports are plain warnings, so the console must show those (loglevel=5).
splat='BUG:|WARNING:|Oops|general protection|KASAN:|KCSAN:|UBSAN:|unreferenced object|rcu.*(stall|detected)'
splat+='|suspicious RCU|possible (circular|recursive)|inconsistent lock|lock held when|bad unlock|blocked for more than'

# qemu_once NAME VMLINUZ INITRAMFS APPEND [QEMU ARGUMENTS...]: boots; console and report go to files in $work.
# The time limit is what says that a guest hangs. Two sockets, since a kernel without ACPI (the debug kernels) finds its
# CPUs in a table that has one for each socket.
qemu_once() {
	local name=$1 vmlinuz=$2 initrd=$3 append=$4 limit=${GESTOR_BOOT_SECONDS:-600}
	shift 4

	rm -f "$work/$name".{console,report}
	# shellcheck disable=SC2086 # these are several words
	timeout "$limit" qemu-system-x86_64 $machine -m "${GESTOR_BOOT_MEMORY:-1024}" -no-reboot -display none -nodefaults \
		-kernel "$vmlinuz" -initrd "$initrd" -serial "file:$work/$name.console" -serial "file:$work/$name.report" \
		-append "console=ttyS0 loglevel=5 softlockup_all_cpu_backtrace=1 panic=-1 oops=panic panic_on_warn=1 rcupdate.rcu_expedited=1 rdinit=/init net.ifnames=0 $append" "$@"
}

# qemu_run, with the arguments of qemu_once: boots with KVM where that works, otherwise with a thread of the emulator for
# each CPU ($qemu_machine names another machine). A boot that the emulator itself broke is done once more, after
# $before_reboot.
qemu_run() {
	local name=$1 vmlinuz=$2 machine=${qemu_machine:-} status=0

	if [ -z "$machine" ]; then
		case $("$tests/lib/accel.sh" "$vmlinuz") in
		kvm) machine="-accel kvm -cpu max -smp 2,sockets=2" ;;
		*) machine="-accel tcg,thread=multi -cpu max -smp 2,sockets=2" ;;
		esac
	fi

	qemu_once "$@" || status=$?
	if [[ $machine == *thread=multi* ]] && emulator_fault "$work/$name.console"; then
		echo "note $name is booted again: the emulator broke the kernel's own code patching; see $work/$name.console.1"
		mv "$work/$name.console" "$work/$name.console.1"
		${before_reboot:-:}
		status=0
		qemu_once "$@" || status=$?
	fi
	return "$status"
}

# emulator_fault CONSOLE: whether the kernel died of a known fault of QEMU before 8.1. With a thread for each CPU its emulator
# may run code that another CPU patches at that moment, and the kernel meets the breakpoint (int3) that it writes
# there for the time of the change. Only where that was the first complaint, in code of the kernel and not of a module.
emulator_fault() {
	qemu_before 8.1 && tr -d '\r' <"$1" | awk -v splat="$splat" '
		!int3 && /int3: 0000 \[#1\]/ { int3 = 1; next }
		!int3 && $0 ~ splat { exit }
		int3 && /RIP: 0010:/ { found = /RIP: 0010:[A-Za-z_][A-Za-z0-9_.]*\+0x[0-9a-f]+\/0x[0-9a-f]+ *$/; exit }
		END { exit !found }'
}

# qemu_before VERSION: whether the installed QEMU is older.
qemu_before() {
	local installed
	installed=$(qemu-system-x86_64 --version | sed -n 's/.*version \([0-9.]*\).*/\1/p')
	[ "$installed" != "$1" ] && [ "$(printf '%s\n' "$installed" "$1" | sort -V | sed -n 1p)" = "$installed" ]
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
