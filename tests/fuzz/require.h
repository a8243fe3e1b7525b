/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a fuzzer expects; libFuzzer keeps the input with which it is not so. */
#ifndef FUZZ_REQUIRE_H
#define FUZZ_REQUIRE_H

#include <stdbool.h>
#include <stdlib.h>

static inline void require(bool condition)
{
	if (!condition)
		abort();
}

#endif
