# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# An NMI on a CPU in the guest: the host's handler runs at once and sees where it came from, the guest goes on. The
# kernel sends them when sysrq asks for the backtraces of all CPUs.
. /lib/guest-lib.sh

rounds=2
each=10
log=/tmp/log

count() {
	grep -c "$1" $log
}

load_dune
# The backtraces that are asked for are not shown on the console, where the harness would take them for complaints;
# all else that the kernel says meanwhile is brought there below. (A panic shows itself.)
expect dmesg -n 1
dmesg -c >/dev/null
for _ in $(seq $rounds); do
	expect /progs/raw_nmi $each >>/tmp/out
	dmesg -c >>$log
done
expect dmesg -n 5
grep -v 'Call Trace:' $log
cat /tmp/out
exits=$(awk '{ sum += $3 } END { print sum }' /tmp/out)
expect_equal "backtraces of CPU 1" "$(count 'NMI backtrace for cpu 1$')" $((rounds * each))
expect_equal "traces" "$(count 'Call Trace:')" "$(count 'NMI backtrace for cpu')"
# As many as there were exits. (Others came while CPU 1 was in the host.)
expect_equal "NMIs by vmx_nmi" "$(count 'RIP: 0010:vmx_nmi+')" "$exits"
[ "$exits" -ge $((rounds * each / 4)) ] || fail "only $exits exits by NMI"
wait_for 5 "allocations to return to zero" /progs/raw_info --zero
expect rmmod dune
pass
