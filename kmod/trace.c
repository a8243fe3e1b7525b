// SPDX-License-Identifier: GPL-2.0-only
/* The tracepoints' bodies, once. */
#define CREATE_TRACE_POINTS
#include "kmod/trace.h"
