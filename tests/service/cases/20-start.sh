# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh disable=SC2154
# Socket activation: the socket is there without the service, the first call starts it, as the user duned
# without any capability, and it keeps the socket over its end.
service_reset
systemctl enable duned.socket
expect "root:root 666" "$(stat -c '%U:%G %a' /run/dune/io.dune.Manager)" "the socket"
expect inactive "$(systemctl is-active duned.service || true)" "the service before the first call"
dunectl version
dunectl --json info >/tmp/info
contains '"version"' /tmp/info
is_active duned.service || fail "the call did not start the service"
pid=$(main_pid)
expect duned "$(stat -c %U "/proc/$pid")" "the user of the service"
for set in CapInh CapPrm CapEff CapBnd CapAmb; do
	grep -qx "$set:	0000000000000000" "/proc/$pid/status" || fail "the service has capabilities: $set"
done
grep -qx "NoNewPrivs:	1" "/proc/$pid/status" || fail "the service may gain privileges"
grep -qx "Seccomp:	2" "/proc/$pid/status" || fail "no filter of system calls"

systemctl stop duned.service
expect "root:root 666" "$(stat -c '%U:%G %a' /run/dune/io.dune.Manager)" "the socket after a stop"
dunectl info >/dev/null
is_active duned.service || fail "the call after the stop did not start the service"
