#!/usr/bin/env bats
# shellcheck disable=SC1091,SC2016,SC2030,SC2031,SC2034 # the body of the fake QEMU expands when it runs; each test has a shell of its own
# What runs the CPUs of the virtual machines, and which of their ends count, with a QEMU that only writes consoles.

bats_require_minimum_version 1.5.0

setup() {
  tests=$(realpath "$BATS_TEST_DIRNAME/../../kernel-module/tests")
  work=$BATS_TEST_TMPDIR/work
  calls=$BATS_TEST_TMPDIR/calls
  consoles=$BATS_TEST_TMPDIR/consoles
  export GESTOR_KERNEL_CACHE=$BATS_TEST_TMPDIR/cache GESTOR_HOST_ROOT=$BATS_TEST_TMPDIR/host version=7.2.22
  export calls consoles
  mkdir -p "$work" "$consoles" "$BATS_TEST_TMPDIR/bin" "$GESTOR_HOST_ROOT/dev"
  touch "$calls" "$GESTOR_HOST_ROOT/dev/kvm"
  unset GESTOR_BOOT_ACCEL
  qemu 'cp "$consoles/$(wc -l <"$calls")" "$console"; echo "done 0 failed" >"$report"'
  . "$tests/lib/boot.sh"
}

# qemu BODY makes a qemu-system-x86_64 that notes its accelerator and then does what the body says.
qemu() {
  cat >"$BATS_TEST_TMPDIR/bin/qemu-system-x86_64" <<FAKE
#!/usr/bin/env bash
if [ "\$1" = --version ]; then echo "QEMU emulator version \$version (Debian 1:\$version)" && exit 0; fi
files=() accel=
while [ \$# -gt 0 ]; do
  case \$1 in
  -accel) accel=\$2 && shift ;;
  -serial) files+=("\${2#file:}") && shift ;;
  esac
  shift
done
echo "\$accel" >>"\$calls"
console=\${files[0]} report=\${files[1]:-}
$1
FAKE
  chmod +x "$BATS_TEST_TMPDIR/bin/qemu-system-x86_64"
  PATH=$BATS_TEST_TMPDIR/bin:$PATH
}

# console NUMBER writes what that boot prints, from its input.
console() { sed 's/$/\r/' >"$consoles/$1"; }

clean='[    0.000000] Linux version 6.17.7
[    4.200000] sysinfo_gestor: loaded'

# died WHERE: the console of a kernel that met a breakpoint there.
died() {
  printf '%s\n' "$clean" "[    9.163019] Oops: int3: 0000 [#1] SMP NOPTI" \
    "[    9.163500] CPU: 1 UID: 0 PID: 87 Comm: init Tainted: G           O        6.17.7 #1" \
    "[    9.164000] RIP: 0010:$1" "[    9.165000] Kernel panic - not syncing: Fatal exception in interrupt"
}

@test "KVM runs the machines where it boots a kernel, and is asked once" {
  qemu 'echo "VFS: Unable to mount root fs on unknown-block(0,0)" >"$console"'
  run "$tests/lib/accel.sh" vmlinuz
  [ "$output" = kvm ]
  run "$tests/lib/accel.sh" vmlinuz
  [ "$output" = kvm ]
  [ "$(cat "$calls")" = kvm ]
}

@test "a KVM that boots nothing leaves the emulator, and is asked once" {
  qemu 'exit 0'
  for _ in 1 2; do
    run "$tests/lib/accel.sh" vmlinuz
    [ "$output" = tcg ]
  done
  [ "$(wc -l <"$calls")" -eq 1 ]
}

@test "another QEMU is asked again" {
  qemu 'exit 1'
  run "$tests/lib/accel.sh" vmlinuz
  version=10.0.0 run "$tests/lib/accel.sh" vmlinuz
  [ "$(wc -l <"$calls")" -eq 2 ]
}

@test "without the device, or when told, nothing is booted to find out" {
  GESTOR_BOOT_ACCEL=kvm run "$tests/lib/accel.sh" vmlinuz
  [ "$output" = kvm ]
  GESTOR_BOOT_ACCEL=hvf run "$tests/lib/accel.sh" vmlinuz
  [ "$status" -eq 2 ]
  rm "$GESTOR_HOST_ROOT/dev/kvm"
  run "$tests/lib/accel.sh" vmlinuz
  [ "$output" = tcg ]
  [ ! -s "$calls" ]
}

@test "a boot that the emulator broke is done once more and says so" {
  export GESTOR_BOOT_ACCEL=tcg
  died '__d_lookup_rcu+0x5/0x1a0' | console 1
  console 2 <<<"$clean"
  run qemu_run name vmlinuz initrd ''
  [[ $output == 'note name is booted again: '*name.console.1 ]]
  grep -q int3 "$work/name.console.1"
  run collect name
  [ "$output" = 'ok name console is clean' ]
  [ "$(wc -l <"$calls")" -eq 2 ]
}

@test "before the machine boots again, what it changed is undone" {
  export GESTOR_BOOT_ACCEL=tcg
  died '__d_lookup_rcu+0x5/0x1a0' | console 1
  console 2 <<<"$clean"
  undo() { echo undone >>"$calls"; }
  before_reboot=undo qemu_run name vmlinuz initrd '' || true
  [[ $(cat "$calls") == tcg,*$'\nundone\n'* ]]
}

@test "a boot that the emulator broke twice has failed" {
  export GESTOR_BOOT_ACCEL=tcg
  for boot in 1 2; do died '__d_lookup_rcu+0x5/0x1a0' | console $boot; done
  qemu_run name vmlinuz initrd ''
  run collect name
  [[ $output == *'FAIL name console: the kernel complained'* ]]
  [ "$(wc -l <"$calls")" -eq 2 ]
}

@test "only the emulator's fault excuses a boot" {
  while IFS='|' read -r case accel version console; do
    export version GESTOR_BOOT_ACCEL=$accel
    : >"$calls"
    eval "$console" | console 1
    qemu_run name vmlinuz initrd ''
    [ "$(wc -l <"$calls")" -eq 1 ] || { echo "$case: booted again" && return 1; }
    run collect name
    [[ $output == *FAIL* ]] || { echo "$case: $output" && return 1; }
  done <<'TABLE'
in the module|tcg|7.2.22|died 'report_show+0x10/0x90 [sysinfo_gestor]'
no code of the kernel|tcg|7.2.22|died '0xffffffffc0201000'
with KVM|kvm|7.2.22|died '__d_lookup_rcu+0x5/0x1a0'
a QEMU without the fault|tcg|8.1.0|died '__d_lookup_rcu+0x5/0x1a0'
after another complaint|tcg|7.2.22|echo 'BUG: KASAN: slab-out-of-bounds in report_show'; died '__d_lookup_rcu+0x5/0x1a0'
another Oops|tcg|7.2.22|died 'report_show+0x10/0x90' | sed 's/int3: 0000/0000/'
TABLE
}
