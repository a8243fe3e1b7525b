# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh disable=SC2154
# Contexts over SIGKILL, restart and stop of the service, with a module of paper in a process of its own (with the
# real one: tests/vm/cases/crash-storm.sh): those that are held stay, with their numbers; what clients create and drop
# meanwhile leaves nothing behind, however their calls end.
service_reset
# Its socket is the service's to connect to, as the device is.
systemd-run --quiet --unit=paper-module --property=User=duned --property=RuntimeDirectory=paper \
	--property=RuntimeDirectoryMode=0755 $tests/bin/fake-module /run/paper/module
eventually 10 test -S /run/paper/module
dropin 10-fake ExecStart= "ExecStart=$tests/bin/duned-fake --device=fake:module=/run/paper/module"
systemctl start duned.service

mkfifo /tmp/held
$tests/bin/hold_contexts 10 </tmp/held >/tmp/holder &
exec 9>/tmp/held
eventually 10 grep -qx "done" /tmp/holder
ids() {
	dunectl --timeout=60 list --no-legend | awk '{ print $1 }' | sort -n | xargs
}
held=$(ids)
expect 10 "$(echo "$held" | wc -w)" "the number of contexts"

# Creates a context and drops it at once, over and over; a call that the service takes along fails, and may.
printf '#!/bin/sh\nexit 0\n' >/tmp/loader
chmod 755 /tmp/loader
churn() {
	while [ ! -e /tmp/enough ]; do
		DUNE_EXEC=/tmp/loader dunectl --timeout=60 launch true 2>/dev/null && echo >>/tmp/launched
		true
	done
}
rm -f /tmp/enough /tmp/launched
churn &
churner=$!
for i in $(seq 10); do
	pid=$(main_pid)
	kill -KILL "$pid"
	eventually 20 is_replaced "$pid"
	sleep "0.$i"
done
systemctl restart duned.service
systemctl stop duned.service
touch /tmp/enough
wait $churner
[ "$(wc -l </tmp/launched)" -ge 10 ] || fail "only $(wc -l </tmp/launched) launches meanwhile show nothing"
expect "$held" "$(ids)" "the list of contexts afterwards"

exec 9>&-
none_left() {
	[ -z "$(ids)" ]
}
eventually 10 none_left
service_reset
systemctl stop paper-module.service
