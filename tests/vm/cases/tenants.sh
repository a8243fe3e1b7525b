# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# Two tenants, one hostile: bob tries all that could read, starve or kill alice's context; each attempt is
# refused, her context runs on, and the service's log names who tried what.
. /lib/guest-lib.sh

load_dune
start_duned
# The sockets as systemd would leave them: in a folder that is not the service's.
chown root:root /run/dune
as_user alice dunectl launch --name hers -- /usr/bin/gawk 'BEGIN { for (;;) n++ }' &
alice=$!
wait_for 20 "her context" sh -c 'dunectl --no-legend list | grep -q "hers.*running"'
id=$(dunectl --no-legend list | awk '$2 == "hers" { print $1 }')
pid=$(dunectl --no-legend list | awk '$2 == "hers" { print $4 }')

expect /progs/tenants "$id" hers "$pid"

expect_match "list" "$(dunectl list)" "hers +alice .*running"
expect_equal "what alice sees" "$(as_user alice dunectl --no-legend list | grep -c running)" 1
while read -r what; do
	grep -q "$what" /tmp/duned.log || fail "not in the log: $what; but: $(grep 'uid 1001' /tmp/duned.log)"
done <<END
client of uid 1001: io.dune.Manager.Kill of context $id of uid 1000 was refused (pid
client of uid 1001: io.dune.Manager.Inspect of context $id of uid 1000 was refused (pid
client of uid 1001: io.dune.Manager.Stats of context $id of uid 1000 was refused (pid
client of uid 1001: io.dune.Manager.SetLimits of context $id of uid 1000 was refused (pid
client of uid 1001: io.dune.Manager.SetQuota was refused (pid
client of uid 1001: io.dune.Manager.Reload was refused (pid
client of uid 1001: disconnected:
client of uid 1001: refused by the quota of user
client of uid 1001: refused: [0-9]* of [0-9]* connections_per_user
more messages that clients caused were dropped
END
# shellcheck disable=SC2154 # set by start_duned
expect kill -0 "$duned_pid"
expect as_user alice dunectl kill hers
wait $alice
expect_equal "status of hers" $? 137
stop_duned
wait_for 5 "allocations to return to zero" /progs/raw_info --zero
expect rmmod dune
pass
