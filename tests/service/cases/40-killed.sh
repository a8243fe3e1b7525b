# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh disable=SC2154
# SIGKILL while clients wait in the socket: the next instance answers every one of them. The same
# when it was stopped. Ten kills in a row do not run into systemd's start limit.
service_reset
systemctl start duned.service

# clients N: starts so many calls and leaves their numbers in $started
clients() {
	started=
	i=0
	while [ $i -lt "$1" ]; do
		dunectl --timeout=60 --json info >"/tmp/client.$i" 2>&1 &
		started="$started $!"
		i=$((i + 1))
	done
}
answered() {
	for client in $started; do
		wait "$client" || { cat /tmp/client.*; fail "a client got no answer over $1"; }
	done
}

pid=$(main_pid)
kill -STOP "$pid"
clients 50
sleep 1
kill -KILL "$pid"
answered SIGKILL
is_replaced "$pid" || fail "the service did not come back"

systemctl stop duned.service
clients 50
answered "a start by the socket"

for _ in $(seq 10); do
	pid=$(main_pid)
	kill -KILL "$pid"
	eventually 20 is_replaced "$pid"
done
dunectl info >/dev/null
