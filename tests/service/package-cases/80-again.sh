# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh disable=SC2154
# Once more after a purge, without an administrator's hand: a configuration that nobody changed becomes the
# new version's without a question. And the library alone, as in a container's image: no service, no user.
. $tests/packages.sh
dpkg -i $debs/old/duned_* $debs/old/dunectl_* >/tmp/log 2>&1 || { cat /tmp/log; fail "dpkg -i, old"; }
grep -q '0.0.9' /etc/dune/duned.conf || fail "the old version has the new configuration"
dpkg -i $debs/new/duned_* $debs/new/dunectl_* </dev/null >/tmp/log 2>&1 || { cat /tmp/log; fail "dpkg -i, new"; }
cmp $debs/duned.conf /etc/dune/duned.conf
[ -z "$(find /etc/dune -name '*dpkg*')" ] || fail "leftovers: $(find /etc/dune)"
dpkg -P duned dunectl >/tmp/log 2>&1 || { cat /tmp/log; fail "dpkg -P"; }
[ ! -e /etc/dune ] || fail "left: $(find /etc/dune)"

dpkg -i $debs/new/libdune1_* >/tmp/log 2>&1 || { cat /tmp/log; fail "dpkg -i, the library"; }
ldconfig -p | grep -qF libdune.so.1 || fail "the linker does not know libdune.so.1"
[ ! -e /run/dune ] || fail "the library brought a service"
dpkg -P libdune1 >/dev/null 2>&1
world >/tmp/world.after
diff /var/tmp/world.before /tmp/world.after || fail "not as before"
