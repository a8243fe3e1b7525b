# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh disable=SC2154
# `dunectl launch --scope`, by root and by a user: the program runs in a scope of systemd, in the slice and with
# the properties that were asked for, which is there before the context and gone after it.
service_with_fake_device
cat >/tmp/loader <<'END'
#!/bin/sh
# In place of dune-exec, which needs the module: tells where it runs, and with which limits.
unit=$(sed -n 's,^0::.*/\(dune-[^/]*\.scope\)$,\1,p' /proc/self/cgroup)
sed -n 's/^0::/cgroup /p' /proc/self/cgroup
manager=--system
[ "$(id -u)" = 0 ] || manager=--user
systemctl $manager show -p Slice,MemoryMax,TasksMax,CPUQuotaPerSecUSec,RuntimeMaxUSec,Description "$unit"
exit 7
END
chmod 755 /tmp/loader
export DUNE_EXEC=/tmp/loader

status=0
dunectl launch --scope --scope-property=MemoryMax=1G --scope-property=TasksMax=20 \
	--scope-property=CPUQuota=50% --scope-property=RuntimeMaxSec=300 true >/tmp/out || status=$?
cat /tmp/out
expect 7 "$status" "the program's status"
grep -Eq '^cgroup /dune\.slice/dune-[0-9]+-[0-9a-f]{8}\.scope$' /tmp/out || fail "not in a scope of dune.slice"
for line in Slice=dune.slice MemoryMax=1073741824 TasksMax=20 CPUQuotaPerSecUSec=500ms RuntimeMaxUSec=5min \
	"Description=dunectl launch true"; do
	contains "$line" /tmp/out
done
unit=$(sed -n 's,^cgroup /dune.slice/,,p' /tmp/out)
eventually 10 sh -c "! systemctl is-active -q $unit"
is_active dune.slice || fail "the slice is not there"

dunectl launch --slice=tenants-a --scope-property=MemoryMax=25% true >/tmp/out || true
contains "cgroup /tenants.slice/tenants-a.slice/dune-" /tmp/out
contains "Slice=tenants-a.slice" /tmp/out
grep -Eq '^MemoryMax=[0-9]+$' /tmp/out || fail "a share of memory is no number"

# What systemd does not take fails the launch, with its own words, before there is a context
status=0
dunectl launch --slice=no/slice true >/tmp/out 2>&1 || status=$?
cat /tmp/out
expect 125 "$status" "the status of a launch into an impossible slice"
contains "cannot make a scope: systemd refuses: " /tmp/out
status=0
dunectl launch --scope-property=KillMode=sometimes true >/tmp/out 2>&1 || status=$?
cat /tmp/out
expect 125 "$status" "the status of a launch with an impossible property"
expect 0 "$(dunectl --json list | grep -c '"id"')" "the number of contexts after refused launches"

# The context fails after the scope was made: the scope goes with dunectl
systemctl stop duned.socket duned.service
status=0
dunectl launch --scope true >/tmp/out 2>&1 || status=$?
expect 125 "$status" "the status of a launch without the service"
eventually 10 sh -c "! systemctl list-units --plain --no-legend 'dune-*.scope' | grep ."
systemctl start duned.socket duned.service

# A user: without a manager of their own it is refused, with one it is that one that makes the scope
useradd -m -s /bin/sh alice
status=0
setpriv --reuid=alice --regid=alice --clear-groups dunectl launch --scope true >/tmp/out 2>&1 || status=$?
cat /tmp/out
expect 125 "$status" "the status of a launch without a user's manager"
contains "XDG_RUNTIME_DIR is not set" /tmp/out
contains "loginctl enable-linger" /tmp/out
uid=$(id -u alice)
systemctl start "user@$uid.service"
eventually 30 test -S "/run/user/$uid/bus"
status=0
setpriv --reuid=alice --regid=alice --clear-groups env XDG_RUNTIME_DIR="/run/user/$uid" \
	dunectl launch --scope-property=MemoryMax=64M true >/tmp/out 2>&1 || status=$?
cat /tmp/out
expect 7 "$status" "the status of alice's program"
grep -Eq "^cgroup /user.slice/user-$uid.slice/user@$uid.service/dune.slice/dune-[0-9]+-[0-9a-f]{8}.scope\$" \
	/tmp/out || fail "not in a scope of alice's"
contains MemoryMax=67108864 /tmp/out

# No bus at all
status=0
DBUS_SYSTEM_BUS_ADDRESS=unix:path=/run/nothing dunectl launch --scope true >/tmp/out 2>&1 || status=$?
expect 125 "$status" "the status without a bus"
contains "no bus to the system's systemd: No such file or directory" /tmp/out
