# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# The module's parameters: root's alone, and what they can't be is refused, at load and later, with the reason.
. /lib/guest-lib.sh

parameters=/sys/module/dune/parameters

# refuse NAME VALUE ALLOWED: the write fails, the log says why, and the value stays.
refuse() {
	before=$(cat "$parameters/$1")
	dmesg -c >/dev/null
	echo "$2" 2>/dev/null >"$parameters/$1" && fail "$1 took '$2'"
	expect_match "log after $1=$2" "$(dmesg)" "dune: $1 takes $3\$"
	expect_equal "$1 after a refusal" "$(cat "$parameters/$1")" "$before"
}

for bad in max_contexts=65536 max_vcpus=241 max_vcpus=-1 max_private=131073 max_private=x max_ept=319 \
	max_ept= force_l1tf=2; do
	insmod /modules/dune.ko "$bad" 2>/dev/null && fail "loaded with $bad"
	expect_match "log after $bad" "$(dmesg | grep "dune: " | tail -n 1)" "dune: .*${bad%%=*}"
done
load_dune max_vcpus=0x10 max_ept=320
expect_equal "max_vcpus" "$(cat $parameters/max_vcpus)" 16
count=0
for file in "$parameters"/*; do
	expect_match "owner and mode of $file" "$(stat -c '%u %a' "$file")" '^0 (644|444)$'
	as_user alice sh -c "echo 1 >$file" 2>/dev/null && fail "alice wrote $file"
	count=$((count + 1))
done
[ $count -ge 5 ] || fail "only $count parameters"
refuse max_contexts 65536 "0 to 65535"
refuse max_vcpus 241 "0 to 240"
refuse max_vcpus 18446744073709551616 "0 to 240"
refuse max_private 131073 "0 to 131072"
refuse max_private 4K "0 to 131072"
refuse max_ept 319 "320 to 16777216"
refuse max_ept 16777217 "320 to 16777216"
refuse max_ept -320 "320 to 16777216"
# Bounds themselves are good.
for good in max_contexts=0 max_contexts=65535 max_vcpus=0 max_vcpus=240 max_private=131072 max_ept=16777216; do
	echo ${good#*=} >"$parameters/${good%=*}" || fail "$good was refused"
	expect_equal "${good%=*}" "$(cat "$parameters/${good%=*}")" "${good#*=}"
done
# Lowered while the module runs: a context that was given more can be given less of something else all the same,
start_duned
dunectl launch --name old -- /bin/busybox sleep 1000 &
wait_for 20 "the context to run" sh -c 'dunectl list | grep -q "old.*running"'
echo 2048 >$parameters/max_private
echo 100 >$parameters/max_contexts
expect dunectl limit old vcpus=1
dunectl limit old private=12M 2>/dev/null && fail "more than the ceiling"
expect dunectl limit old private=8M
expect dunectl kill old
# and a root process without the service meets it.
echo 0 >$parameters/max_contexts
out=$(dunectl launch -- /bin/busybox true 2>&1)
expect_equal "status without any context" $? 125
expect_match "error" "$out" "QuotaExceeded"
stop_duned
expect rmmod dune
pass
