# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# Without what it needs of a CPU or of the kernel the module is not loaded: by an exact line in the log, which
# `dunectl doctor` passes on, and with nothing left of it. (setcap.ko pretends; L1TF is in the cases mitigations*.)
. /lib/guest-lib.sh

# change FLAG...: sets them, or takes away those with a "-".
change() {
	for flag in "$@"; do
		expect insmod /modules/setcap.ko flags="$flag"
		expect rmmod setcap
	done
}

nothing_left() {
	grep -q '^dune ' /proc/modules && fail "$1: the module is there"
	[ -e /dev/dune ] && fail "$1: the device is there"
	[ -e /sys/module/dune ] && fail "$1: its folder is there"
	grep -q dune /sys/devices/system/cpu/hotplug/states && fail "$1: its hotplug state is there"
}

# refuse FLAG BACK WHAT [CHECK DETAIL]: with the flag it lacks WHAT; the doctor's row CHECK says DETAIL.
refuse() {
	change "$1"
	dmesg -c >/dev/null
	out=$(insmod /modules/dune.ko force_l1tf=1 2>&1) && fail "loaded with $1"
	expect_match "insmod with $1" "$out" "Operation not supported"
	# Busybox's insmod tries twice, in two ways.
	expect_equal "log with $1" "$(dmesg | sed -n 's/.*\(dune: .*\)/\1/p' | sort -u)" "dune: this machine lacks $3"
	nothing_left "$1"
	doctor=$(dunectl doctor)
	expect_equal "status of the doctor with $1" $? 1
	expect_match "the doctor with $1" "$doctor" "^fail  *kernel-log  *dune: this machine lacks "
	[ -z "$4" ] || expect_match "the doctor with $1" "$doctor" "^fail  *$4  *$5"
	change "$2"
}

doctor=$(dunectl doctor)
echo "$doctor"
for check in cpu-vmx cpu-fsgsbase cpu-nx cpu-fred; do
	expect_match "the doctor" "$doctor" "^ok  *$check"
done
refuse -vmx vmx "VT-x (CPU flag vmx)" cpu-vmx "the processor does not show VT-x"
refuse -fsgsbase fsgsbase "FSGSBASE" cpu-fsgsbase "the processor does not show FSGSBASE"
refuse -nx nx "NX" cpu-nx "the processor does not show NX"
refuse xenpv -xenpv "a kernel that is not a Xen PV guest"
refuse enqcmd -enqcmd "PASID translation, on a CPU with ENQCMD"
# Kernels before 6.9 have no name for it.
if insmod /modules/setcap.ko flags=fred 2>/dev/null; then
	expect rmmod setcap
	refuse fred -fred "a kernel that does not use FRED (fred=off)" cpu-fred "the kernel uses FRED"
fi
load_dune
expect /progs/raw_hello
wait_for 5 "allocations to return to zero" /progs/raw_info --zero
expect rmmod dune
nothing_left "after it all"
pass
