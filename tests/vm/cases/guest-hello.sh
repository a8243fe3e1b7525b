# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# The ring-0 example: enters Dune mode, handles its own faults without an exit, goes on with libc.
. /lib/guest-lib.sh

load_dune
out=$(/progs/mkctx 1000 /examples/hello FD) || fail "hello: status $?: $out"
note "$out"
expect_match "output" "$out" "^ring 0: cr3 0x"
expect_match "output" "$out" "^own #UD handled without an exit"
expect_match "output" "$out" "^own #PF at 0xffff900000000000 handled without an exit"
expect_match "output" "$out" "^hello from guest ring 0: all checks passed"
expect rmmod dune
pass
