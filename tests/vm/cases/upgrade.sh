# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# An upgrade while contexts live, as packages do it: the new file in the old one's place, the old instance told to
# stop, the new one started through the socket that stays open. No call is refused, no context notices. Without
# any service contexts go on, and the module can't be taken away from under them. crash-storm is about SIGKILL.
. /lib/guest-lib.sh

entries_of() {
	dunectl --json stats "$1" | tr ',{' '\n\n' | sed -n 's/^"entries":\([0-9]*\)$/\1/p' | head -n 1
}

launch_lasting() {
	as_user "$1" dunectl launch --name "$2" -- /bin/busybox tail -f /dev/null &
}

lasting() {
	dunectl --no-legend list | awk '{ print $1, $2, $3, $4 }'
}

# Calls, one after the other.
calls() {
	while [ ! -e /tmp/stop ]; do
		if as_user bob dunectl --timeout=60 --json list >/tmp/answer 2>&1 && grep -q '"his"' /tmp/answer; then
			echo >>/tmp/answered
		else
			cat /tmp/answer >>/tmp/refused
		fi
	done
}

instance() {
	sed -n 's/^started //p' /tmp/activate.log | tail -n 1
}

# refuse_rmmod WHILE: says so, and all goes on.
refuse_rmmod() {
	out=$(rmmod dune 2>&1) && fail "rmmod succeeded while $1"
	expect_match "rmmod while $1" "$out" "can't unload module 'dune': Resource temporarily unavailable"
	expect_match "uses of the module while $1" "$(grep ^dune /proc/modules)" '^dune [0-9]+ [1-9]'
}

load_dune
mkdir -p /run/dune /run/duned
chown duned:duned /run/duned
(exec /progs/activate /run/dune/io.dune.Manager 999 /usr/bin/duned >/tmp/activate.log 2>&1) &
activator=$!
wait_for 5 "the socket" grep -q listening /tmp/activate.log
expect_equal "instances before the first call" "$(grep -c started /tmp/activate.log)" 0

launch_lasting alice hers
launch_lasting bob his
mkfifo -m 666 /tmp/go
as_user alice dunectl launch --name ends -- /bin/busybox sh -c 'read -r status </tmp/go; exit $status' &
ending=$!
wait_for 20 "three contexts" sh -c '[ "$(dunectl list --no-legend | grep -c running)" -eq 3 ]'
expect_equal "instances" "$(grep -c started /tmp/activate.log)" 1
lasting >/tmp/before
entries=$(entries_of hers)
old=$(instance)
calls &
caller=$!

note "the new file in the place of the old one"
wait_for 20 "calls" test -s /tmp/answered
cp /usr/bin/duned /usr/bin/duned.dpkg-new
mv /usr/bin/duned.dpkg-new /usr/bin/duned
expect_match "what runs" "$(readlink "/proc/$old/exe")" '\(deleted\)$'
kill "$old"
wait_for 20 "another instance" sh -c '[ "$(grep -c started /tmp/activate.log)" -eq 2 ]'
expect_equal "end of the old one" "$(grep ended /tmp/activate.log)" "ended with status 0"
expect_equal "what runs now" "$(readlink "/proc/$(instance)/exe")" /usr/bin/duned
lasting >/tmp/after
expect cmp /tmp/before /tmp/after
wait_for 20 "more calls" sh -c "[ \$(wc -l </tmp/answered) -gt $(($(wc -l </tmp/answered) + 2)) ]"
touch /tmp/stop
wait $caller
[ ! -s /tmp/refused ] || fail "calls were refused: $(cat /tmp/refused)"
note "$(wc -l </tmp/answered) calls were answered meanwhile"
now=$(entries_of hers)
[ "$now" -ge "$entries" ] || fail "entries went from $entries to $now"
expect as_user alice dunectl launch -- /bin/busybox true

note "without any service"
refuse_rmmod "service and contexts live"
kill $activator
kill "$(instance)"
wait_for 20 "no service" sh -c '! dunectl info'
before=$(/progs/raw_info --entries)
wait_for 20 "the contexts to go on" sh -c "[ \$(/progs/raw_info --entries) -gt $before ]"
refuse_rmmod "contexts live"
start_duned
lasting >/tmp/after
expect cmp /tmp/before /tmp/after

note "they end"
echo 5 >/tmp/go
wait $ending
expect_equal "status of a program that was started three instances ago" $? 5
expect dunectl kill hers
expect dunectl kill his
wait_for 5 "no context to be left" sh -c '[ -z "$(dunectl --no-legend list)" ]'
refuse_rmmod "the service lives"
stop_duned
wait_for 5 "allocations to return to zero" /progs/raw_info --zero
expect rmmod dune
pass
