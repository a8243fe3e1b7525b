# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=guest/guest-lib.sh
# What `make demo` shows: the real module, the service under its own user, and Debian's own programs in Dune
# contexts as an ordinary user. Every result is compared with the native one.
. /lib/guest-lib.sh

say() {
	printf '\n\033[1m$ %s\033[0m\n' "$*"
}

# quoted WORD...: as it would be typed.
quoted() {
	for word in "$@"; do
		case $word in
		*[!A-Za-z0-9_./=:,+-]*) printf " '%s'" "$word" ;;
		*) printf ' %s' "$word" ;;
		esac
	done
}

# compare WHAT COMMAND...: natively and in a context; the same output and status.
compare() {
	what=$1
	shift
	as_user alice "$@" >/tmp/native 2>&1
	native=$?
	say "dunectl launch --$(quoted "$@")"
	as_user alice dunectl launch --name "$what" -- "$@" >/tmp/inside 2>&1
	inside=$?
	head -n 5 /tmp/inside
	[ "$inside" -eq "$native" ] || fail "$what: status $inside inside, $native natively"
	cmp -s /tmp/native /tmp/inside || fail "$what: the output differs from the native one"
}

load_dune
start_duned
cd /tmp || exit 1
gawk 'BEGIN { srand(1); for (i = 0; i < 2000; i++) print int(rand() * 100000) }' >numbers
chmod 644 numbers

echo "Debian's own programs, unmodified, in Dune contexts, launched by alice (uid 1000):"
compare busybox /bin/busybox sha256sum /bin/busybox
compare ls /usr/bin/ls -l /etc
compare sort /usr/bin/sort -n numbers
compare gawk /usr/bin/gawk '{ s += $1 } END { print "sum", s }' numbers
compare sqlite3 /usr/bin/sqlite3 /tmp/demo.db \
	'drop table if exists t; create table t(a, b); insert into t values (1, "one"), (2, "two"), (3, "three");
	 select count(*), sum(a), group_concat(b) from t;'

say "hello (links libdune and goes on in guest ring 0)"
as_user alice /examples/hello || fail "hello: $?"

# A long-running one, to be looked at from outside. It counts what it does.
say "dunectl launch --name worker -- gawk ... &"
as_user alice dunectl launch --name worker --limit vcpus=1,private=8M -- \
	/usr/bin/gawk 'BEGIN { while (1) { for (i = 0; i < 2000; i++) s = s i; s = ""; system_time = systime(); fflush() } }' &
worker=$!
wait_for 20 "the worker" sh -c 'dunectl stats worker 2>/dev/null | grep -q external_interrupt'
say "dunectl list"
as_user alice dunectl list || fail "list"
say "dunectl stats"
as_user alice dunectl stats | tee /tmp/stats || fail "stats"
as_user alice dunectl --json=short stats worker >/tmp/stats.json
# Nothing zero that can't be, and the total is the sum.
for name in entries exits runs syscalls hypercalls ept_read ept_write ept_exec ept_fills slices; do
	grep -q "\"$name\":[1-9]" /tmp/stats.json || fail "counter $name is zero"
done
total=$(gawk '$1 == "total" { print $2 }' /tmp/stats)
sum=$(gawk '$1 == "EXIT" { on = 1; next } $1 == "total" { on = 0 } on && NF == 2 { s += $2 } END { print s }' /tmp/stats)
[ -n "$total" ] && [ "$total" -eq "$sum" ] || fail "the total of exits is $total, their sum $sum"
say "dunectl kill worker"
as_user alice dunectl kill worker || fail "kill"
wait $worker
stop_duned
wait_for 5 "allocations to return to zero" /progs/raw_info --zero
rmmod dune || fail "rmmod"
printf '\nTotal of exits %s = sum over reasons. Everything as natively.\n' "$total"
