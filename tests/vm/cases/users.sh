# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# Two users who can neither see nor kill each other's contexts; root can.
. /lib/guest-lib.sh

load_dune
start_duned
as_user alice dunectl launch --name hers -- /bin/busybox sleep 1000 &
alice=$!
as_user bob dunectl launch --name his -- /bin/busybox sleep 1000 &
bob=$!
wait_for 10 "both contexts" sh -c '[ "$(dunectl list --no-legend | grep -c running)" -eq 2 ]'
id=$(dunectl --no-legend list | grep hers | awk '{ print $1 }')

expect_equal "what bob sees" "$(as_user bob dunectl --no-legend list | grep -c .)" 1
expect_match "what bob sees" "$(as_user bob dunectl list)" " his "
expect_equal "what alice sees" "$(as_user alice dunectl --no-legend list | grep -c .)" 1
for which in hers "$id"; do
	expect_status 4 as_user bob dunectl kill "$which"
	expect_status 4 as_user bob dunectl inspect "$which"
	expect_status 4 as_user bob dunectl stats "$which"
done
expect_status 4 as_user bob dunectl kill 999999
# Nobody can open the device but the service.
expect_status 1 as_user bob sh -c 'exec 3<>/dev/dune' 2>/dev/null
# Alice's program is still there; root may end both.
expect_match "list" "$(dunectl list)" "hers +alice .*running"
expect as_user alice dunectl kill hers
wait $alice
expect_equal "status of hers" $? 137
expect dunectl kill his
wait $bob
expect_equal "status of his" $? 137
stop_duned
wait_for 5 "allocations to return to zero" /progs/raw_info --zero
expect rmmod dune
pass
