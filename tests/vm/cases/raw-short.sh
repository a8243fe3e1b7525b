# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# Contexts in cgroups that reach memory.max: private pages are refused, the rest ends the process that wants it, and
# nobody else's.
. /lib/guest-lib.sh

# short NAME MAX: raw_short's part NAME in a cgroup of its own. Prints its status, and how often the OOM killer came.
short() {
	cgroup=/sys/fs/cgroup/$1
	mkdir "$cgroup"
	echo "$2" >"$cgroup/memory.max"
	# shellcheck disable=SC2016
	sh -c 'echo $$ >"$0/cgroup.procs"; exec /progs/raw_short "$1"' "$cgroup" "$1" >&2
	echo "$? $(sed -n 's/^oom_kill //p' "$cgroup/memory.events")"
}

mount -t cgroup2 none /sys/fs/cgroup || fail "no cgroup2 here"
expect sh -c 'echo +memory >/sys/fs/cgroup/cgroup.subtree_control'
load_dune
/progs/raw_guest spin &
spinning=$!
wait_for 5 "the guest to spin" sh -c '/progs/raw_info | grep -q " contexts 1 vcpus 1"'
# The OOM killer's report has a trace, which is not to be taken for a complaint; what else there is, is looked for here.
dmesg -n 1
expect_equal "private pages: status and kills" "$(short private 8M)" "0 0"
expect_match "tables of private pages: status and kills" "$(short tables 2M)" "^(0 0|137 1)$"
expect_equal "tables of slots: status and kills" "$(short slots 8M)" "137 1"
expect_equal "traces that are not the OOM killer's" "$(dmesg | grep -c 'Call Trace:')" \
	"$(dmesg | grep -c 'invoked oom-killer')"
expect_equal "complaints" "$(dmesg | grep -E 'BUG: |WARNING: |dune: assertion|KASAN|UBSAN')" ""
expect kill -0 $spinning
expect_match "a new context" "$(/progs/raw_hello)" "hello from guest ring 0"
kill -9 $spinning
wait $spinning
wait_for 5 "allocations to return to zero" /progs/raw_info --zero
expect rmmod dune
pass
