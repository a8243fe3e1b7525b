/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who may do what: one table over the access that a method asks for, the socket that the call came
 * in by, and what the caller is to the object. Must never look at a message, a file or the clock.
 */
#ifndef DUNED_POLICY_H
#define DUNED_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/methods.h"

/* What a caller is, to an object or at all. */
enum policy_relation {
	RELATION_UNIDENTIFIED,	/* the uid may stand for several users */
	RELATION_OTHER,		/* a user, not the object's owner */
	RELATION_OBSERVER,	/* likewise, but one that may see what others have */
	RELATION_OWNER,		/* the object's owner; in general: a user, who may own objects */
	RELATION_ADMINISTRATOR,
	RELATION_ROOT,
	NR_POLICY_RELATIONS,
};

enum policy_socket {
	POLICY_PUBLIC,
	POLICY_ADMIN,
	NR_POLICY_SOCKETS,
};

enum policy_verdict {
	POLICY_DENY,
	POLICY_ASK,		/* refused unless polkit allows it, where that is configured */
	POLICY_ALLOW,
};

/* What polkit said of the call that is being answered. */
enum policy_asked {
	ASKED_NOT,
	ASKED_GRANTED,
	ASKED_REFUSED,
};

/* The caller, as the kernel knows it (peer.h reads it). */
struct peer {
	uint32_t uid;
	uint32_t gid;
	int32_t pid;
	bool identified;	/* false: the uid may stand for several users */
	bool administrator;	/* named by [access] administrators */
	bool observer;		/* named by [access] observers */
	enum policy_asked asked;	/* of a copy that lives for one call, else ASKED_NOT */
	enum policy_socket socket;
	int socket_fd;		/* borrowed from the connection; 0: none */
	uint64_t connected_ticks;	/* when it was accepted, as processes' starts are told */
	uint64_t *start_ticks;	/* the connection's place for the process's start, once read; NULL: none */
	/* The rest comes with manager_judge(). */
	unsigned int generation;	/* of the configuration that its standing is from; 0: none yet */
	/* Those of its groups that the configuration speaks of, owned by whoever made the peer. */
	uint32_t *groups;
	size_t nr_groups;
};

/* One cell of the table; whatever is outside of it is refused. */
enum policy_verdict policy_verdict(enum dune_access access, enum policy_socket socket,
				   enum policy_relation relation);

/* What the peer is to an object of this owner, and at all. */
enum policy_relation policy_relation(const struct peer *peer, uint32_t owner);
enum policy_relation policy_standing(const struct peer *peer);

/* May the peer call a method with this access at all? POLICY_ASK is no, unless polkit granted it. */
bool policy_may_call(const struct peer *peer, enum dune_access access);

/*
 * May the peer see and act on an object of this owner through a method with this access? Always
 * false for an access that is about no object.
 */
bool policy_may(const struct peer *peer, enum dune_access access, uint32_t owner);

/* The same for objects of everybody. */
bool policy_may_all(const struct peer *peer, enum dune_access access);

/*
 * The polkit action that would let the peer call the method, or act through it on objects of others;
 * NULL: there is none, or polkit was asked already.
 */
const char *policy_ask_call(const struct peer *peer, enum dune_access access);
const char *policy_ask(const struct peer *peer, enum dune_access access);

/* The action of an access, NULL for one that polkit has no say in. systemd/ has their texts. */
const char *policy_action(enum dune_access access);

#endif
