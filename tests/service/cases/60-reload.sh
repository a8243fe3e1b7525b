# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh disable=SC2154
# `systemctl reload`: ends when the new configuration is in force, with the same process and while clients call;
# a configuration with an error makes it fail and changes nothing. What was set at run time outlives restarts.
service_with_fake_device
mkdir -p /etc/dune/duned.conf.d
conf=/etc/dune/duned.conf.d/60-reload.conf

# What every user may have
contexts() {
	dunectl --no-legend quota user | awk '$3 == "contexts" { print $4 }'
}
in_force() {
	expect "$1" "$(contexts)" "the quota of contexts for each user"
}
is_in_force() {
	[ "$(contexts)" = "$1" ]
}

rm -f /tmp/enough /tmp/refused
while [ ! -e /tmp/enough ]; do
	dunectl --timeout=60 --json info >/tmp/answer 2>&1 || cp /tmp/answer /tmp/refused
done &
caller=$!

pid=$(main_pid)
for number in 5 6 7; do
	printf '[quota user]\ncontexts = %s\n' $number >$conf
	systemctl reload duned.service
	in_force $number
done

mark=$(journal_mark)
printf '[quota user]\ncontexts = lots\n' >$conf
if systemctl reload duned.service; then
	fail "a bad configuration was taken"
fi
is_active duned.service || fail "the service is gone after a bad configuration"
in_force 7
journal_since "$mark" >/tmp/journal
contains "60-reload.conf:2" /tmp/journal
# By a signal nobody is told but the journal.
said_invalid() {
	journal_of "$mark" CONFIG_INVALID | grep -q "60-reload.conf:2"
}
kill -HUP "$pid"
eventually 10 said_invalid
in_force 7

printf '[quota user]\ncontexts = 8\n' >$conf
kill -HUP "$pid"
eventually 10 is_in_force 8
expect "$pid" "$(main_pid)" "the main process after four reloads"
touch /tmp/enough
wait $caller
[ ! -e /tmp/refused ] || { cat /tmp/refused; fail "a call failed meanwhile"; }

dunectl quota set user contexts=9
systemctl restart duned.service
in_force 9
expect "duned:duned 750" "$(stat -c '%U:%G %a' /var/lib/duned)" "the service's state folder"
rm $conf
rm -f /var/lib/duned/*
service_reset
