# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# Virtual machines and contexts that take the CPU from each other all the time; with two CPUs, one of them goes away
# and comes back under that, whoever holds VMX.
. /lib/guest-lib.sh

cpu1=/sys/devices/system/cpu/cpu1/online

holder() {
	expect_match "who holds VMX" "$(/progs/raw_info)" "^vmx_holder $1$"
}

# work NAME: something in a context that lasts until it is killed, and that would notice what is wrong.
work() {
	as_user alice dunectl launch --name "$1" -- /progs/work >/tmp/"$1".out 2>&1 &
	wait_for 20 "$1" grep -q rounds /tmp/"$1".out
}

# worked NAME...: they went on until now, and nothing was wrong.
worked() {
	for name in "$@"; do
		before=$(wc -l </tmp/"$name".out)
		wait_for 20 "$name to go on" sh -c "[ \$(wc -l </tmp/$name.out) -gt $before ]"
		expect dunectl kill "$name"
		if grep wrong /tmp/"$name".out; then
			fail "$name went wrong"
		fi
	done
	wait_for 5 "no context to be left" /progs/raw_info --zero
}

# unplug TIMES
unplug() {
	for _ in $(seq "$1"); do
		expect sh -c "echo 0 >$cpu1"
		usleep 30000
		expect sh -c "echo 1 >$cpu1"
		usleep 30000
	done
}

load_kvm
load_dune
chown duned /dev/kvm
start_duned

note "system calls and computing"
work zero
as_user alice dunectl launch --name calls -- /bin/busybox dd if=/dev/zero of=/dev/null bs=1 count=100000000 &
wait_for 10 "dd" sh -c 'dunectl list | grep -q "calls.*running"'
holder 2
expect /progs/kvm_run 500
expect dunectl kill calls
worked zero

if [ -e $cpu1 ]; then
	note "KVM holds VMX, and a CPU comes and goes"
	work one
	work two
	/progs/kvm_run 200 >/tmp/kvm1.out 2>&1 &
	kvm1=$!
	/progs/kvm_run 200 >/tmp/kvm2.out 2>&1 &
	kvm2=$!
	unplug 4
	wait $kvm1
	expect_equal "status ($(cat /tmp/kvm1.out))" $? 0
	wait $kvm2
	expect_equal "status ($(cat /tmp/kvm2.out))" $? 0
	worked one two
fi

note "the module holds VMX"
unload_kvm
work three
work four
holder 1
if [ -e $cpu1 ]; then
	unplug 4
fi
worked three four
stop_duned
expect rmmod dune
if dmesg | grep -E 'WARNING|BUG:|Oops|assertion'; then
	fail "the kernel complains"
fi
pass
