# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# The whole chain: duned under its own user, an ordinary user launches programs and sees what they do.
. /lib/guest-lib.sh

load_dune "$@"
start_duned
as_user alice dunectl version
as_user alice dunectl launch --name first -- /bin/busybox echo hello >/tmp/out || fail "launch: $?"
expect_equal "output" "$(cat /tmp/out)" "hello"
expect_status 7 as_user alice dunectl launch -- /bin/busybox sh -c 'exit 7'
as_user alice dunectl launch --name sleeper --limit vcpus=1,private=4M -- /bin/busybox sleep 1000 &
wait_for 5 "the sleeper to run" sh -c 'dunectl list | grep -q "sleeper.*running"'
as_user alice dunectl list
as_user alice dunectl inspect sleeper
as_user alice dunectl stats
as_user alice dunectl --json=pretty stats sleeper
expect as_user alice dunectl kill sleeper
wait $!
expect_equal "status of the killed program" $? 137
stop_duned
wait_for 5 "allocations to return to zero" /progs/raw_info --zero
expect rmmod dune
pass
