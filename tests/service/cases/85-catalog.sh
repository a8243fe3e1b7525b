# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh disable=SC2154
# The journal's catalog takes the service's entries, and `journalctl -x` shows them below messages, with the
# fields of the message put in.
catalog=/usr/lib/systemd/catalog/dune.catalog
journalctl --update-catalog
ids=$(sed -n 's/^-- //p' $catalog)
expect "$(echo "$ids" | wc -l)" "$(journalctl --list-catalog | grep -c ' Dune: ')" \
	"the number of entries of the catalog"

mark=$(journal_mark)
for id in $ids; do
	{
		printf 'MESSAGE_ID=%s\nMESSAGE=of case 85\n' "$id"
		grep -o '@DUNE_[A-Z]*@' $catalog | sort -u | sed 's/^@//; s/@$/=value-in-place/'
	} | logger --journald
done
explain "$mark"
sed -n 's/^Subject: //p' $catalog | while read -r subject; do
	grep -qF "░░ Subject: $subject" /tmp/explained || fail "no text: $subject"
done
contains "The guest of context value-in-place (value-in-place, of uid value-in-place)" /tmp/explained
