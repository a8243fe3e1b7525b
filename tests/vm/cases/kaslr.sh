# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# The kernel and its direct map are not where they are without KASLR; guests run all the same.
. /lib/guest-lib.sh

text=$(grep -m 1 ' _text$' /proc/kallsyms)	# no further: names are slow to unpack
case $text in
"" | ffffffff81000000*) fail "the kernel is at its usual place: $text" ;;
esac
# The program headers of kcore name the direct map; its usual place is ffff888000000000.
dd if=/proc/kcore of=/tmp/headers bs=4096 count=1 2>/dev/null
od -v -A n -t x8 /tmp/headers >/tmp/words
expect grep -q ' ffff[89a-f]' /tmp/words
grep -q ' ffff888' /tmp/words && fail "the direct map is at its usual place"
. /cases/raw-guests.sh
