# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh disable=SC2154
# A first installation, of the old version: everything configured, the sockets open, nothing started that
# nobody asked, the user there, the module built for the distribution's kernel and not loaded.
. $tests/packages.sh
world >/var/tmp/world.before
install_debs old >/tmp/log 2>&1 || { cat /tmp/log; fail "dpkg -i"; }
all_configured 0.0.9
contains "dunectl doctor" /tmp/log
contains "not loaded: this is a container" /tmp/log

expect active "$(systemctl is-active duned.socket)" "the socket"
expect enabled "$(systemctl is-enabled duned.socket)" "the socket at boot"
expect active "$(systemctl is-active dune-exporter.socket)" "the exporter's socket"
expect inactive "$(systemctl is-active duned.service || true)" "the service, before anybody called"
expect inactive "$(systemctl is-active dune-exporter.service || true)" "the exporter, before anybody asked"
dunectl --json info >/tmp/info
contains '"version":"0.0.9"' /tmp/info
expect active "$(systemctl is-active duned.service)" "the service after the first call"

expect /usr/sbin/nologin "$(getent passwd duned | cut -d: -f7)" "the shell of duned"
[ "$(id -u duned)" -lt 1000 ] || fail "duned is no system user: $(id duned)"
case " $(id -nG duned) " in
*" kvm "*) ;;
*) fail "duned is not in the group kvm: $(id duned)" ;;
esac
expect "root:root 755" "$(stat -c '%U:%G %a' /run/dune)" "/run/dune"
expect "root:root 644" "$(stat -c '%U:%G %a' /etc/dune/duned.conf)" "the configuration"
