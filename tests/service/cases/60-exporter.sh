# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh disable=SC2154
# dune-exporter by its socket: started by the first who asks, in its sandbox, as a user of its own without a
# network; reaches duned all the same; goes on while duned is away; ends and comes back.

# ask PATH: one HTTP request, to a file
ask() {
	bash -c 'exec 3<>/dev/tcp/127.0.0.1/13863
		printf "GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" "$1" >&3
		cat <&3' ask "$1" >/tmp/answer
}

shows() {
	ask /metrics && grep -qxF "$1" /tmp/answer
}

service_with_fake_device
systemctl start dune-exporter.socket
expect inactive "$(systemctl is-active dune-exporter.service || true)" "the exporter before anybody asks"
ask /metrics
contains "HTTP/1.1 200 OK" /tmp/answer
eventually 10 shows "dune_up 1"
contains 'dune_service_calls_total{method="Totals"}' /tmp/answer
expect active "$(systemctl is-active dune-exporter.service)" "the exporter"
ask /
contains "script-src 'sha256-" /tmp/answer

pid=$(property dune-exporter.service MainPID)
uid=$(stat -c %u "/proc/$pid")
[ "$uid" -ge 61184 ] && [ "$uid" -le 65519 ] || fail "runs as uid $uid, no dynamic one"
[ "$(readlink "/proc/$pid/ns/net")" != "$(readlink /proc/1/ns/net)" ] || fail "it has the host's network"
grep -q '^CapEff:[[:space:]]*0*$' "/proc/$pid/status" || fail "it has capabilities"
[ "$(awk '/^Seccomp:/ { print $2 }' "/proc/$pid/status")" = 2 ] || fail "it has no system call filter"

systemctl stop duned.service duned.socket
eventually 10 shows "dune_up 0"
service_with_fake_device
eventually 10 shows "dune_up 1"

# Killed, it comes back; stopped, it comes back with the next who asks.
kill -KILL "$pid"
eventually 10 is_active dune-exporter.service
eventually 10 shows "dune_up 1"
systemctl stop dune-exporter.service
eventually 10 shows "dune_up 1"
expect 0 "$(property dune-exporter.service NRestarts)" "restarts since then"
systemctl stop dune-exporter.service dune-exporter.socket
! ask /metrics 2>/dev/null || fail "somebody answers after the end"
service_reset
