# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh disable=SC2154
# Removed: nothing runs, nothing is offered, the module is gone from disk; the configuration stays.
. $tests/packages.sh
dunectl info >/dev/null
module=$(find /lib/modules -name 'dune.ko*')
[ -n "$module" ] || fail "no module to begin with"
dpkg -r $names >/tmp/log 2>&1 || { cat /tmp/log; fail "dpkg -r"; }
for unit in duned.service duned.socket dune-exporter.service dune-exporter.socket; do
	expect not-found "$(property $unit LoadState)" "$unit"
	expect inactive "$(systemctl is-active $unit || true)" "$unit"
done
[ -z "$(pgrep -x 'duned|dune-exporter')" ] || fail "still running: $(pgrep -ax 'duned|dune-exporter')"
[ ! -e /run/dune ] || fail "/run/dune is still there"
[ ! -e /var/lib/dkms/dune ] || fail "DKMS still has it"
[ -z "$(find /lib/modules -name 'dune.ko*')" ] || fail "the module is still there"
grep -qx 'contexts = 7' /etc/dune/duned.conf || fail "the configuration is gone"
[ -e /var/lib/duned/probe ] || fail "what the service wrote is gone before the purge"
getent passwd duned >/dev/null || fail "the user is gone"
