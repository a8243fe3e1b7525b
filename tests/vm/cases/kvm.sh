# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# VT-x works: Debian's own KVM runs a guest in the emulated machine.
. /lib/guest-lib.sh

load_kvm
expect /progs/kvm_hello
expect rmmod kvm_intel
expect rmmod kvm
pass
