/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What fake_device.c and fake_module.c say to each other: one call of duned/device.h as a struct of fixed size, the
 * answer with what is to be copied to the caller, a descriptor beside the answer's first byte. A caller that dies
 * takes nothing with it but descriptors that it was to get, as with the module.
 */
#ifndef TEST_FAKE_MODULE_H
#define TEST_FAKE_MODULE_H

#include "duned/device.h"

enum fake_operation {
	FAKE_OPEN,	/* passes a descriptor that is readable when there are events */
	FAKE_INFO,
	FAKE_CREATE,
	FAKE_STATS,
	FAKE_TOTALS,
	FAKE_SET_LIMITS,
	FAKE_REPORT,
	FAKE_KILL,
	FAKE_EVENTS_READ,
};

struct fake_call {
	uint32_t operation;
	uint32_t capacity;	/* of structs */
	uint64_t id;
	struct device_creation creation;	/* its limits also for FAKE_SET_LIMITS */
};

struct fake_answer {
	int32_t result;		/* what the function returns */
	uint32_t size;		/* bytes that follow */
};

#endif
