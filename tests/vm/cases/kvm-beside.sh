# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# KVM and contexts at the same time: KVM holds VMX for both, whoever is loaded first. Then without duned's machine
# for it: VMX has one owner, and who comes second is refused with a reason.
. /lib/guest-lib.sh

# holder WHO: DUNE_VMX_* that the module names.
holder() {
	expect_match "who holds VMX" "$(/progs/raw_info)" "^vmx_holder $1$"
}

# work NAME: something in a context that lasts until it is killed, and that would notice what is wrong.
work() {
	as_user alice dunectl launch --name "$1" -- /progs/work >/tmp/"$1".out 2>&1 &
	wait_for 10 "$1" sh -c "dunectl list | grep -q '$1.*running'"
}

load_kvm
load_dune
chown duned /dev/kvm
start_duned

note "a machine that runs first"
/progs/kvm_run 300 >/tmp/kvm1.out 2>&1 &
kvm1=$!
work one
holder 2
/progs/kvm_run 300 >/tmp/kvm2.out 2>&1 &
kvm2=$!
work two
wait $kvm1
expect_equal "status ($(cat /tmp/kvm1.out))" $? 0
wait $kvm2
expect_equal "status ($(cat /tmp/kvm2.out))" $? 0
expect_match "the first machine" "$(cat /tmp/kvm1.out)" "^kvm_run: 300 rounds$"

note "machines come and go"
for _ in 1 2 3 4 5; do
	expect /progs/kvm_run 5
	expect as_user alice dunectl launch -- /bin/busybox true
done
if rmmod kvm_intel 2>/dev/null; then
	fail "kvm_intel went although contexts need it"
fi
for name in one two; do
	expect dunectl kill "$name"
	expect_match "$name" "$(cat /tmp/$name.out)" "^work: [0-9]+ rounds"
	if grep wrong /tmp/$name.out; then
		fail "$name went wrong"
	fi
done
wait_for 5 "no context to be left" /progs/raw_info --zero
holder 0

note "the module loaded first, and KVM gone in between"
expect rmmod kvm_intel
expect rmmod kvm
expect as_user alice dunectl launch -- /bin/busybox true
work three
holder 1
expect insmod /modules/kvm.ko
expect insmod /modules/kvm-intel.ko
wait_for 1 "/dev/kvm" test -c /dev/kvm
chown duned /dev/kvm
expect_status 1 /progs/kvm_hold </dev/null
expect dunectl kill three
wait_for 5 "no context to be left" /progs/raw_info --zero
expect /progs/kvm_hello
work four
holder 2
expect /progs/kvm_run 20
expect dunectl kill four
wait_for 5 "no context to be left" /progs/raw_info --zero

note "without access to KVM: one owner"
chown root /dev/kvm
mkfifo /tmp/hold
/progs/kvm_hold </tmp/hold >/tmp/held &
kvm1=$!
exec 3>/tmp/hold
wait_for 5 "KVM's VM" grep -q held /tmp/held
out=$(as_user alice dunectl launch -- /bin/busybox true 2>&1)
expect_equal "status while KVM holds VMX" $? 125
expect_match "error" "$out" "io.dune.Manager.VirtualizationBusy"
expect_match "the kernel log" "$(dmesg)" "dune: VMX is held by somebody else"
exec 3>&-
wait $kvm1
expect as_user alice dunectl launch -- /bin/busybox true
wait_for 5 "allocations to return to zero" /progs/raw_info --zero
stop_duned
expect rmmod dune
expect rmmod kvm_intel
pass
