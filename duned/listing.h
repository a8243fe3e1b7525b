/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A reply about many contexts in the making, a bounded piece of work at a time: ten thousand of them
 * take longer than the loop may be busy with one client. Listings that begin together share what was
 * read from the module and the text made of it. Must never outlive the peer it is for.
 */
#ifndef DUNED_LISTING_H
#define DUNED_LISTING_H

#include <stdbool.h>
#include <stddef.h>

#include "duned/manager.h"
#include "duned/policy.h"

#define LISTING_STEP_NS		200000	/* of one piece of work */
#define LISTING_SHARE_NS	50000000	/* so long a stream's next sample may be what others read */

enum listing_kind {
	LISTING_CONTEXTS,	/* {"contexts":[Context, ...]} */
	LISTING_SAMPLES,	/* {"time_usec":n,"samples":[Sample, ...]} */
	NR_LISTING_KINDS,
};

struct listing;

/*
 * Reads the contexts that the peer may see, of that name unless it is NULL. `share`: what was read a
 * moment ago will do. -errno of the module, -ENOMEM.
 */
int listing_new(struct manager *manager, const struct peer *peer, enum dune_access access,
		const char *name, enum listing_kind kind, bool share, struct listing **ret_listing);
void listing_free(struct listing *listing);	/* takes NULL */

/* Bytes that the reply has by now. */
size_t listing_size(const struct listing *listing);

/*
 * Goes on for LISTING_STEP_NS: 1 when that was not enough; 0 with the encoded reply. -EMSGSIZE when it
 * would be larger than a reply may be, -ENOMEM.
 */
int listing_step(struct listing *listing, bool continues, char **ret_bytes, size_t *ret_size);

#endif
