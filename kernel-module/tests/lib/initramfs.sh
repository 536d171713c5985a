# shellcheck shell=bash
# Makes the small file system that the tests' kernels boot with. Sourced; tests must name the
# folder of the tests.
# shellcheck disable=SC2154

# build_guest OUT [GOARCH]: the first process and the workload, both static.
build_guest() {
	local out=$1 arch=${2:-amd64} cc=gcc
	if [ "$arch" = arm64 ]; then cc=aarch64-linux-gnu-gcc; fi
	mkdir -p "$out"
	(cd "$tests" && GOWORK=off CGO_ENABLED=0 GOARCH=$arch go build -trimpath -o "$out/init" ./guest)
	"$cc" -O1 -Wall -Wextra -static -pthread -o "$out/workload" "$tests/csrc/workload.c"
}

# unpack_module FOLDER NAME OUT: a module of the kernel's own package, decompressed; silent when there is none.
unpack_module() {
	local file
	file=$(find "$1" -name "$2.ko*" | sed -n 1p)
	case $file in
	*.ko) cp "$file" "$3" ;;
	*.ko.xz) xz -dc "$file" >"$3" ;;
	*.ko.zst) zstd -dqc "$file" >"$3" ;;
	esac
}

# pack FOLDER OUT: the folder as an initramfs.
pack() {
	(cd "$1" && find . | cpio --quiet -o -H newc -R 0:0) >"$2"
}

# initramfs OUT GUEST MODULE KERNEL_MODULES: everything a boot needs in one archive.
initramfs() {
	local out=$1 guest=$2 module=$3 modules=$4 root
	root=$(mktemp -d)
	chmod 755 "$root"
	mkdir -p "$root"/{proc,sys,dev,tmp}
	cp "$guest/init" "$guest/workload" "$root/"
	if [ -e "$guest/cost" ]; then cp "$guest/cost" "$root/"; fi
	cp "$module" "$root/sysinfo_gestor.ko"
	if [ "$modules" != - ]; then unpack_module "$modules" brd "$root/brd.ko"; fi
	pack "$root" "$out"
	rm -rf "$root"
}
