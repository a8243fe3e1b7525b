# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# Traps and signals of a program in guest ring 0.
. /lib/guest-lib.sh

load_dune
expect /progs/mkctx 1000 /progs/ring0_traps FD
expect rmmod dune
pass
