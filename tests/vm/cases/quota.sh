# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# Contexts of two users meet every kind of quota; programs end, crash and are killed, the service is killed
# and started in between, quotas are lowered below what is used. Whenever nothing moves, what the quotas
# show is the sum over what the module holds.
. /lib/guest-lib.sh

rounds=${1:-4}

start() {
	start_duned --config=/tmp/duned.conf --state=/run/duned
}

# used RESOURCE SCOPE [NAME]: what quotas show.
used() {
	resource=$1
	shift
	dunectl --json quota "$@" | of_rule "$resource"
}

of_rule() {
	tr '{' '\n' | grep "\"resource\":\"$1\"" | sed -n 's/.*"used":\([0-9]*\).*/\1/p'
}

# The sum of a limit over all contexts of a list.
of_limits() {
	sed "s/.*\"$1\":\([0-9]*\).*/\1/" | awk '{ sum += $1 } END { print sum + 0 }'
}

sums_agree() {
	rules=$(dunectl --json quota host)
	limits=$(dunectl --json list | grep -o '"limits":{[^}]*}')
	held=$(dunectl --json info | sed 's/.*"allocated":{"contexts":\([0-9]*\).*/\1/')
	count=$(echo "$limits" | grep -c .)
	[ "$(echo "$rules" | of_rule contexts)" = "$count" ] && [ "$held" = "$count" ] || return
	for resource in vcpus private_pages ept_pages; do
		[ "$(echo "$rules" | of_rule $resource)" = "$(echo "$limits" | of_limits $resource)" ] || return
	done
}

# refusal_of FILE: the program has asked for all that it wanted; what it was told last.
refusal_of() {
	wait_for 5 "$1" grep -q holding "$1"
	tail -n 2 "$1" | head -n 1
}

# spawn_as USER COMMAND...: instead of this shell, so that who kills it kills the command.
spawn_as() {
	user=$1
	shift
	exec /usr/bin/setpriv --reuid="$user" --regid="$user" --clear-groups --inh-caps=-all "$@"
}

# enter CGROUP: this shell and what it becomes.
enter() {
	echo 0 >"/sys/fs/cgroup$1/cgroup.procs"
}

mount -t cgroup2 none /sys/fs/cgroup || skip "no cgroup2 here"
mkdir -p /sys/fs/cgroup/user.slice/user-1000.slice/one.scope \
	/sys/fs/cgroup/user.slice/user-1000.slice/two.scope /sys/fs/cgroup/other
cat >/tmp/duned.conf <<END
[access]
administrators = bob
[context]
vcpus = 2
private = 4M
ept = 4M
[quota host]
contexts = 30
vcpus = 100
private = 1G
ept = 1G
[quota user]
contexts = 4
[quota user bob]
private = 12M
[quota group 1001]
vcpus = 6
END
load_dune
start

note "each kind of quota"
(spawn_as alice /progs/create 5 >/tmp/user) &
holder=$!
expect_match "user" "$(refusal_of /tmp/user)" '"limit":"contexts","maximum":4,"used":4,"scope":"user","name":"1000"'
expect sums_agree
kill $holder
(spawn_as bob /progs/create 5 '{"limits":{"vcpus":1}}' >/tmp/named) &
holder=$!
expect_match "named user" "$(refusal_of /tmp/named)" '"private_pages","maximum":3072,"used":3072,"scope":"user","name":"bob"'
expect sums_agree
kill $holder
(spawn_as bob /progs/create 2 '{"limits":{"vcpus":4}}' >/tmp/group) &
holder=$!
expect_match "group" "$(refusal_of /tmp/group)" '"vcpus","maximum":6,"used":4,"scope":"group","name":"1001"'
kill $holder
expect dunectl quota set cgroup user-1000.slice ept=10M
expect dunectl quota set process contexts=3
(enter /user.slice/user-1000.slice/one.scope && spawn_as alice /progs/create 1 >/tmp/one) &
first=$!
expect_match "cgroup, first" "$(refusal_of /tmp/one)" created
(enter /user.slice/user-1000.slice/two.scope &&
	spawn_as bob /progs/create 2 '{"limits":{"private_pages":100}}' >/tmp/two) &
second=$!
expect_match "cgroup" "$(refusal_of /tmp/two)" \
	'"ept_pages","maximum":2560,"used":2048,"scope":"cgroup","name":"/user.slice/user-1000.slice"'
(enter /other && exec /progs/create 4 >/tmp/process) &
third=$!
expect_match "process" "$(refusal_of /tmp/process)" '"contexts","maximum":3,"used":3,"scope":"process"'
expect sums_agree
kill $first $second $third
wait_for 5 "no context to be left" sh -c '[ -z "$(dunectl --no-legend list)" ]'
expect dunectl quota reset process
expect dunectl quota set user alice create-rate=2
(spawn_as alice /progs/create 3 >/tmp/rate) &
holder=$!
expect_match "rate" "$(refusal_of /tmp/rate)" 'RateExceeded.*"scope":"user","name":"alice","maximum":2,"retry_usec":[0-9]'
kill $holder
expect as_user bob dunectl quota reset
expect_status 77 as_user alice dunectl quota set user alice contexts=1000
expect_status 77 as_user alice dunectl reload

note "$rounds times: programs run, end, crash, are killed; the service is killed and comes back"
round=1
while [ $round -le $rounds ]; do
	(spawn_as alice dunectl launch --name a$round -- /bin/busybox sleep 1000 2>/dev/null) &
	launcher=$!
	(spawn_as bob dunectl launch --name b$round -- /bin/busybox sleep 1000 2>/dev/null) &
	(spawn_as alice /progs/create 2 >/tmp/held) &
	holder=$!
	wait_for 20 "both programs" sh -c "[ \"\$(dunectl --no-legend list | grep -c '[ab]$round .*running')\" -eq 2 ]"
	refusal_of /tmp/held >/dev/null
	program=$(dunectl --no-legend list | awk -v name=b$round '$2 == name { print $4 }')
	expect sums_agree
	expect_equal "alice's contexts" "$(used contexts user alice)" 3
	# shellcheck disable=SC2016
	expect_status 139 as_user alice dunectl launch -- /bin/busybox sh -c 'kill -SEGV $$' 2>/dev/null
	case $((round % 4)) in
	0) stop_duned KILL ;;
	1) expect dunectl kill a$round ;;
	2) expect dunectl limit a$round vcpus=1 private=3M ;;
	3) kill -KILL $holder ;;
	esac
	[ $((round % 4)) = 0 ] || stop_duned KILL
	# While nobody is there to see it.
	case $((round % 3)) in
	0) kill -KILL $holder 2>/dev/null ;;
	1) kill -KILL "$program" ;;
	2) kill -KILL $launcher 2>/dev/null ;;
	esac
	start
	wait_for 5 "sums of round $round" sums_agree
	# Lowered below what is used nothing happens to what is there, and nothing is added.
	before=$(dunectl --no-legend list | grep -c .)
	expect dunectl quota set host contexts=1
	[ "$before" -lt 1 ] || expect_status 125 as_user bob dunectl launch -- /bin/busybox true 2>/dev/null
	expect_equal "contexts of round $round" "$(dunectl --no-legend list | grep -c .)" "$before"
	expect dunectl quota reset host
	kill -KILL $holder 2>/dev/null
	for name in $(dunectl --no-legend list | awk '{ print $2 }'); do
		dunectl kill "$name" 2>/dev/null
	done
	wait_for 10 "round $round to be over" sh -c '[ -z "$(dunectl --no-legend list)" ]'
	round=$((round + 1))
done
dunectl quota

note "a damaged configuration changes nothing, a good one takes effect without a restart"
expect dunectl quota set user contexts=3
printf '[quota user]\ncontexts = many\n' >/tmp/duned.conf
out=$(dunectl reload 2>&1)
expect_equal "status of reload" $? 1
expect_match "reload" "$out" '/tmp/duned.conf:2:12: contexts wants a number'
expect_match "reload" "$out" '^             \^~~~$'
expect_equal "host's quota" "$(dunectl --json quota host | grep -c '"maximum":30')" 1
printf '[quota host]\ncontexts = 7\n' >/tmp/duned.conf
# shellcheck disable=SC2154
kill -HUP "$duned_pid"
wait_for 5 "the new configuration" sh -c 'dunectl --json quota host | grep -q "\"maximum\":7"'
expect_match "run-time quota" "$(dunectl quota user)" 'every user +contexts +3 +- +run-time'
stop_duned KILL
start
expect_match "kept over a restart" "$(dunectl quota user)" 'every user +contexts +3 +- +run-time'
expect_equal "contexts in the end" "$(used contexts host)" 0
stop_duned
wait_for 5 "allocations to return to zero" /progs/raw_info --zero
expect rmmod dune
pass
