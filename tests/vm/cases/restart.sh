# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# SIGKILL of the service while contexts run: they go on, and the next instance lists them with their counters.
. /lib/guest-lib.sh

load_dune
start_duned
for name in one two three; do
	as_user alice dunectl launch --name $name -- /usr/bin/gawk \
		'BEGIN { for (;;) { n++; "/bin/busybox true" ; s = s systime(); s = "" } }' &
done
wait_for 20 "three contexts" sh -c '[ "$(dunectl list --no-legend | grep -c running)" -eq 3 ]'
dunectl --no-legend list | awk '{ print $1, $2, $3, $4 }' >/tmp/before
exits_before=$(dunectl --json stats one | tr ',{' '\n\n' | sed -n 's/^"exits":\([0-9]*\)$/\1/p' | head -n 1)

for round in 1 2 3; do
	stop_duned KILL
	expect_status 1 dunectl list 2>/dev/null
	start_duned
	dunectl --no-legend list | awk '{ print $1, $2, $3, $4 }' >/tmp/after
	expect cmp /tmp/before /tmp/after
	note "round $round: all three listed again"
done
exits_after=$(dunectl --json stats one | tr ',{' '\n\n' | sed -n 's/^"exits":\([0-9]*\)$/\1/p' | head -n 1)
note "exits of one: $exits_before before, $exits_after after"
[ "$exits_after" -ge "$exits_before" ] && [ "$exits_before" -gt 0 ] || fail "counters went backwards"
for name in one two three; do
	expect dunectl kill $name
done
wait_for 5 "no context to be left" sh -c '[ -z "$(dunectl --no-legend list)" ]'
stop_duned
wait_for 5 "allocations to return to zero" /progs/raw_info --zero
expect rmmod dune
pass
