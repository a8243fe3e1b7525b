# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# The machine itself: boot.sh [CPUS]. CPU flags, number of CPUs, users, file systems.
. /lib/guest-lib.sh

cpuinfo=$(cat /proc/cpuinfo)
expect_match "/proc/cpuinfo" "$cpuinfo" '^flags.* vmx '
expect_match "/proc/cpuinfo" "$cpuinfo" '^vmx flags.* ept( |$)'
expect_match "/proc/cpuinfo" "$cpuinfo" '^vmx flags.* vpid( |$)'
expect_equal "number of CPUs" "$(grep -c '^processor' /proc/cpuinfo)" "${1:-1}"

expect_equal "uid of root" "$(id -u)" 0
expect_equal "uid of alice" "$(as_user alice id -u)" 1000
expect_equal "groups of bob" "$(as_user bob id -G)" 1001
expect_equal "uid of duned" "$(as_user duned id -u)" 999
expect_equal "alice's capabilities" "$(as_user alice grep CapEff /proc/self/status | cut -f2)" \
	0000000000000000
expect_equal "owner of alice's home" "$(stat -c %u /home/alice)" 1000

expect touch /tmp/file /run/file
expect_status 1 as_user alice touch /run/not-hers
expect_equal "Debian's sort" "$(printf '2\n1\n' | /usr/bin/sort | tr '\n' ' ')" "1 2 "
expect_equal "Debian's gawk" "$(/usr/bin/gawk 'BEGIN { print 6 * 7 }')" 42
expect_equal "Debian's sqlite3" "$(/usr/bin/sqlite3 :memory: 'select 6 * 7')" 42
pass
