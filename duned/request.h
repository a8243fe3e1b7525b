/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the handlers of methods share: the request and the ways to answer it. */
#ifndef DUNED_REQUEST_H
#define DUNED_REQUEST_H

#include "duned/json.h"
#include "duned/listing.h"
#include "duned/methods.h"

struct dune_stats;

struct request {
	struct manager *manager;
	const struct peer *peer;
	struct varlink_call *call;
	enum dune_access access; /* of the method: what policy_may() is asked with */
};

/*
 * All return 1 (which every step of a method returns when the answer is there) or -ENOMEM; answer_reply
 * takes the reference of parameters (NULL is -ENOMEM).
 */
int answer_reply(struct answer *answer, struct json_object *parameters);
int answer_error_plain(struct answer *answer, const char *error);
int answer_error_string(struct answer *answer, const char *error, const char *key,
			const char *value);
int answer_bad_parameter(struct answer *answer, const char *parameter);
int answer_device_failed(struct answer *answer, const char *operation, int error);

/* Submits a job, which it takes: it answers later. No room for it is an error for the client. */
int answer_later(struct request *request, struct job *job, struct answer *answer);

/* A reply about all contexts of that name (NULL: any) that the peer may see, read when it is begun. */
int answer_listing(struct request *request, struct answer *answer, const char *name,
		   enum listing_kind kind);

/* Whom log_caused_message() counts what is done for the caller. */
int64_t request_cause(const struct request *request);

/* Makes the device ready: 0, 1 with the error in *answer, or -errno. */
int request_device(struct request *request, struct answer *answer);

/* The same, and the ledger is exactly what the module holds. */
int request_settle(struct request *request, struct answer *answer);

#endif
