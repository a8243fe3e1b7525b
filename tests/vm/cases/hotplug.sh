# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# A CPU goes down and comes back under a running guest: the guest moves, the CPU left VMX operation (or it could
# not be started again), and enters it again.
. /lib/guest-lib.sh

entries() {
	/progs/raw_info --entries
}

load_dune
/progs/raw_guest spin &
guest=$!
wait_for 5 "the guest to run" sh -c '[ "$(/progs/raw_info --entries)" -gt 5 ]'
for _ in 1 2; do
	expect taskset -p 2 $guest
	usleep 50000
	expect sh -c 'echo 0 >/sys/devices/system/cpu/cpu1/online'
	before=$(entries)
	wait_for 5 "the guest to go on" sh -c "[ \$(/progs/raw_info --entries) -gt $((before + 5)) ]"
	expect sh -c 'echo 1 >/sys/devices/system/cpu/cpu1/online'
	expect_equal "CPU 1" "$(cat /sys/devices/system/cpu/cpu1/online)" 1
	expect taskset -p 3 $guest
done
# It is used again.
expect taskset -p 2 $guest
before=$(entries)
wait_for 5 "the guest to go on on CPU 1" sh -c "[ \$(/progs/raw_info --entries) -gt $((before + 5)) ]"
kill -9 $guest
wait $guest
wait_for 5 "allocations to return to zero" /progs/raw_info --zero
expect rmmod dune
pass
