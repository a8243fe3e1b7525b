/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which context a call is about, named by id or by name, among those that the caller may act on. Must
 * never tell a caller that a context exists which it may not see, and never let an attempt at one that it
 * may not act on go unlogged.
 */
#ifndef DUNED_SELECT_H
#define DUNED_SELECT_H

#include <stdbool.h>

#include "duned/request.h"

/* Exactly one of both. */
struct selector {
	struct param_int id;
	const char *name;
};

/*
 * Finds it: of that name the living context, else the newest ended one. 0 with *ret_stats, 1 when
 * there is another answer (none, several, polkit is asked), -errno.
 */
int select_context(struct request *request, const struct selector *selector, struct answer *answer,
		   struct dune_stats *ret_stats);

/* The same for a call that has nothing but a selector, which is decoded here. */
int select_from_call(struct request *request, struct answer *answer, struct dune_stats *ret_stats);

/*
 * Puts the question for polkit in the answer, if it has a say in this call: true then. `action` NULL
 * is nothing to ask.
 */
bool select_ask(const struct request *request, struct answer *answer, const char *action);

#endif
