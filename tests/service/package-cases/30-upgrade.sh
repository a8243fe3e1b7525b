# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh disable=SC2154
# An upgrade under use: the service is restarted, its socket stays the one it is and nobody's call is
# refused; the module is neither loaded nor unloaded; what the administrator wrote stays.
. $tests/packages.sh
sed -i 's/^#contexts = 64$/contexts = 7/' /etc/dune/duned.conf
grep -qx 'contexts = 7' /etc/dune/duned.conf || fail "the configuration could not be changed"
echo "# mine" >/etc/dune/duned.conf.d/50-mine.conf
mkdir -p /var/lib/duned
echo >/var/lib/duned/probe
fake_modprobe

systemctl restart duned.service
dunectl info >/dev/null
pid=$(main_pid)
opened=$(property duned.socket ActiveEnterTimestampMonotonic)
inode=$(stat -c %i /run/dune/io.dune.Manager)
rm -f /tmp/stop /tmp/calls /tmp/refused
cp /usr/bin/dunectl /tmp/dunectl
while [ ! -e /tmp/stop ]; do
	if /tmp/dunectl --timeout=60 --json info >/tmp/answer 2>&1; then
		echo >>/tmp/calls
	else
		cat /tmp/answer >>/tmp/refused
	fi
done &
caller=$!
install_debs new >/tmp/log 2>&1 || { cat /tmp/log; touch /tmp/stop; fail "dpkg -i"; }
touch /tmp/stop
wait $caller
[ ! -s /tmp/refused ] || { cat /tmp/refused; fail "calls were refused"; }
calls=$(wc -l </tmp/calls)
echo "$calls calls were answered meanwhile"
[ "$calls" -gt 5 ] || fail "too few to say anything"

all_configured "$new"
is_replaced "$pid" || fail "the service was not restarted"
expect "$opened" "$(property duned.socket ActiveEnterTimestampMonotonic)" "when the socket was opened"
expect "$inode" "$(stat -c %i /run/dune/io.dune.Manager)" "the inode of the socket"
dunectl --json info >/tmp/info
contains "\"version\":\"$new\"" /tmp/info
[ ! -s /tmp/modprobe.log ] || { cat /tmp/modprobe.log; fail "the module was touched"; }
$debs/tests/dkms
[ -z "$(dkms status -m dune -v 0.0.9)" ] || fail "the old version is still with DKMS"

grep -qx 'contexts = 7' /etc/dune/duned.conf || fail "the configuration was overwritten"
[ -e /etc/dune/duned.conf.dpkg-dist ] || fail "the new default is not offered"
grep -qx '# mine' /etc/dune/duned.conf.d/50-mine.conf
/usr/lib/dune/duned --check | grep -qx 'contexts = 7' || fail "the configuration is not in force"
