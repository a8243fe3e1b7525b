/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A reply about many contexts, or quotas, in the making, a bounded piece of work at a time: ten thousand
 * of them take longer than the loop may be busy with one client. Listings that were asked for together
 * share what was read from the module and the text made of it. Holds next to nothing before it is begun.
 */
#ifndef DUNED_LISTING_H
#define DUNED_LISTING_H

#include <stdbool.h>
#include <stddef.h>

#include "duned/manager.h"
#include "duned/policy.h"

#define LISTING_STEP_NS	 200000 /* of one piece of work */
#define LISTING_SHARE_NS 50000000 /* so long a stream's next sample may be what others read */

enum listing_kind {
	LISTING_CONTEXTS, /* {"contexts":[Context, ...]} */
	LISTING_SAMPLES, /* {"time_usec":n,"samples":[Sample, ...]} */
	NR_LISTING_KINDS,
};

struct listing;
struct text;

/*
 * What a listing is made of, whose body it owns. The peer is the one that it is for, as it is now, with
 * what polkit said when it asked.
 */
struct listing_source {
	/* The reply up to its first entry. 0, -EACCES when the peer may no longer have it, -errno. */
	int (*begin)(void *body, const struct peer *peer, struct text *text);
	/* Some more, few: 1; 0 when there is no more; -errno. */
	int (*go_on)(void *body, const struct peer *peer, struct text *text);
	void (*adopt)(void *body); /* see listing_adopt(); NULL: nothing is shared */
	void (*free)(void *body);
};

/* The peer is who asks. NULL when out of memory; the body is the caller's then. */
struct listing *listing_of(const struct listing_source *source, void *body,
			   const struct peer *peer);

/*
 * Will be about the contexts that the peer may see, of that name unless it is NULL. `share`: what was
 * read a moment ago will do. NULL when out of memory.
 */
struct listing *listing_new(struct manager *manager, const struct peer *peer,
			    enum dune_access access, const char *name, enum listing_kind kind,
			    bool share);
void listing_free(struct listing *listing); /* takes NULL */

/*
 * Takes what another one has read since this one was asked for, if there is that, so that it does not
 * go with the other.
 */
void listing_adopt(struct listing *listing);

/* Reads what it is about, before the first step. -errno of the module or of its source, -ENOMEM. */
int listing_begin(struct listing *listing, const struct peer *peer);
bool listing_begun(const struct listing *listing);

/* Bytes that the reply has by now. */
size_t listing_size(const struct listing *listing);

/*
 * Goes on for LISTING_STEP_NS: 1 when that was not enough; 0 with the encoded reply. -EMSGSIZE when it
 * would be larger than a reply may be, -errno of its source, -ENOMEM.
 */
int listing_step(struct listing *listing, const struct peer *peer, bool continues, char **ret_bytes,
		 size_t *ret_size);

#endif
