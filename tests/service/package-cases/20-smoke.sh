# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh disable=SC2154
# The packages' own tests (debian/tests), as autopkgtest would run them.
. $tests/packages.sh
for name in $(sed -n 's/^Tests: //p' $debs/tests/control); do
	AUTOPKGTEST_TMP=$(mktemp -d)
	export AUTOPKGTEST_TMP
	"$debs/tests/$name"
	rm -rf "$AUTOPKGTEST_TMP"
done
man -w duned dunectl dune-exporter duned.conf >/dev/null 2>&1 || ! command -v man >/dev/null || fail "man pages"
