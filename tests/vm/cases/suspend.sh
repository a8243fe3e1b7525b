# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# The machine sleeps (ACPI S3: its CPUs are reset, its memory stays) under contexts: they go on where they were, and
# new ones can be made. suspend.sh kvm: beside KVM's machines, where KVM holds VMX for both.
. /lib/guest-lib.sh

entries() {
	/progs/raw_info --entries
}

go_on() {
	before=$(entries)
	wait_for 5 "$1" sh -c "[ \$(/progs/raw_info --entries) -gt $((before + 5)) ]"
}

sleep_and_wake() {
	lines=$(dmesg | wc -l)
	expect sh -c 'echo mem >/sys/power/state'
	said=$(dmesg | tail -n +$((lines + 1)))
	expect_match "the kernel's log" "$said" "Waking up from system sleep state S3"
	expect_equal "what it says of dune" "$(echo "$said" | grep dune:)" ""
}

[ "$(cat /sys/power/mem_sleep 2>/dev/null)" = "s2idle [deep]" ] || skip "this kernel does not know S3"
[ "$1" != kvm ] || load_kvm
load_dune
[ "$1" != kvm ] || chown duned /dev/kvm
start_duned

note "nobody uses VMX"
sleep_and_wake

for name in one two; do
	as_user alice dunectl launch --name $name -- /progs/work >/tmp/$name.out 2>&1 &
	wait_for 10 "$name" sh -c "dunectl list | grep -q '$name.*running'"
done
if [ "$1" = kvm ]; then
	/progs/kvm_run 300 >/tmp/kvm.out 2>&1 &
	kvm=$!
fi
for round in 1 2 3; do
	note "asleep, round $round"
	sleep_and_wake
	go_on "the contexts to go on"
	expect as_user alice dunectl launch -- /bin/busybox true
	[ "$1" != kvm ] || expect /progs/kvm_run 5
done
if [ "$1" = kvm ]; then
	wait $kvm
	expect_equal "status of KVM's machine ($(cat /tmp/kvm.out))" $? 0
fi
for name in one two; do
	expect dunectl kill $name
	expect_match "$name" "$(cat /tmp/$name.out)" "^work: [0-9]+ rounds"
	if grep wrong /tmp/$name.out; then
		fail "$name went wrong"
	fi
done
stop_duned
wait_for 5 "allocations to return to zero" /progs/raw_info --zero
expect rmmod dune
pass
