# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# Debian's own dynamic programs in guest ring 3, through their own interpreter.
. /lib/guest-lib.sh

load_dune
run="/progs/mkctx 1000 run"
expect_equal "ls" "$($run /usr/bin/ls -l /lib /etc)" "$(/usr/bin/ls -l /lib /etc)"
expect_equal "sort" "$(printf '2\n10\n1\n' | $run /usr/bin/sort -n | tr '\n' ' ')" "1 2 10 "
expect_equal "gawk" "$($run /usr/bin/gawk 'BEGIN { for (i = 0; i < 5; i++) s += i * 1.5; print s }')" 15
# Where the program lies: somewhere else each time, but for ADDR_NO_RANDOMIZE.
where() {
	"$@" $run /usr/bin/sort /proc/self/maps | grep -m 1 'sort$' | cut -d ' ' -f 1
}
one=$(where env)
expect_match "base" "$one" '^5[56]'
[ "$one" != "$(where env)" ] || fail "two runs at the same address $one"
one=$(where env MKCTX_FIXED=1)
expect_match "fixed base" "$one" '^5555'
expect_equal "second fixed base" "$(where env MKCTX_FIXED=1)" "$one"

# As much environment as one string may be long.
BIG=$(head -c 100000 /dev/zero | tr '\0' x)
export BIG
expect_equal "large environment" "$($run /usr/bin/gawk 'BEGIN { print length(ENVIRON["BIG"]) }')" 100000
unset BIG
cd /tmp || fail "cd"
expect_equal "sqlite3" "$(as_user alice true; $run /usr/bin/sqlite3 /tmp/a.db \
	'create table t(a, b); insert into t values (1, 2), (3, 4); select sum(a * b) from t')" 14
expect rmmod dune
pass
