# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# Events of real contexts reach those who may see them, each type at least once and in order; the sums of
# Totals are those of the contexts' last counters, and outlive them.
. /lib/guest-lib.sh

# The sums over all sections of a name in pretty JSON that stand at least so deep, sorted: "name value",
# without present numbers. section_sums NAME FILE [SPACES]
section_sums() {
	awk -v section="\"$1\":{" -v depth="${3:-0}" '
		{ match($0, /^ */); deep = RLENGTH }
		{ gsub(/[ \t,]/, "") }
		index($0, section) == 1 && deep >= depth { inside = 1; next }
		inside && /^}/ { inside = 0 }
		inside { split($0, part, /"|:/); sum[part[2]] += part[4] }
		END { for (name in sum) if (sum[name] && name !~ /_now$/) print name, sum[name] }' "$2" |
		sort
}

load_dune
start_duned
mkdir -p /tmp/out
dunectl events --json >/tmp/out/root &
as_user alice dunectl events --json >/tmp/out/alice &
as_user bob dunectl events --json --type=ended -t freed >/tmp/out/bob &
dunectl events --json named >/tmp/out/named &
wait_for 5 "four subscribers" sh -c 'dunectl totals --json | grep -q "\"subscriptions_now\":4"'

# Contexts that are held after their end: two exit, one is killed.
echo >/tmp/held
export MKCTX_HOLD=/tmp/held
/progs/mkctx 1000 run /bin/busybox echo one &
/progs/mkctx 1000 run /bin/busybox sleep 1000 &
/progs/mkctx 1001 run /bin/busybox sha256sum /bin/busybox >/tmp/sum &
wait_for 20 "the sleeper to run" sh -c 'dunectl list | grep -q "running.*busybox"'
id=$(dunectl list --no-legend | awk '/running.*busybox/ { print $1; exit }')
dunectl events --json "$id" >/tmp/out/one &
one=$!
wait_for 5 "five subscribers" sh -c 'dunectl totals --json | grep -q "\"subscriptions_now\":5"'
wait_for 20 "the others to end" sh -c '[ "$(dunectl list --no-legend | grep -c " ended ")" -eq 2 ]'
expect dunectl kill "$id"
wait_for 20 "all to end" sh -c '[ "$(dunectl list --no-legend | grep -c " ended ")" -eq 3 ]'

dunectl stats --json=pretty >/tmp/stats
dunectl totals --json=pretty >/tmp/totals
for section in counters exits; do
	# Below the samples; at the top there are sums of all exits.
	section_sums $section /tmp/stats 4 >/tmp/want
	section_sums $section /tmp/totals >/tmp/got
	[ -s /tmp/want ] || fail "no $section at all"
	diff /tmp/want /tmp/got || fail "sums of $section"
done
note "$(grep -c . /tmp/want) exit reasons, $(section_sums counters /tmp/totals | grep ^exits)"

# They are freed; the sums stay, until the module goes.
rm /tmp/held
unset MKCTX_HOLD
wait_for 20 "all to be freed" sh -c '[ -z "$(dunectl list --no-legend)" ]'
wait $one || fail "the stream about one context ended with status $?"
dunectl totals --json=pretty >/tmp/totals
section_sums exits /tmp/totals >/tmp/got
diff /tmp/want /tmp/got || fail "sums of exits after the contexts are gone"
expect_equal "how they ended" "$(section_sums ends /tmp/totals | tr '\n' ' ')" "exit 2 kill 1 "

# A limit: the module says which.
as_user alice dunectl launch --name named --limit private=64K -- /bin/busybox true
wait_for 10 "a limit's event" grep -q '"type":"limit".*"limit":"private_pages","maximum":16' /tmp/out/named

# A guest's fault: where it was.
/progs/raw_guest triple_fault
wait_for 10 "a fault's event" grep -q '"cause":"triple_fault","rip":"0x' /tmp/out/root

for type in created attached running ended freed limit; do
	grep -q "\"type\":\"$type\"" /tmp/out/root || fail "root saw no $type"
done
expect_equal "events of one context" "$(sed 's/.*"type":"\([a-z]*\)".*/\1/' /tmp/out/one | tr '\n' ' ')" \
	"ended freed "
expect_match "why it ended" "$(cat /tmp/out/one)" '"cause":"kill"'
# In the order in which they happened, each context's life as well.
awk -F'"time_usec":' '{ t = $2 + 0; if (t < last) exit 1; last = t }' /tmp/out/root || fail "time goes back"
! grep -q '"owner":1001' /tmp/out/alice || fail "alice saw bob's context"
grep -q '"owner":1000' /tmp/out/alice || fail "alice saw nothing"
! grep -q '"owner":1000' /tmp/out/bob || fail "bob saw alice's contexts"
expect_equal "bob's types" "$(sed 's/.*"type":"\([a-z]*\)".*/\1/' /tmp/out/bob | sort -u | tr '\n' ' ')" \
	"ended freed "
! grep -q dropped /tmp/out/root || fail "events were dropped: $(grep dropped /tmp/out/root)"
cat /tmp/out/one

stop_duned
wait
wait_for 5 "allocations to return to zero" /progs/raw_info --zero
expect rmmod dune
pass
