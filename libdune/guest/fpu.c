// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Restores FPU state from a signal frame. The frame is the program's to forge, so the state is
 * copied to private memory once, checked there, and loaded from there; what the check misses is the
 * processor's #GP, which the fixup turns into a refusal.
 */
#include <errno.h>
#include "libdune/guest/hypercall.h"

#define MAGIC1	       0x46505853u
#define MAGIC2	       0x46505845u
#define FXSAVE_SIZE    512
#define HEADER_SIZE    64
#define FEATURES_FPSSE 3ull
#define MXCSR_DEFAULT  0x1f80

/* The software bytes of the kernel's frame, at offset 464 of the FXSAVE area. */
struct frame_info {
	u32 magic1;
	u32 extended_size;
	u64 features;
	u32 xstate_size;
	u32 pad[7];
};

struct xsave_area {
	u16 fcw, fsw;
	u8 legacy[20];
	u32 mxcsr;
	u8 registers[436];
	struct frame_info info;
	u64 xstate_bv;
	u64 xcomp_bv;
	u64 reserved[6];
};
_Static_assert(sizeof(struct xsave_area) == FXSAVE_SIZE + HEADER_SIZE, "processor's format");
_Static_assert(offsetof(struct xsave_area, info) == 464, "kernel's format");

#define area ((struct xsave_area *)(PERCPU_BASE + PERCPU_FPU))

/*
 * Bytes of a full frame, 0 when it is a legacy one as the kernel understands it; `have` are there.
 */
static u64 frame_size(u64 have)
{
	u64 size = area->info.xstate_size;

	if (area->info.magic1 != MAGIC1 || size < FXSAVE_SIZE + HEADER_SIZE ||
	    size > boot.fpu_size_bytes || size > area->info.extended_size ||
	    size + sizeof(u32) > have)
		return 0;
	return *(u32 *)((char *)area + size) == MAGIC2 ? size : 0;
}

/*
 * One copy of the frame's state, whose length is known only from its own first bytes: the longest
 * that the kernel makes, or what a shorter one says. Only the last copy counts. Returns its bytes
 * or -EFAULT.
 */
static s64 copy_state(u64 user)
{
	u64 size = boot.fpu_size_bytes + sizeof(u32);

	if (boot.fpu_size_bytes > FXSAVE_SIZE && !hc_copy_in(boot.fpu_gpa, user, size))
		return size;
	if (hc_copy_in(boot.fpu_gpa, user, FXSAVE_SIZE))
		return -EFAULT;
	if (area->info.magic1 != MAGIC1 || area->info.xstate_size >= boot.fpu_size_bytes)
		return FXSAVE_SIZE;
	size = area->info.xstate_size + sizeof(u32);
	if (size > FXSAVE_SIZE && !hc_copy_in(boot.fpu_gpa, user, size))
		return size;
	return FXSAVE_SIZE;
}

static int header_valid(void)
{
	if (area->xstate_bv & ~boot.fpu_features || area->xcomp_bv)
		return 0;
	for (int i = 0; i < 6; i++)
		if (area->reserved[i])
			return 0;
	return 1;
}

static void area_reset(void)
{
	memset(area, 0, sizeof(*area));
	area->fcw = 0x37f;
	area->mxcsr = MXCSR_DEFAULT;
}

static int load_legacy(void)
{
	if (boot.fpu_size_bytes == FXSAVE_SIZE)
		return fpu_fxrstor(area) ? -EINVAL : 0;
	memset(&area->xstate_bv, 0, HEADER_SIZE);
	area->xstate_bv = FEATURES_FPSSE;
	return fpu_xrstor(area, boot.fpu_features) ? -EINVAL : 0;
}

/*
 * user: address of the state in user memory, 0 for the initial state. 0, -EFAULT, -EINVAL (then the
 * registers are unchanged). A restored component that the frame leaves out gets its initial value.
 */
int fpu_restore(u64 user)
{
	s64 have;

	if (!user) {
		area_reset();
		return load_legacy();
	}
	have = copy_state(user);
	if (have < 0)
		return have;
	if (!frame_size(have))
		return load_legacy();
	area->xstate_bv &= area->info.features;
	if (!header_valid())
		return -EINVAL;
	return fpu_xrstor(area, boot.fpu_features) ? -EINVAL : 0;
}
