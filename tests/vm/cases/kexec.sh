# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# One kernel hands the machine to the next (kexec) under contexts that run: the CPUs have left VMX operation, else
# the next one would not get far; it finds them all, and makes contexts of its own.
. /lib/guest-lib.sh

if [ "$1" = next ]; then
	expect_equal "CPUs" "$(nproc)" "$2"
	load_dune
	expect /progs/raw_hello
	start_duned
	expect as_user alice dunectl launch -- /bin/busybox true
	stop_duned
	expect rmmod dune
	pass
fi

[ -e /sys/kernel/kexec_loaded ] || skip "this kernel has no kexec"
load_dune
start_duned
for name in one two; do
	as_user alice dunectl launch --name $name -- /progs/work >/tmp/$name.out 2>&1 &
	wait_for 10 "$name" sh -c "dunectl list | grep -q '$name.*running'"
done
# The next kernel's file system is this one's, without what is mounted.
cd / || fail "no /"
find . -xdev ! -path './boot/*' | cpio -o -H newc >/tmp/initrd 2>/dev/null
expect test -s /tmp/initrd
expect_equal "contexts that run" "$(dunectl list | grep -c running)" 2
/progs/kexec /boot/vmlinux /tmp/initrd "$(cat /proc/cmdline) DUNE_RUN=\"sh /cases/kexec.sh next $(nproc)\""
fail "kexec came back with status $?"
