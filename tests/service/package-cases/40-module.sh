# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh disable=SC2154
# What the module's package does on machines that this container is not, by what it is made to see of them:
# without VT-x nothing is loaded; with it the module is; one that is loaded already is left alone. A failing
# modprobe fails no installation.
. $tests/packages.sh
fake_modprobe
printf '#!/bin/sh\nexit 1\n' >/usr/local/bin/systemd-detect-virt
cp /usr/local/bin/systemd-detect-virt /usr/local/bin/ischroot
chmod +x /usr/local/bin/*
printf 'flags\t\t: fpu vme de pse\n' >/tmp/cpuinfo
# DKMS need not build the same module again each time, only the last.
touch /etc/dkms/no-autoinstall

mount --bind /tmp/cpuinfo /proc/cpuinfo
# shellcheck disable=SC2317
restore() {
	umount /proc/cpuinfo
	rm -f /etc/dkms/no-autoinstall /usr/local/bin/systemd-detect-virt /usr/local/bin/ischroot /usr/local/sbin/modprobe
}
trap restore EXIT

dpkg-reconfigure dune-dkms >/tmp/log 2>&1 || { cat /tmp/log; fail "without VT-x"; }
contains "not loaded: no VT-x here; \`dunectl doctor'" /tmp/log
[ ! -s /tmp/modprobe.log ] || fail "loaded without VT-x: $(cat /tmp/modprobe.log)"

printf 'flags\t\t: fpu vmx de pse\n' >/tmp/cpuinfo
dpkg-reconfigure dune-dkms >/tmp/log 2>&1 || { cat /tmp/log; fail "with VT-x"; }
contains "loaded; \`dunectl doctor'" /tmp/log
expect "dune" "$(cat /tmp/modprobe.log)" "what modprobe was called with"

printf '#!/bin/sh\nexit 1\n' >/usr/local/sbin/modprobe
rm /etc/dkms/no-autoinstall
dpkg-reconfigure dune-dkms >/tmp/log 2>&1 || { cat /tmp/log; fail "with VT-x, modprobe failing"; }
contains "built, but not loaded: \`dunectl doctor'" /tmp/log
expect "ii " "$(dpkg-query -W -f '${db:Status-Abbrev}' dune-dkms)" "the state of dune-dkms"
