/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who may do what, as a pure function of the caller's identity, the method's access and the
 * object's owner. Must never look at a message, a file or the clock.
 */
#ifndef DUNED_POLICY_H
#define DUNED_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/methods.h"

/* The caller, from SO_PEERCRED. */
struct peer {
	uint32_t uid;
	int32_t pid;
	bool identified;	/* false: the uid may stand for several users */
};

/* May the peer call a method with this access at all? */
bool policy_may_call(const struct peer *peer, enum dune_access access);

/* May the peer see and act on an object of this owner through a method with this access? */
bool policy_may(const struct peer *peer, enum dune_access access, uint32_t owner);

#endif
