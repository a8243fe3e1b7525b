# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# A static program in guest ring 3 does what it does natively.
. /lib/guest-lib.sh

load_dune
run="/progs/mkctx 1000 run"
expect_equal "echo" "$($run /bin/busybox echo one 'two three')" "one two three"
expect_equal "sha256sum" "$($run /bin/busybox sha256sum /bin/busybox)" \
	"$(/bin/busybox sha256sum /bin/busybox)"
expect_equal "environment" "$(A=1 $run /bin/busybox env | grep '^A=')" "A=1"
expect_equal "uid" "$($run /bin/busybox id -u)" 1000
expect_status 7 $run /bin/busybox sh -c 'exit 7'
expect rmmod dune
pass
