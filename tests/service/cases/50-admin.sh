# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh disable=SC2154
# The admin socket: for root and the group dune-admin alone, there whenever the service is, and answering while
# other users have taken every connection that there is; the journal says who was refused, under its message id.
admin=/run/dune/io.dune.Manager.admin
service_reset
for user in bob carol eve; do
	useradd -m -s /bin/sh $user
done
usermod -aG dune-admin carol
mkdir -p /etc/dune/duned.conf.d
printf '[access]\nadministrators = @dune-admin\n[connections]\nper-user = 4\nper-host = 20\n' \
	>/etc/dune/duned.conf.d/50-admin.conf
service_with_fake_device
is_active duned-admin.socket || fail "the admin socket does not come with the service"
expect "root:dune-admin 660" "$(stat -c '%U:%G %a' $admin)" "the admin socket"

as() {
	user=$1
	shift
	setpriv --reuid="$user" --regid="$user" --init-groups "$@"
}

dunectl --socket=$admin info >/dev/null
as carol dunectl --socket=$admin info >/dev/null
if as eve dunectl --socket=$admin info >/tmp/out 2>&1; then
	fail "eve may use the admin socket"
fi
cat /tmp/out

# Four connections of eve's, two of them streams, are all that there is beside root's reserve; more are refused and end.
mark=$(journal_mark)
mkfifo /tmp/admin-held
exec 8<>/tmp/admin-held
for _ in 1 2; do
	as eve "$tests/bin/hold_contexts" 1 <&8 >/dev/null &
done
two_held() {
	[ "$(pgrep -c -u eve hold_contexts)" = 2 ] && [ "$(dunectl list | grep -c eve)" = 2 ]
}
eventually 20 two_held
for _ in 1 2 3 4 5 6; do
	as eve dunectl stats --watch=60 >/dev/null 2>&1 &
done
two_left() {
	[ "$(pgrep -c -x -u eve dunectl)" = 2 ]
}
sleep 1
eventually 20 two_left
refused() {
	! as "$1" dunectl info >/tmp/out 2>&1 && grep -q QuotaExceeded /tmp/out
}
eventually 20 refused eve
refused bob || { cat /tmp/out; fail "bob is not refused"; }
as carol dunectl --socket=$admin info >/dev/null
dunectl info >/dev/null
pkill -u eve
eventually 20 as bob dunectl info

journal_of "$mark" CONNECTIONS_LIMIT >/tmp/refusals
contains "\"DUNE_UID\":\"$(id -u eve)\"" /tmp/refusals
contains '"DUNE_LIMIT":"connections' /tmp/refusals
explain "$mark" -u duned.service
contains "Subject: A client was refused because of too many connections" /tmp/explained

exec 8>&-
rm /tmp/admin-held /etc/dune/duned.conf.d/50-admin.conf
service_reset
