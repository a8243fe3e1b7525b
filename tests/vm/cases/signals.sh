# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# Signals in a context behave as natively: the same checks pass in both.
. /lib/guest-lib.sh

load_dune
expect /progs/signals
expect /progs/mkctx 1000 run /progs/signals
expect rmmod dune
pass
