// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Restores FPU state from a signal frame. The frame is the program's to forge, so the state is copied
 * to private memory once, checked there, and loaded from there; what the check misses is the
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

/* Bytes of a full frame, 0 when it is a legacy one as the kernel understands it. */
static u64 frame_size(u64 user)
{
	u64 size = area->info.xstate_size;
	u32 *magic2 = (u32 *)cpu->scratch;

	if (area->info.magic1 != MAGIC1 || size < FXSAVE_SIZE + HEADER_SIZE ||
	    size > boot.fpu_size_bytes || size > area->info.extended_size)
		return 0;
	if (copy_in(magic2, user + size, sizeof(*magic2)) || *magic2 != MAGIC2)
		return 0;
	return size;
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
	u64 size;

	if (!user) {
		area_reset();
		return load_legacy();
	}
	if (hc_copy_in(boot.fpu_gpa, user, FXSAVE_SIZE))
		return -EFAULT;
	size = boot.fpu_size_bytes > FXSAVE_SIZE ? frame_size(user) : 0;
	if (!size)
		return load_legacy();
	if (hc_copy_in(boot.fpu_gpa, user, size))
		return -EFAULT;
	/* The second copy may differ from the first: nothing of the first is used from here on. */
	area->xstate_bv &= area->info.features;
	if (!header_valid())
		return -EINVAL;
	return fpu_xrstor(area, boot.fpu_features) ? -EINVAL : 0;
}
