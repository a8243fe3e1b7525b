# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh disable=SC2154
# Restarts while clients come and go all the time: every one of them gets its answer, from the instance that
# ends or from the next.
service_with_fake_device

# Calls until told to stop; the number of answers in a file of its own.
client() {
	answers=0
	until [ -e /tmp/enough ]; do
		dunectl --timeout=60 --json info >"/tmp/caller.$1" 2>&1 || exit 1
		answers=$((answers + 1))
	done
	echo $answers >"/tmp/answers.$1"
}

rm -f /tmp/enough
callers=
for i in 1 2 3 4; do
	client $i &
	callers="$callers $!"
done
for _ in $(seq 15); do
	systemctl restart duned.service
	sleep 0.2
done
touch /tmp/enough
for job in $callers; do
	wait "$job" || { cat /tmp/caller.*; fail "a client got no answer"; }
done
sum=$(cat /tmp/answers.* | awk '{ sum += $1 } END { print sum }')
[ "$sum" -ge 50 ] || fail "only $sum calls over 15 restarts show nothing"
echo "$sum calls over 15 restarts"

# With calls of fifty clients in the service's hands: stopped before it has read them
pid=$(main_pid)
kill -STOP "$pid"
callers=
for i in $(seq 50); do
	dunectl --timeout=60 --json info >"/tmp/caller.$i" 2>&1 &
	callers="$callers $!"
done
sleep 1
systemctl restart --no-block duned.service
kill -CONT "$pid" || true # systemd did so already
for job in $callers; do
	wait "$job" || { cat /tmp/caller.*; fail "one of fifty got no answer"; }
done
service_reset
