# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# Threads on the host against a thread in the guest, and what happens when the area is replaced.
. /lib/guest-lib.sh

load_dune
expect_match "race" "$(/progs/escape_race)" "^held$"
for how in cover unmap; do
	for address in 0x10000 0x20000 0x21000; do
		/progs/escape_replace $how $address
		expect_equal "status of $how $address" $? 137
	done
done
wait_for 5 "allocations to return to zero" /progs/raw_info --zero
expect rmmod dune
pass
