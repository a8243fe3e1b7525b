# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh disable=SC2034,SC2154
# What the cases of package-cases have at hand beside lib.sh, inside the container.
debs=$tests/debs
new=$(cat $debs/version)
names="dune-dkms duned dunectl libdune1 libdune-dev dune-exporter"
export DEBIAN_FRONTEND=noninteractive

# install_debs old|new: in one go, as an archive's upgrade would; questions get the answer "keep mine"
install_debs() {
	dpkg --force-confdef --force-confold -i $debs/"$1"/*.deb </dev/null
}

all_configured() {
	for package in $names; do
		expect "ii $1" "$(dpkg-query -W -f '${db:Status-Abbrev}${Version}' "$package")" "$package"
	done
	[ -z "$(dpkg --audit)" ] || { dpkg --audit; fail "dpkg --audit"; }
	dpkg --verify $names | grep -v ' c ' >/tmp/verify || true
	[ ! -s /tmp/verify ] || { cat /tmp/verify; fail "dpkg --verify"; }
}

# A modprobe and an rmmod that only take notes
fake_modprobe() {
	rm -f /tmp/modprobe.log
	for tool in modprobe rmmod; do
		printf '#!/bin/sh\necho "$@" >>/tmp/modprobe.log\n' >/usr/local/sbin/$tool
		chmod +x /usr/local/sbin/$tool
	done
	PATH=/usr/local/sbin:/usr/local/bin:$PATH
	export PATH
}

# Every file that there is, with owner, mode and target, and the sums of those in /etc. Left out: what is
# the state of others (dpkg, ld.so, udev, the journal, DKMS's own key, the index of the modules), the
# places for passing files, and the user.
world() {
	find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp -o -path /var/tmp \
		-o -path /opt -o -path /var/lib/dpkg -o -path /var/log -o -path /var/cache -o -path /usr/local/sbin \
		-o -path '/etc/passwd*' -o -path '/etc/group*' -o -path '/etc/shadow*' -o -path '/etc/gshadow*' \
		-o -path /etc/.pwd.lock -o -path /etc/ld.so.cache -o -path /root -o -path /var/lib/systemd \
		-o -path '/var/lib/dkms/mok.*' -o -path '/usr/lib/modules/*/modules.*' \
		-o -path /etc/udev/hwdb.bin -o -path /var/lib/private -o -path /etc/machine-id \) -prune \
		-o -printf '%p %y %u:%g %m %l\n' | sort
	find /etc -type f ! -name 'passwd*' ! -name 'group*' ! -name 'shadow*' ! -name 'gshadow*' \
		! -name .pwd.lock ! -name ld.so.cache ! -name machine-id -exec md5sum {} + | sort -k 2
}
