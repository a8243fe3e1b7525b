# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# dune-exec does with files what execve does: scripts, names, arguments; and says why when it can't.
. /lib/guest-lib.sh

load_dune
run="/progs/mkctx 1000 run"

# refused STATUS TEXT FILE: the status, and one line that holds the text.
refused() {
	out=$($run "$3" 2>&1)
	got=$?
	[ $got -eq "$1" ] || fail "$3 ended with status $got, not $1: $out"
	expect_match "$3's message" "$out" "^dune-exec: .*$2"
	expect_equal "$3's number of lines" "$(echo "$out" | wc -l)" 1
}

mkdir /tmp/f
cd /tmp/f || fail "cd"
printf '#!/bin/busybox cat\nself\n' >script
printf '#! /bin/busybox\n' >bare
printf '#!/tmp/f/script\n' >nested
printf '#!/nonexistent\n' >lost
printf '#!\n' >empty-line
: >empty
echo text >text
head -c 100 /bin/busybox >short
cp /bin/busybox closed
cp /bin/busybox other
chmod 755 script bare nested lost empty-line empty text short other
chmod 600 closed
printf '\003' | dd of=other bs=1 seek=18 conv=notrunc 2>/dev/null

expect_equal "script" "$($run /tmp/f/script /tmp/f/text)" "$(cat script text)"
expect_match "cmdline" "$($run /bin/busybox cat /proc/self/cmdline | tr '\0' ' ')" \
	'^/bin/busybox cat /proc/self/cmdline $'
expect_equal "comm" "$($run /bin/busybox cat /proc/self/comm)" busybox
expect_match "stat" "$($run /bin/busybox grep -c heap /proc/self/maps)" '^[01]$'
expect_equal "own image" "$($run /bin/busybox grep -c dune-exec /proc/self/maps)" 0
# The trampoline and its two pages are all that a program finds besides its own.
expect_equal "area" "$($run /bin/busybox grep -c 'anon_inode:\[dune' /proc/self/maps)" 3
expect_status 42 /progs/exec_stack
expect_status 42 $run /progs/exec_stack
# A static-PIE program: dune-exec itself, which misses its arguments.
expect_match "static-PIE" "$($run /usr/lib/dune/dune-exec 2>&1)" '^dune-exec: usage: '
expect_equal "interpreter as program" \
	"$($run /lib64/ld-linux-x86-64.so.2 /usr/bin/ls -d /lib)" "/lib"
expect_equal "ignored signal" "$(trap '' USR1; $run /bin/busybox sh -c 'kill -USR1 $$; echo on')" on
expect_status 143 $run /bin/busybox sh -c 'kill $$'

# Stopped and continued inside of a system call that only the kernel can restart.
$run /bin/busybox sleep 2 &
pid=$!
usleep 300000
child=$(pgrep -P $pid)
expect kill -STOP "$child"
usleep 100000
expect kill -CONT "$child"
expect wait $pid

for what in run run-eperm signal mask; do
	out=$(/progs/mkctx 1000 /progs/deny_run $what /usr/lib/dune/dune-exec FD /bin/busybox true 2>&1)
	expect_equal "status under a filter ($what)" $? 125
	expect_match "message under a filter ($what)" "$out" "^dune-exec: .*seccomp filter"
done

# Under a filter that lets RUN through, and without the right to set brk: all the same to a program.
out=$(/progs/mkctx 1000 /progs/deny_run mm /usr/lib/dune/dune-exec FD /bin/busybox sha256sum /bin/busybox)
expect_equal "output under a filter" "$out" "$(sha256sum /bin/busybox)"
expect /progs/mkctx 1000 /progs/deny_run mm /usr/lib/dune/dune-exec FD /progs/signals signals

# Too little private memory: for the runtime itself, then for page tables of many gigabytes.
out=$(MKCTX_PRIVATE=8 $run /bin/busybox true 2>&1)
expect_equal "status over the limit" $? 125
expect_match "message over the limit" "$out" "^dune-exec: filling private memory: Disk quota exceeded"
needed=$(for n in 28 32 36 40 44 48 52 56 60 64 68 72 76 80; do
	MKCTX_PRIVATE=$n $run /bin/busybox true 2>/dev/null && echo $n && break; done)
note "private pages needed: $needed"
expect test -n "$needed"
expect_status 135 env MKCTX_PRIVATE="$needed" $run /progs/supervisor

refused 127 "No such file" /tmp/f/absent
refused 127 "No such file" /tmp/f/lost
refused 126 "Permission denied" /tmp/f/closed
refused 126 "Permission denied" /tmp/f
refused 126 "not an ELF file" /tmp/f/empty
refused 126 "not an ELF file" /tmp/f/text
refused 126 "another machine" /tmp/f/other
refused 126 "outside of the file" /tmp/f/short
refused 126 "interpreter" /tmp/f/empty-line
refused 126 "script" /tmp/f/nested
cd /
expect rmmod dune
pass
