# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh disable=SC2154
# A service that does not go round its loop any more is ended by systemd and started anew.
service_reset
expect 20s "$(property duned.service WatchdogUSec)" "WatchdogSec= as installed"
dropin 20-watchdog WatchdogSec=2s TimeoutAbortSec=2s
systemctl start duned.service
pid=$(main_pid)
sleep 5
expect "$pid" "$(main_pid)" "the main process after two and a half periods of the watchdog"
mark=$(journal_mark)
kill -STOP "$pid"
eventually 30 is_replaced "$pid"
journal_since "$mark" >/tmp/journal
contains "Watchdog timeout" /tmp/journal
dunectl info >/dev/null
service_reset
