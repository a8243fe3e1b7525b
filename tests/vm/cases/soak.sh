# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# soak.sh EXITS VIOLATIONS CYCLES: so many VM exits, EPT violations and lives of contexts, with a worker on every
# CPU; every counter of the module is back at zero afterwards.
. /lib/guest-lib.sh

exits=$1
violations=$2
cycles=$3

load_dune
cpus=$(grep -c ^processor /proc/cpuinfo)
i=0
pids=
while [ $i -lt "$cpus" ]; do
	/progs/mkctx $((1000 + i)) /progs/ring0_soak FD $((exits / cpus)) $((violations / cpus)) >/tmp/soak.$i 2>&1 &
	pids="$pids $!"
	i=$((i + 1))
done
for pid in $pids; do
	wait "$pid"
	expect_equal "status ($(cat /tmp/soak.*))" $? 0
done
note "$(cat /tmp/soak.*)"
sum=$(cat /tmp/soak.* | awk '{ exits += $2; violations += $4 } END { print exits, violations }')
[ "${sum% *}" -ge "$exits" ] || fail "fewer exits: $sum"
[ "${sum#* }" -ge "$violations" ] || fail "fewer violations: $sum"
out=$(/progs/raw_cycles "$cycles")
expect_equal "cycles" "$out" "raw_cycles: $cycles cycles"
note "$out"
wait_for 5 "allocations to return to zero" /progs/raw_info --zero
note "$(/progs/raw_info)"
expect rmmod dune
pass
