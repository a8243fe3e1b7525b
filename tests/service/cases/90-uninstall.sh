# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh disable=SC2154
# Stopped and disabled, the service leaves no socket and no process behind.
service_reset
systemctl start duned.service
systemctl disable --now duned.socket duned-admin.socket duned.service
for socket in /run/dune/io.dune.Manager /run/dune/io.dune.Manager.admin; do
	[ ! -e $socket ] || fail "$socket is still there"
done
if pgrep -x duned; then
	fail "duned runs"
fi
if dunectl info >/tmp/info 2>&1; then
	fail "somebody answers"
fi
contains "the service is not running" /tmp/info
