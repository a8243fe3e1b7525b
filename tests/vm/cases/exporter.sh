# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# dune-exporter over the real module: what it shows, in both formats and as a file, is what `dunectl totals' and
# `dunectl stats' say at that moment; contexts' numbers outlive them; no counter gets smaller; SIGKILL of the
# service makes a gap and nothing else.
. /lib/guest-lib.sh

url=http://127.0.0.1:13863/metrics

fetch() {
	expect wget -q -O "$2" --header "Accept: $1" $url
}

# shown SERIES: its value
shown() {
	awk -v name="$1" '$1 == name { print $2 }' /tmp/metrics
}

# sum FAMILY: of all its series
sum() {
	awk -v name="$1" 'index($1, name "{") == 1 { n += $2 } END { printf "%d\n", n }' /tmp/metrics
}

# The totals as lines "exits ept_violation 12"; what the service counts about itself moves with each question.
totals() {
	dunectl --json totals | tr -d '"' | sed 's/[a-z_]*:{[^}]*}/\n&\n/g' | awk -F '[:{},]' '
		/^(states|ends|counters|exits):/ { for (i = 3; i < NF - 1; i += 2) print $1, $i, $(i + 1) }
		/time_usec:/ { sub(/.*created:/, ""); sub(/,.*/, ""); print "created", "created", $0 }'
}

# The totals under the names of the metrics: all that one number of the service's is.
cat >/tmp/names <<'NAMES'
entries dune_vm_entries_total
runs dune_runs_total
syscalls dune_system_calls_total{path="return"}
direct_calls dune_system_calls_total{path="direct"}
unknown_calls dune_unknown_system_calls_total
hypercalls dune_hypercalls_total
ept_read dune_ept_violations_total{access="read"}
ept_write dune_ept_violations_total{access="write"}
ept_exec dune_ept_violations_total{access="execute"}
ept_large_fills dune_ept_fills_total{size="large"}
ept_zaps dune_ept_zaps_total
invept dune_ept_flushes_total
touches dune_native_touches_total
slices dune_slices_total
migrations dune_vcpu_migrations_total
signals dune_signals_total
denied dune_denied_total
faults dune_faults_total
limit_hits dune_limit_hits_total
vcpus_now dune_vcpus
slots_now dune_address_slots
NAMES

series() {
	awk 'NR == FNR { name[$1] = $2; next }
		$1 == "exits" { print "dune_vm_exits_total{reason=\"" $2 "\"}", $3 }
		$1 == "ends" { print "dune_context_ends_total{cause=\"" $2 "\"}", $3 }
		$1 == "states" { print "dune_contexts{state=\"" $2 "\"}", $3 }
		$1 == "created" { print "dune_context_creations_total", $3 }
		$1 == "counters" && $2 in name { print name[$2], $3 }' /tmp/names /tmp/totals
}

# collect: the metrics of a moment at which nothing moved; both formats and the totals say the same.
collect() {
	tries=20
	while :; do
		sleep 2		# the exporter asks at most once a second
		totals >/tmp/totals
		fetch text/plain /tmp/metrics
		fetch 'application/openmetrics-text; version=1.0.0' /tmp/open
		totals | cmp -s - /tmp/totals && break
		tries=$((tries - 1))
		[ $tries -gt 0 ] || fail "the totals never stand still: $(totals | diff - /tmp/totals)"
	done
	series >/tmp/wanted
	[ "$(grep -c . /tmp/wanted)" -gt 20 ] || fail "only: $(cat /tmp/wanted)"
	awk 'NR == FNR { shown[$1] = $2; next }
		shown[$1] != $2 || !($1 in shown) { print $1, "is", shown[$1] ", not", $2; bad = 1 }
		END { exit bad }' /tmp/metrics /tmp/wanted || fail "metrics are not the totals"
	expect_equal "exits of all reasons" "$(sum dune_vm_exits_total)" \
		"$(awk '$2 == "exits" { print $3 }' /tmp/totals)"
	grep '^dune_' /tmp/metrics | grep -v '^dune_exporter' >/tmp/text-values
	grep '^dune_' /tmp/open | grep -v '^dune_exporter' >/tmp/open-values
	cmp /tmp/text-values /tmp/open-values || fail "formats: $(diff /tmp/text-values /tmp/open-values)"
	expect_equal "end of OpenMetrics" "$(tail -n 1 /tmp/open)" "# EOF"
	expect grep -qx '# TYPE dune_vm_entries counter' /tmp/open
	expect grep -qx '# TYPE dune_vm_entries_total counter' /tmp/metrics
	# Counters of contexts are the module's: they only grow, whoever comes and goes.
	[ ! -e /tmp/last ] || awk 'NR == FNR { last[$1] = $2; next }
		/_total/ && !/^dune_service/ && $2 < last[$1] { print "from", last[$1], "to", $0; bad = 1 }
		END { exit bad }' /tmp/last /tmp/text-values || fail "a counter got smaller"
	cp /tmp/text-values /tmp/last
}

start() {
	as_user "$1" dunectl launch --name "$2" -- /bin/busybox sleep 1000000 &
	wait_for 20 "$2 to run" sh -c "dunectl --no-legend list | grep -q '$2 .*running'"
}

expect ip link set lo up
start_duned
as_user bob /usr/lib/dune/dune-exporter --listen=127.0.0.1:13863 &
wait_for 20 "the exporter" wget -q -O /tmp/metrics $url
expect_equal "service and module before insmod" "$(shown dune_up)$(shown dune_module_up)" 10
load_dune

note "two contexts, and none before them: their statistics are the totals"
start alice hers
start bob his
collect
expect_equal "service and module" "$(shown dune_up)$(shown dune_module_up)" 11
expect_equal "running contexts" "$(shown 'dune_contexts{state="running"}')" 2
expect_equal "contexts against the quota" "$(shown dune_quota_contexts_used)" 2
of_stats=$(dunectl --json stats | grep -o '"entries":[0-9]*' | awk -F: '{ n += $2 } END { print n }')
expect_equal "entries" "$(shown dune_vm_entries_total)" "$of_stats"
[ "$of_stats" -gt 100 ] || fail "only $of_stats entries"
grep -v '^#' /tmp/metrics | grep -E '"(hers|his)"|busybox|alice|bob' && fail "names of contexts are shown"

note "one is killed, two end: what they did is still counted"
expect dunectl kill hers
expect_status 3 as_user alice dunectl launch -- /bin/busybox sh -c 'exit 3'
# shellcheck disable=SC2016
expect_status 139 as_user alice dunectl launch -- /bin/busybox sh -c 'kill -SEGV $$' 2>/dev/null
wait_for 5 "one context to be left" sh -c '[ "$(dunectl --no-legend list | grep -c .)" -eq 1 ]'
collect
expect_equal "contexts created" "$(shown dune_context_creations_total)" 4
expect_equal "contexts ended by kill" "$(shown 'dune_context_ends_total{cause="kill"}')" 1
expect_equal "contexts that ended" "$(sum dune_context_ends_total)" 3
[ "$(shown dune_vm_entries_total)" -gt "$of_stats" ] || fail "entries of contexts that are gone are not counted"

note "SIGKILL of the service"
stop_duned KILL
sleep 2
fetch text/plain /tmp/metrics
expect_equal "up without the service" "$(shown dune_up)" 0
expect_equal "exits without the service" "$(grep -c ^dune_vm_exits_total /tmp/metrics)" 0
start_duned
start alice later
collect
expect_equal "up again" "$(shown dune_up)" 1
expect_equal "contexts created" "$(shown dune_context_creations_total)" 5
# The same process has seen both.
[ "$(shown 'dune_exporter_collections_total{result="failed"}')" -ge 1 ] || fail "the exporter was never refused"
# As a file for node_exporter: the same numbers.
mkdir -m 777 /tmp/shown
expect as_user bob /usr/lib/dune/dune-exporter --textfile=/tmp/shown/dune.prom
for file in /tmp/text-values /tmp/shown/dune.prom; do
	grep -E '^dune_(vm|ept|context|quota|memory)' $file >$file.part
done
cmp /tmp/text-values.part /tmp/shown/dune.prom.part || fail "the file says something else"

expect dunectl kill his
expect dunectl kill later
wait_for 5 "no context to be left" sh -c '[ -z "$(dunectl --no-legend list)" ]'
collect
expect_equal "contexts that exist" "$(sum dune_contexts)" 0
expect_equal "memory" "$(sum dune_memory_bytes)" 0
expect_equal "failed assertions" "$(shown dune_module_assertions_total)" 0
stop_duned
expect rmmod dune
pass
