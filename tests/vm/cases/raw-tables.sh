# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# Page tables that change under the guest: it gets page faults, or the end that they deserve.
. /lib/guest-lib.sh

load_dune
expect /progs/raw_tables
wait_for 5 "allocations to return to zero" /progs/raw_info --zero
expect rmmod dune
pass
