# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh disable=SC2154
# Purged: every file is as before the installation, but for what is the administrator's own and the user,
# who stays (its number must not become somebody else's).
. $tests/packages.sh
dpkg -P $names >/tmp/log 2>&1 || { cat /tmp/log; fail "dpkg -P"; }
[ -z "$(dpkg-query -W -f '${Package} ' $names 2>/dev/null)" ] || fail "dpkg still knows of them"
expect "# mine" "$(cat /etc/dune/duned.conf.d/50-mine.conf)" "the administrator's own file"
rm -r /etc/dune
world >/tmp/world.after
diff /var/tmp/world.before /tmp/world.after >/tmp/difference || true
[ ! -s /tmp/difference ] || { cat /tmp/difference; fail "not as before"; }
for file in passwd group shadow gshadow; do
	[ "$(grep -c '^duned:' /etc/$file)" = 1 ] || fail "duned in /etc/$file"
done
case $(getent shadow duned) in
"duned:!"* | "duned:*"*) ;;
*) fail "duned can log in: $(getent shadow duned)" ;;
esac
