# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# What the ring-3 supervisor refuses, answers itself or lets through, each with its errno. supervisor.sh
# [LOADER].
. /lib/guest-lib.sh

load_dune
expect /progs/mkctx 1000 "${1:-/usr/lib/dune/dune-exec}" FD /progs/supervisor supervisor
expect rmmod dune
pass
