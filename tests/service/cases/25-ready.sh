# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh disable=SC2154
# Readiness: `systemctl start` ends when the service answers, not before; a configuration with an error
# makes it fail at once, with file and line in the journal.
service_reset
# shellcheck disable=SC2016
dropin 20-late ExecStart= "ExecStart=/bin/sh -c 'kill -STOP \$\$\$\$; exec /usr/lib/dune/duned'"
systemctl start --no-block duned.service
sleep 1
expect activating "$(systemctl is-active duned.service || true)" "the state before READY=1"
kill -CONT "$(main_pid)"
eventually 20 is_active duned.service

service_reset
mark=$(journal_mark)
mkdir -p /etc/dune/duned.conf.d
printf '[contexts]\nper-user = many\n' >/etc/dune/duned.conf.d/90-bad.conf
dropin 20-once Restart=no
if systemctl start duned.service; then
	fail "started with a bad configuration"
fi
journal_since "$mark" >/tmp/journal
contains "90-bad.conf:2" /tmp/journal
rm /etc/dune/duned.conf.d/90-bad.conf
service_reset
systemctl start duned.service
