# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# SIGKILL of the service at random points over live contexts, while users create, start, limit, kill, list, watch
# and close them: none lost, none leaked, the sums of quotas exact, counters only grow, ready again soon.
. /lib/guest-lib.sh

# As many contexts as a user can have; amounts that nobody reaches, for they are counted only where they are named.
for uid in 1000 1001 1002 1003; do
	printf '[quota user %s]\ncontexts = 6\nvcpus = 1000\nprivate = 1G\nept = 1G\n' $uid
done >/tmp/duned.conf
printf '[quota host]\nvcpus = 1000\nprivate = 1G\nept = 1G\n' >>/tmp/duned.conf

mkdir -p /run/dune /run/duned
chown duned:duned /run/dune /run/duned
load_dune
/progs/storm "$@" || {
	tail -n 20 /tmp/duned.log
	fail "the storm"
}
expect /progs/raw_info --zero
expect rmmod dune
pass
