# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh disable=SC2154
# Quotas on slices, in the service's sandbox: a program launched with --scope counts where systemd put it, root's
# and a user's, and one launched without does not.
mkdir -p /etc/dune/duned.conf.d
printf '[quota cgroup dune.slice]\ncontexts = 1\n' >/etc/dune/duned.conf.d/72-slice.conf
service_with_fake_device
cat >/tmp/loader <<'END'
#!/bin/sh
# In place of dune-exec: the program's name says what to do.
case $2 in
*/true)	exit 0 ;;
esac
touch /tmp/up
while [ ! -e /tmp/enough ]; do
	sleep 0.1
done
END
chmod 755 /tmp/loader
export DUNE_EXEC=/tmp/loader
rm -f /tmp/enough /tmp/up

dunectl launch --scope sleep &
first=$!
eventually 20 test -e /tmp/up
status=0
dunectl launch --scope true >/tmp/out 2>&1 || status=$?
cat /tmp/out
expect 125 "$status" "the status of a second launch into the slice"
contains "io.dune.Manager.QuotaExceeded" /tmp/out
dunectl launch true
dunectl launch --slice=tenants-b true
dunectl quota | grep dune.slice
touch /tmp/enough
wait $first
dunectl launch --scope true

# The slice of a user's own, by the path that systemd gives it
useradd -m -s /bin/sh frida
uid=$(id -u frida)
printf '[quota cgroup user-%s.slice]\ncontexts = 0\n' "$uid" >/etc/dune/duned.conf.d/72-slice.conf
systemctl reload duned.service
systemctl start "user@$uid.service"
status=0
setpriv --reuid=frida --regid=frida --clear-groups env XDG_RUNTIME_DIR="/run/user/$uid" \
	dunectl launch --scope true >/tmp/out 2>&1 || status=$?
cat /tmp/out
expect 125 "$status" "the status of a launch in frida's slice, which may hold nothing"
contains "io.dune.Manager.QuotaExceeded" /tmp/out
rm /etc/dune/duned.conf.d/72-slice.conf
service_reset
