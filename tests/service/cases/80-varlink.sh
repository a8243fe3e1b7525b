# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh disable=SC2154
# suites: trixie
# systemd's own Varlink client (varlinkctl, since 257) against the service: info, interfaces, introspection
# through its own parser, calls, streams, errors.
socket=/run/dune/io.dune.Manager
service_with_fake_device

varlinkctl info $socket >/tmp/out
cat /tmp/out
for text in "Vendor: " "Product: " "Version: " "URL: " io.dune.Manager org.varlink.service; do
	contains "$text" /tmp/out
done
expect "io.dune.Manager org.varlink.service" "$(varlinkctl list-interfaces $socket | sort | xargs)" \
	"the list of interfaces"

# What it renders from its own parse tree names everything that the file names.
varlinkctl introspect $socket io.dune.Manager >/tmp/introspected
for what in method type error; do
	expect "$(grep -oE "^$what [A-Za-z]+" /usr/share/dune/io.dune.Manager.varlink | sort | xargs)" \
		"$(sed 's/\x1b\[[0-9;]*m//g' /tmp/introspected | grep -oE "^$what [A-Za-z]+" | sort | xargs)" \
		"the list of every $what"
done
varlinkctl introspect $socket org.varlink.service >/dev/null
varlinkctl validate-idl /usr/share/dune/io.dune.Manager.varlink >/dev/null

varlinkctl call $socket io.dune.Manager.List '{}' >/tmp/out
contains '"contexts"' /tmp/out
varlinkctl call $socket org.varlink.service.GetInfo '{}' >/dev/null

# A stream goes on until the client ends it: three samples at least
timeout -s INT 4 varlinkctl --more call $socket io.dune.Manager.Stats '{"interval_ms":200}' \
	>/tmp/out 2>&1 || true
samples=$(grep -c '"time_usec"' /tmp/out)
[ "$samples" -ge 3 ] || { cat /tmp/out; fail "$samples samples in four seconds"; }

# Errors come by name, and end with status 1.
error() {
	status=0
	varlinkctl call $socket "$2" "$3" >/tmp/out 2>&1 || status=$?
	expect 1 "$status" "the status of $2 $3"
	contains "$1" /tmp/out
}
error io.dune.Manager.NoSuchContext io.dune.Manager.Inspect '{"id":99}'
error org.varlink.service.InvalidParameter io.dune.Manager.Inspect '{"id":"x"}'
error org.varlink.service.InvalidParameter io.dune.Manager.List '{"other":1}'
error org.varlink.service.MethodNotFound io.dune.Manager.Nothing '{}'
error org.varlink.service.InterfaceNotFound org.varlink.service.GetInterfaceDescription '{"interface":"a.b"}'
