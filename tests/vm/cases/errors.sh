# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# What people meet when something is missing: one clear line, the documented status, nothing left behind.
. /lib/guest-lib.sh

# No service.
out=$(as_user alice dunectl list 2>&1)
expect_equal "status without the service" $? 1
expect_match "error without the service" "$out" "cannot reach duned"
expect_status 125 as_user alice dunectl launch -- /bin/busybox true 2>/dev/null

# The service, but no module.
start_duned
out=$(as_user alice dunectl launch -- /bin/busybox true 2>&1)
expect_equal "status without the module" $? 125
expect_match "error without the module" "$out" "io.dune.Manager.ModuleNotLoaded"
expect_status 1 as_user alice dunectl list 2>/dev/null
as_user alice dunectl doctor >/tmp/doctor
expect_equal "doctor without the module" $? 1
expect_match "doctor" "$(cat /tmp/doctor)" "modprobe dune"
stop_duned

# The module, but a device that the service may not open.
load_dune
chown root /dev/dune
start_duned
out=$(as_user alice dunectl launch -- /bin/busybox true 2>&1)
expect_equal "status without permission" $? 125
expect_match "error without permission" "$out" "\[io.dune.Manager"
chown duned /dev/dune

# From here on it works; what is wrong is the command.
expect as_user alice dunectl launch -- /bin/busybox true
expect_status 127 as_user alice dunectl launch -- no-such-program 2>/dev/null
expect_status 127 as_user alice dunectl launch -- /no/such/program 2>/dev/null
expect_status 126 as_user alice dunectl launch -- /etc/passwd 2>/dev/null
expect_status 126 as_user alice dunectl launch -- /tmp 2>/dev/null
printf '\177ELF but nothing more' >/tmp/bad && chmod 755 /tmp/bad
out=$(as_user alice dunectl launch -- /tmp/bad 2>&1)
expect_equal "status of a broken ELF file" $? 126
note "$out"
expect_status 4 as_user alice dunectl inspect nobody 2>/dev/null
expect_status 2 as_user alice dunectl inspect 2>/dev/null
expect_status 2 as_user alice dunectl no-such-verb 2>/dev/null
as_user alice dunectl doctor >/tmp/doctor || note "$(cat /tmp/doctor)"
stop_duned
wait_for 5 "allocations to return to zero" /progs/raw_info --zero
expect rmmod dune
pass
