# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# Signals in a context behave as natively: the same checks pass in both. signals.sh context: only there.
. /lib/guest-lib.sh

load_dune
[ "$1" = context ] || expect /progs/signals
expect /progs/mkctx 1000 run /progs/signals
expect rmmod dune
pass
