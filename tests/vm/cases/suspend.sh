# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# The machine sleeps (ACPI S3: its CPUs are reset, its memory stays) under contexts: they go on where they were, and
# new ones can be made. suspend.sh kvm: beside KVM's machines, where KVM holds VMX for both.
. /lib/guest-lib.sh

sleep_and_wake() {
	lines=$(dmesg | wc -l)
	expect sh -c 'echo mem >/sys/power/state'
	said=$(dmesg | tail -n +$((lines + 1)))
	expect_match "the kernel's log" "$said" "Waking up from system sleep state S3"
	expect_equal "what it says of dune" "$(echo "$said" | grep dune:)" ""
}

# rounds NAME: how far its program is.
rounds() {
	tail -n 1 "/tmp/$1.out" | sed -n 's/^work: \([0-9]*\) rounds$/\1/p'
}

# passes NAME ROUNDS: whether it is further by now.
passes() {
	[ "$(rounds "$1")" -gt "$2" ]
}

# A machine that does not end on its own before the host sleeps.
start_kvm() {
	/progs/kvm_run 300 >/tmp/kvm.out 2>&1 &
	kvm=$!
	wait_for 5 "KVM's machine" kvm_is_there
}

kvm_is_there() {
	find /proc/$kvm/fd -exec readlink {} \; | grep kvm-vcpu
}

end_kvm() {
	expect kvm_is_there
	wait $kvm
	expect_equal "status of KVM's machine" $? 0
	expect_equal "KVM's machine" "$(cat /tmp/kvm.out)" "kvm_run: 300 rounds"
}

[ -e /sys/power/mem_sleep ] || skip "this kernel can't suspend"
expect sh -c 'echo deep >/sys/power/mem_sleep'
[ "$1" != kvm ] || load_kvm
load_dune
[ "$1" != kvm ] || chown duned /dev/kvm
start_duned

note "nobody uses VMX"
sleep_and_wake

for name in one two; do
	as_user alice dunectl launch --name $name -- /progs/work >/tmp/$name.out 2>&1 &
	wait_for 20 "$name" passes $name 0
done
for round in 1 2 3; do
	note "asleep, round $round"
	one=$(rounds one)
	two=$(rounds two)
	[ "$1" != kvm ] || start_kvm
	sleep_and_wake
	[ "$1" != kvm ] || end_kvm
	wait_for 20 "the first to go on" passes one "$one"
	wait_for 20 "the second to go on" passes two "$two"
	expect as_user alice dunectl launch -- /bin/busybox true
done
for name in one two; do
	expect dunectl kill $name
	if grep wrong /tmp/$name.out; then
		fail "$name went wrong"
	fi
done
stop_duned
wait_for 5 "allocations to return to zero" /progs/raw_info --zero
expect rmmod dune
pass
