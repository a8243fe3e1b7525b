# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh
# What every case of tests/service has at hand, inside the container. Runs under `sh -eu`.

tests=/opt/dune-tests
dropins=/etc/systemd/system/duned.service.d

fail() {
	echo "fail: $*"
	exit 1
}

skip() {
	echo "$*"
	exit 77
}

# eventually SECONDS COMMAND...: until the command succeeds
eventually() {
	limit=$(($(date +%s) + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(date +%s)" -lt $limit ] || fail "not in time: $*"
		sleep 0.1
	done
}

# expect WANT GOT WHAT
expect() {
	[ "$1" = "$2" ] || fail "$3 is '$2', not '$1'"
}

# contains TEXT FILE
contains() {
	grep -qF -- "$1" "$2" || { cat "$2"; fail "no '$1' in $2"; }
}

property() {
	systemctl show -P "$2" "$1"
}

main_pid() {
	property duned.service MainPID
}

is_active() {
	[ "$(systemctl is-active "$1")" = active ]
}

# The service with another main process than this one, and ready
is_replaced() {
	is_active duned.service && [ "$(main_pid)" != 0 ] && [ "$(main_pid)" != "$1" ]
}

# dropin NAME LINE...: more lines for [Service] of duned.service
dropin() {
	mkdir -p $dropins
	name=$1
	shift
	{ echo "[Service]"; printf '%s\n' "$@"; } >"$dropins/$name.conf"
	systemctl daemon-reload
}

# The service back as it was installed, stopped, its socket open
service_reset() {
	rm -rf $dropins
	systemctl daemon-reload
	systemctl stop duned.service
	systemctl reset-failed duned.service 2>/dev/null || true
	systemctl start duned.socket
}

# The service with a device made of paper (tests/unit/fake_device.c): it gives contexts without a module
service_with_fake_device() {
	service_reset
	dropin 10-fake ExecStart= "ExecStart=$tests/bin/duned-fake --device=fake"
	systemctl start duned.service
}

# The cursor of the journal, and what the service said since then
journal_mark() {
	journalctl --sync
	journalctl -n 0 --show-cursor -q | sed -n 's/^-- cursor: //p'
}
journal_since() {
	journalctl --sync
	journalctl --after-cursor="$1" -o cat -u duned.service
}

# journal_of MARK SYMBOL: the entries with that row's id of duned/message_ids.h, as JSON. Not by a match on
# the field: beside --after-cursor= systemd 252 loses the first entry that matches.
journal_of() {
	id=$(sed -n "s/.*X($2, \"\([0-9a-f]*\)\".*/\1/p" $tests/message_ids.h)
	[ -n "$id" ] || fail "no message $2"
	journalctl --sync
	journalctl --after-cursor="$1" -o json -u duned.service | grep "\"MESSAGE_ID\":\"$id\""
}

# explain MARK [OPTION...]: what journalctl -x says of the messages since then is in /tmp/explained. No message lacks
# a field that the catalog's text about it names: systemd puts the field's name in its place, without the @.
explain() {
	mark=$1
	shift
	journalctl --update-catalog
	journalctl --sync
	journalctl --after-cursor="$mark" -x "$@" >/tmp/explained
	if grep '^░░.*DUNE_' /tmp/explained; then
		fail "a message lacks fields that its text names"
	fi
}
