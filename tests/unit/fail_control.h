/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a test and fail_shim.so in the service share: a mapped file, named by FAIL_CONTROL. */
#ifndef TEST_FAIL_CONTROL_H
#define TEST_FAIL_CONTROL_H

#include <stdint.h>

#define FAIL_MAX_CALLS 32768

struct fail_control {
	uint32_t armed; /* calls are counted */
	uint32_t recording; /* ... and the ways to them noted */
	uint32_t fail_at; /* the call that fails, from 1; 0: none */
	uint32_t count; /* calls so far */
	uint32_t failed; /* it has */
	int64_t blocks; /* of the heap that are in use */
	uint64_t ways[FAIL_MAX_CALLS]; /* of each call: a hash of its callers */
};

#endif
