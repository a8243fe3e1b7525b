# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# The machine sleeps (ACPI S3: its CPUs are reset, its memory stays) under contexts: they go on where they were, and
# new ones can be made. suspend.sh kvm: beside KVM's machines, where KVM holds VMX for both.
. /lib/guest-lib.sh

sleep_and_wake() {
	lines=$(dmesg | wc -l)
	expect sh -c 'echo mem >/sys/power/state'
	said=$(kernel_said "$lines")
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

# kvm_passes TICKS: whether KVM's machine has had more processor time by now.
kvm_passes() {
	[ "$(kvm_ticks)" -gt "$1" ]
}

kvm_ticks() {
	cut -d ' ' -f 14 /proc/$kvm/stat
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
if [ "$1" = kvm ]; then
	/progs/kvm_run 0 >/tmp/kvm.out 2>&1 &
	kvm=$!
	wait_for 20 "KVM's machine" kvm_passes 5
fi
rounds=3
# There the firmware takes a minute and more to wake the machine.
case $(uname -r) in *-dune-debug) rounds=1 ;; esac
for round in $(seq $rounds); do
	note "asleep, round $round"
	one=$(rounds one)
	two=$(rounds two)
	[ "$1" != kvm ] || ticks=$(kvm_ticks)
	sleep_and_wake
	wait_for 20 "the first to go on" passes one "$one"
	wait_for 20 "the second to go on" passes two "$two"
	[ "$1" != kvm ] || wait_for 20 "KVM's machine to go on" kvm_passes "$ticks"
	expect as_user alice dunectl launch -- /bin/busybox true
done
if [ "$1" = kvm ]; then
	kill $kvm
	wait $kvm
	expect_equal "status of KVM's machine ($(cat /tmp/kvm.out))" $? 0
	expect_match "KVM's machine" "$(cat /tmp/kvm.out)" "^kvm_run: [0-9]+ rounds$"
fi
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
