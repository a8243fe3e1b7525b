# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# Guests that misbehave: forbidden instructions are the guest's own faults, the rest ends with a report.
. /lib/guest-lib.sh

load_dune max_private=4096
for guest in hlt io invd wbinvd rdpmc mov_dr rdmsr_efer wrmsr_apic wrmsr_lstar_bad wrmsr_fmask_bad xsetbv \
	cr4_vmxe cr0_pg cr4_mce cr8 vmxoff vmread vmfunc monitor bad_hypercall sigreturn copy_bad cr2; do
	expect /progs/raw_guest $guest
done
expect_match report "$(/progs/raw_guest --report triple_fault)" "status 0x9 cause 3 reason 2 rip 0xffffffff80010000"
expect_match report "$(/progs/raw_guest --report unmapped)" "status 0x9 cause 6 reason 48 .* gpa 0x10000000"
expect_match report "$(/progs/raw_guest --report bad_slot)" "status 0x9 cause 6 reason 48 .* gpa 0x1c0000000"
expect_match report "$(/progs/raw_guest --report panic)" "status 0x9 cause 8 .* vector 14 cr2 0x1234"
expect_match "the kernel log" "$(dmesg)" "dune: raw_guest.* ended: triple fault \(exit reason 2, vector 0\) at rip ffffffff80010000"
wait_for 5 "allocations to return to zero" /progs/raw_info --zero
expect rmmod dune
pass
