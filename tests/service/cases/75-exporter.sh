# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2154
# The exporter: started by its socket, as a user of its own without privileges, and back after it was killed.
# What it says is tested by tests/service/exporter.
service_with_fake_device
systemctl start dune-exporter.socket
expect inactive "$(systemctl is-active dune-exporter.service || true)" "the exporter before the first question"

# get PATH: the answer of the exporter
get() {
	bash -c 'exec 3<>/dev/tcp/127.0.0.1/13863 &&
		printf "GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n" "$0" >&3 && cat <&3' "$1"
}
get /metrics >/tmp/out
grep -q '^HTTP/1.[01] 200' /tmp/out || { cat /tmp/out; fail "no metrics"; }
contains dune_ /tmp/out
is_active dune-exporter.service || fail "the exporter did not start"
pid=$(property dune-exporter.service MainPID)
user=$(stat -c %U "/proc/$pid")
case $user in
root | duned) fail "the exporter runs as $user" ;;
esac
grep -qx "CapEff:	0000000000000000" "/proc/$pid/status" || fail "the exporter has capabilities"
expect "127.0.0.1:13863" "$(property dune-exporter.socket Listen | sed 's/ .*//')" "where it listens"

kill -KILL "$pid"
get /-/healthy >/tmp/out
grep -q '^HTTP/1.[01] 200' /tmp/out || { cat /tmp/out; fail "no answer after SIGKILL"; }

# Without the service it answers all the same, and says so.
systemctl stop duned.socket duned-admin.socket duned.service
says_so() {
	get /metrics >/tmp/out && grep -qx 'dune_up 0' /tmp/out
}
eventually 30 says_so
service_reset
