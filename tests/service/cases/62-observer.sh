# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh disable=SC2154
# dune-exporter --per-user as dune-exporter(8) has it: by the group that duned.conf names as observers it shows what
# each user has, and may do nothing to it; from the reload on that takes it away, it shows nobody's.
ask() {
	bash -c 'exec 3<>/dev/tcp/127.0.0.1/13863
		printf "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" >&3
		cat <&3' >/tmp/answer
}
shows() {
	ask && grep -qxF "$1" /tmp/answer
}
shows_nobody() {
	ask && grep -qxF "dune_up 1" /tmp/answer && ! grep -q '^dune_user_contexts{' /tmp/answer
}

exporter=/etc/systemd/system/dune-exporter.service.d
mkdir -p $exporter /etc/dune/duned.conf.d
printf '[Service]\nSupplementaryGroups=dune-observer\nExecStart=\nExecStart=%s --per-user=20\n' \
	/usr/lib/dune/dune-exporter >$exporter/62-users.conf
service_with_fake_device
systemctl start dune-exporter.socket
useradd -m -s /bin/sh fred
uid=$(id -u fred)
mkfifo /tmp/observed
exec 8<>/tmp/observed
setpriv --reuid=fred --regid=fred --init-groups "$tests/bin/hold_contexts" 3 <&8 >/tmp/holder &
eventually 20 grep -qx "done" /tmp/holder
eventually 10 shows_nobody

printf '[access]\nobservers = @dune-observer\n' >/etc/dune/duned.conf.d/62-observers.conf
systemctl reload duned.service
eventually 10 shows "dune_user_contexts{uid=\"$uid\"} 3"

# What the exporter itself could do, were it taken over.
pid=$(property dune-exporter.service MainPID)
as_exporter() {
	setpriv --reuid="$(stat -c %u "/proc/$pid")" --regid="$(stat -c %g "/proc/$pid")" \
		--groups="$(getent group dune-observer | cut -d: -f3)" "$@"
}
expect 3 "$(as_exporter dunectl list --no-legend | wc -l)" "contexts that it sees"
mark=$(journal_mark)
id=$(dunectl list --no-legend | awk 'NR == 1 { print $1 }')
for what in "kill $id" "limit $id vcpus=1" "quota set host contexts=1" "reload"; do
	status=0
	# shellcheck disable=SC2086
	as_exporter dunectl $what >/tmp/out 2>&1 || status=$?
	expect 77 $status "the status of $what"
	contains "[org.varlink.service.PermissionDenied]" /tmp/out
done
journal_of "$mark" ACCESS_DENIED >/tmp/denied
expect 4 "$(wc -l </tmp/denied)" "denials in the journal"
expect 3 "$(dunectl list --no-legend | wc -l)" "contexts afterwards"

rm /etc/dune/duned.conf.d/62-observers.conf
systemctl reload duned.service
eventually 10 shows_nobody

exec 8>&-
systemctl stop dune-exporter.service dune-exporter.socket
rm -r $exporter /tmp/observed
systemctl daemon-reload
service_reset
