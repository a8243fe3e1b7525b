# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# The direct path: off by default; on, nobody who watches or filters system calls misses one. `direct.sh
# audit` on a kernel that audits.
. /lib/guest-lib.sh

parameter=/sys/module/dune/parameters/direct_calls
calls=400	# of ring0_direct: 50 rounds of 8 calls
getpids=50
tracing=/sys/kernel/tracing

# watched WHAT [ARGUMENT...]: the module must not make a single call itself.
watched() {
	what=$1
	shift
	out=$(/progs/mkctx 0 /progs/ring0_direct FD "$@" 2>&1)
	expect_equal "$what" "$out" "direct 0 wrong 0"
}

# unwatched WHAT: it makes all of them, but for a few while there was other work.
unwatched() {
	out=$(/progs/mkctx 0 /progs/ring0_direct FD 2>&1)
	expect_match "$1" "$out" "^direct [0-9]+ wrong 0$"
	made=$(echo "$out" | cut -d' ' -f2)
	[ "$made" -gt $((calls * 9 / 10)) ] && [ "$made" -le $calls ] || fail "$1: $out of $calls"
}

load_dune
if [ "$1" = audit ]; then
	echo Y >$parameter
	expect /progs/watch audit
	dmesg -c >/dev/null 2>&1
	watched "audit"
	records=$(dmesg | grep -c "type=1300.*syscall=39 ")
	# The log has them rate-limited: one from before the context, at least one from it.
	[ "$records" -ge 2 ] || fail "audit has $records records of getpid"
	expect rmmod dune
	pass
fi

expect_equal "the default" "$(cat $parameter)" N
watched "off"
if echo maybe >$parameter 2>/dev/null; then
	fail "'maybe' was taken"
fi
expect_equal "after a bad value" "$(cat $parameter)" N
echo Y >$parameter
expect_equal "on" "$(cat $parameter)" Y
unwatched "on"
# Not without end: a guest that does nothing else leaves the host's interrupts their turn.
expect /progs/raw_direct

watched "a seccomp filter" filter

out=$(/progs/watch trace /progs/mkctx 0 /progs/ring0_direct FD 2>&1)
expect_match "ptrace" "$out" "^direct 0 wrong 0$"
stops=$(echo "$out" | sed -n 's/^getpid stops: //p')
[ "$stops" -ge $getpids ] || fail "ptrace saw $stops getpid calls"

mount -t tracefs none $tracing
echo 1 >$tracing/events/syscalls/sys_enter_getpid/enable
watched "a tracepoint"
echo 0 >$tracing/events/syscalls/sys_enter_getpid/enable
lines=$(grep -c sys_getpid $tracing/trace)
[ "$lines" -ge $getpids ] || fail "the tracepoint saw $lines getpid calls"

echo 1 >$tracing/events/dune/dune_exit/enable
watched "a trace of exits"
echo 0 >$tracing/events/dune/dune_exit/enable

unwatched "on again"
echo N >$parameter
expect_equal "off again" "$(cat $parameter)" N
expect rmmod dune
pass
