# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh disable=SC2154
# What was installed is there, and systemd's own checkers accept it: sysusers, tmpfiles, units, udev.
while read -r file; do
	[ -e "$file" ] || [ -L "$file" ] || fail "$file is not there"
done <$tests/installed

systemd-sysusers dune.conf
systemd-sysusers dune.conf
id duned
case " $(id -nG duned) " in
*" kvm "*) ;;
*) fail "duned is not in the group kvm: $(id duned)" ;;
esac
expect /usr/sbin/nologin "$(getent passwd duned | cut -d: -f7)" "the shell of duned"

systemd-tmpfiles --create dune.conf
expect "root:root 755" "$(stat -c '%U:%G %a' /run/dune)" "/run/dune"

systemctl daemon-reload
units=$(grep -E '^/usr/lib/systemd/system/[^/]*$' $tests/installed)
[ -n "$units" ] || fail "no units"
# Manual pages are not in this root; nothing else may be complained of.
# shellcheck disable=SC2086
systemd-analyze verify --man=no $units >/tmp/verify 2>&1 || { cat /tmp/verify; fail "verify"; }
[ ! -s /tmp/verify ] || { cat /tmp/verify; fail "systemd-analyze verify complains"; }

if udevadm verify --help >/dev/null 2>&1; then
	udevadm verify /usr/lib/udev/rules.d/60-dune.rules
fi
grep -qx dune /usr/lib/modules-load.d/dune.conf
