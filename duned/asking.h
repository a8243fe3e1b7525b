/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A call that waits for what polkit says of it. Owns the call meanwhile; must never answer it by what was
 * true before: when polkit has spoken, the call is looked at anew.
 */
#ifndef DUNED_ASKING_H
#define DUNED_ASKING_H

#include <stdbool.h>

#include "duned/manager.h"
#include "duned/methods.h"
#include "duned/polkit.h"
#include "proto/varlink.h"

/* All zeroes: no call waits. */
struct asking {
	struct varlink_call call; /* its method NULL: there is none */
	const char *action;
	struct polkit_ask *ask; /* NULL once polkit has spoken */
	enum polkit_outcome outcome;
	void (*ready)(void *data);
	void *data;
};

/*
 * Takes the call and asks for the action. `ready` is called once, maybe at once, when the call can be
 * answered. The peer stays where it is until then.
 */
void asking_begin(struct asking *asking, struct manager *manager, const struct peer *peer,
		  struct varlink_call *call, const char *action, void (*ready)(void *data),
		  void *data);

/* Is there a call that waits, and can it be answered? */
bool asking_active(const struct asking *asking);
bool asking_ready(const struct asking *asking);

/* As methods_answer(), for the call that waits, which stays. */
int asking_answer(struct asking *asking, struct manager *manager, const struct peer *peer,
		  struct answer *ret_answer);

/* Drops the call, whether polkit has spoken or not. */
void asking_done(struct asking *asking);

#endif
