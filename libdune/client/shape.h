/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What replies of io.dune.Manager look like: decode tables, nothing else.
 */
#ifndef DUNE_CLIENT_SHAPE_H
#define DUNE_CLIENT_SHAPE_H

#include <stdint.h>

#include "libdune/client/decode.h"

/* Reply of Create, as far as the client looks into it. */
struct created {
	const struct dune_client_context *context;
	uint64_t context_fd;
};

extern const struct decode_struct shape_nothing;
extern const struct decode_struct shape_created;
extern const struct decode_struct shape_list;
extern const struct decode_struct shape_inspection;
extern const struct decode_struct shape_stats;
extern const struct decode_struct shape_events;
extern const struct decode_struct shape_quota_list;
extern const struct decode_struct shape_info;
extern const struct decode_struct shape_totals;

#endif
