# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# The module alone: a guest of a dozen instructions makes one system call and exits.
. /lib/guest-lib.sh

load_dune
expect_match "output" "$(/progs/raw_hello)" "hello from guest ring 0"
expect rmmod dune
pass
