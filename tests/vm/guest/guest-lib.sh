# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash
# For the case scripts, which start with `. /lib/guest-lib.sh`. A case has passed when it called
# `pass` and nothing called `fail` before or after; every helper that checks something fails the
# case by name and ends it. Sleeping costs nothing: virtual time races when the machine is idle.

result=/dev/ttyS1

# fail REASON: ends the case as failed.
fail() {
	dmesg | tail -n 25
	echo "CASE FAILED: $*"
	echo "fail $*" >$result
	exit 1
}

# skip REASON: ends the case as skipped.
skip() {
	echo "skip $*" >$result
	exit 0
}

# pass: the explicit success marker; the last thing a case does.
pass() {
	echo "pass" >$result
	exit 0
}

# note TEXT: a line in the case's log.
note() {
	echo "-- $*"
}

# expect COMMAND...: it has to succeed.
expect() {
	"$@" || fail "\`$*' ended with status $?"
}

# expect_status STATUS COMMAND...: it has to end with exactly this status.
expect_status() {
	want=$1
	shift
	"$@"
	got=$?
	[ "$got" -eq "$want" ] || fail "\`$*' ended with status $got, not $want"
}

# expect_equal WHAT GOT WANTED
expect_equal() {
	[ "$2" = "$3" ] || fail "$1 is '$2', not '$3'"
}

# expect_match WHAT TEXT PATTERN: a line of TEXT has to match the extended regular expression.
expect_match() {
	echo "$2" | grep -Eq -- "$3" || fail "$1 does not match '$3': $2"
}

# wait_for SECONDS WHAT COMMAND...: polls until the command succeeds, in virtual time.
wait_for() {
	tries=$(($1 * 50))
	what=$2
	shift 2
	until "$@" >/dev/null 2>&1; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || fail "timed out: $what"
		usleep 20000
	done
}

# as_user USER COMMAND...: with the user's uid, gid and home, and nothing else.
as_user() {
	user=$1
	shift
	HOME=$(grep "^$user:" /etc/passwd | cut -d: -f6) USER=$user \
		/usr/bin/setpriv --reuid="$user" --regid="$user" --clear-groups --inh-caps=-all "$@"
}

# kernel_said LINES: what the kernel's log has got since it had so many, without what the debug kernel counts.
kernel_said() {
	dmesg | tail -n +$(($1 + 1)) | grep -v 'used greatest stack depth'
}

# let_allocations_fail: what a program asks for in /proc/self/fail-nth is about all kinds, and not in the log.
# Needs debugfs.
let_allocations_fail() {
	for kind in failslab fail_page_alloc; do
		echo N >/sys/kernel/debug/$kind/ignore-gfp-wait
		echo 0 >/sys/kernel/debug/$kind/verbose
	done
	echo 0 >/sys/kernel/debug/fail_page_alloc/min-order
}

# load_kvm: Debian's own KVM modules.
load_kvm() {
	expect insmod /modules/irqbypass.ko
	expect insmod /modules/kvm.ko
	expect insmod /modules/kvm-intel.ko
	wait_for 1 "/dev/kvm" test -c /dev/kvm
}

# unload_kvm: after contexts that KVM held VMX for; the kernel's worker closes their KVM machine a moment after the last.
unload_kvm() {
	wait_for 5 "kvm_intel to be unloaded" rmmod kvm_intel
}

# load_dune [PARAMETER=VALUE...]: our module, with the device as udev's rule would leave it.
load_dune() {
	expect insmod /modules/dune.ko "$@"
	wait_for 1 "/dev/dune" test -c /dev/dune
	expect chown duned:duned /dev/dune
	expect chmod 600 /dev/dune
}

# start_duned [ARGUMENT...]: the service under its own user, with the folders as systemd would make
# them. Sets duned_pid.
start_duned() {
	mkdir -p /run/dune /run/duned
	chown duned:duned /run/dune /run/duned
	# exec: duned_pid has to be duned itself, not a shell that waits for it.
	(exec /usr/bin/setpriv --reuid=duned --regid=duned --clear-groups --inh-caps=-all \
		/usr/bin/duned "$@" >>/tmp/duned.log 2>&1) &
	duned_pid=$!
	# A socket that a killed instance left behind is not an answer.
	wait_for 5 "duned ($(tail -n 1 /tmp/duned.log))" dunectl info
}

# stop_duned [SIGNAL]
stop_duned() {
	kill "-${1:-TERM}" "$duned_pid"
	wait "$duned_pid"
}
