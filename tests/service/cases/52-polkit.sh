# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh disable=SC2154
# polkit = yes with the real polkitd on the real system bus, the service as hardened as it is: a rule lets dora
# reload, look at and end a context of root's, and nobody else; nothing without the rule, without polkitd, without
# polkit = yes.
command -v pkaction >/dev/null || fail "the root has no polkit"
for action in observe manage configure; do
	pkaction --verbose --action-id io.dune.manager.$action >/tmp/action
	contains "implicit any:      no" /tmp/action
	contains "implicit active:   no" /tmp/action
	contains "org.freedesktop.policykit.owner -> unix-user:duned" /tmp/action
done
service_reset
for user in dora mallory; do
	useradd -m -s /bin/sh $user
done
as() {
	user=$1
	shift
	setpriv --reuid="$user" --regid="$user" --init-groups "$@"
}
configure() {
	mkdir -p /etc/dune/duned.conf.d
	printf '[access]\npolkit = %s\n' "$1" >/etc/dune/duned.conf.d/50-polkit.conf
	dunectl reload
}
# denied USER ERROR TEXT COMMAND...
denied() {
	user=$1 error=$2 text=$3
	shift 3
	if as "$user" "$@" >/tmp/out 2>&1; then
		fail "$user may: $*"
	fi
	contains "$error" /tmp/out
	contains "$text" /tmp/out
}
service_with_fake_device
mkfifo /tmp/polkit-held
$tests/bin/hold_contexts 1 </tmp/polkit-held >/tmp/polkit-holder &
exec 9>/tmp/polkit-held
eventually 10 grep -qx "done" /tmp/polkit-holder
id=$(dunectl list --no-legend | awk '{ print $1; exit }')

# Not asked unless told to
denied dora PermissionDenied "permission denied" dunectl reload
configure yes
denied dora PermissionDenied "polkit denies it, io.dune.manager.configure" dunectl reload
denied dora NoSuchContext "no such context" dunectl inspect "$id"

cat >/etc/polkit-1/rules.d/50-dune.rules <<'RULE'
polkit.addRule(function(action, subject) {
	if (subject.user != "dora")
		return undefined;
	if (action.id == "io.dune.manager.configure" && action.lookup("method") != "io.dune.Manager.Reload")
		return undefined;
	if (action.id.indexOf("io.dune.manager.") == 0)
		return polkit.Result.YES;
	return undefined;
});
RULE
chmod 644 /etc/polkit-1/rules.d/50-dune.rules
systemctl restart polkit.service
as dora dunectl reload
as dora dunectl inspect "$id" >/tmp/out
contains "$id" /tmp/out
# By the rule's word on the method, a quota is not among it; and nothing is mallory's
denied dora PermissionDenied "polkit denies it" dunectl quota set host contexts=7
denied mallory PermissionDenied "polkit denies it" dunectl reload
denied mallory NoSuchContext "no such context" dunectl inspect "$id"
denied mallory NoSuchContext "no such context" dunectl kill "$id"
as dora dunectl kill "$id" >/tmp/out 2>&1 || contains NoProcess /tmp/out

# Started by the bus when it is asked; when it can't be, the call is refused, and the journal says so
systemctl stop polkit.service
as dora dunectl reload
mark=$(journal_mark)
systemctl mask --runtime --now polkit.service
denied dora PermissionDenied "polkit is not running" dunectl reload
journal_of "$mark" POLKIT_FAILED >/tmp/entries
contains "\"DUNE_UID\":\"$(id -u dora)\"" /tmp/entries
contains '"DUNE_METHOD":"io.dune.Manager.Reload"' /tmp/entries
explain "$mark" -u duned.service
contains "Subject: polkit could not be asked about a call" /tmp/explained
systemctl unmask --runtime polkit.service
as dora dunectl reload

# Off again, at run time
configure no
denied dora PermissionDenied "permission denied [" dunectl reload
exec 9>&-
wait
rm /tmp/polkit-held /etc/dune/duned.conf.d/50-polkit.conf /etc/polkit-1/rules.d/50-dune.rules
service_reset
