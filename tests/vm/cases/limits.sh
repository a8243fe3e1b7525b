# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# Each limit is hit, is named in the error, and nothing is left behind.
. /lib/guest-lib.sh

printf '[contexts]\nper-user = 2\nper-host = 3\n' >/tmp/duned.conf
load_dune
start_duned --config=/tmp/duned.conf
as_user alice dunectl launch --name a1 -- /bin/busybox sleep 1000 &
as_user alice dunectl launch --name a2 -- /bin/busybox sleep 1000 &
wait_for 10 "two contexts" sh -c '[ "$(dunectl list --no-legend | grep -c running)" -eq 2 ]'

out=$(as_user alice dunectl launch -- /bin/busybox true 2>&1)
expect_equal "status over the user's limit" $? 125
expect_match "error" "$out" "io.dune.Manager.QuotaExceeded"
expect_status 125 as_user alice dunectl launch --name a1 -- /bin/busybox true
as_user bob dunectl launch --name b1 -- /bin/busybox sleep 1000 &
wait_for 10 "three contexts" sh -c '[ "$(dunectl list --no-legend | grep -c running)" -eq 3 ]'
out=$(as_user bob dunectl launch -- /bin/busybox true 2>&1)
expect_equal "status over the host's limit" $? 125
expect_match "error" "$out" "io.dune.Manager.QuotaExceeded"
for name in a1 a2 b1; do
	expect dunectl kill $name
done
wait_for 5 "no context to be left" sh -c '[ -z "$(dunectl --no-legend list)" ]'

# Too little private memory for the runtime itself.
out=$(as_user alice dunectl launch --limit private=16K -- /bin/busybox true 2>&1)
expect_equal "status over the private limit" $? 125
expect_match "error" "$out" "private"
# More than the configuration allows anybody.
out=$(as_user alice dunectl launch --limit vcpus=100000 -- /bin/busybox true 2>&1)
expect_equal "status over the maximum" $? 125
expect_match "error" "$out" "vcpus"
stop_duned
wait_for 5 "allocations to return to zero" /progs/raw_info --zero
expect rmmod dune

# The host's ceilings are the module's: the service can't exceed them.
load_dune max_contexts=1 max_vcpus=1
start_duned
as_user alice dunectl launch --name only -- /bin/busybox sleep 1000 &
wait_for 10 "the only context" sh -c '[ "$(dunectl list --no-legend | grep -c running)" -eq 1 ]'
out=$(as_user bob dunectl launch -- /bin/busybox true 2>&1)
expect_equal "status over the host's ceiling" $? 125
expect_match "error" "$out" "io.dune.Manager.QuotaExceeded"
expect dunectl kill only
wait_for 5 "no context to be left" sh -c '[ -z "$(dunectl --no-legend list)" ]'
echo 0 >/sys/module/dune/parameters/max_vcpus
out=$(as_user alice dunectl launch -- /bin/busybox true 2>&1)
expect_equal "status without any vcpu" $? 125
expect_match "error" "$out" "vcpu"
stop_duned
wait_for 5 "allocations to return to zero" /progs/raw_info --zero
expect rmmod dune
pass
