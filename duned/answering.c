// SPDX-License-Identifier: LGPL-2.1-or-later
/* Answers to a connection's calls; see answering.h. */
#include "duned/answering.h"

#include <errno.h>

#include "duned/connection.h"
#include "duned/counters.h"
#include "duned/json.h"
#include "duned/listing.h"
#include "duned/methods.h"
#include "duned/request.h"
#include "duned/stream.h"

/* With the connection's turn, whose time it takes. */
static int judge(struct connection *connection)
{
	return manager_judge(connection->server->manager, &connection->peer);
}

/* Where nobody can be told that it failed, the peer is nobody special. */
void answering_renew_standing(void *data)
{
	judge(data);
}

/* ---- now ---- */

static int answer_too_large(struct answer *answer)
{
	struct json_object *parameters = json_object_new_object();
	bool ok = json_put_int(parameters, "maximum", VARLINK_MAX_REPLY);

	return answer_error(answer, DUNE_ERROR("ReplyTooLarge"), json_finish(parameters, ok));
}

static int encode_answer(const struct answer *answer, bool *ret_continues, char **ret_bytes,
			 size_t *ret_size)
{
	const char *error = answer->error[0] ? answer->error : NULL;
	bool continues = !error && (answer->interval_ms || answer->subscription);

	*ret_continues = continues;
	if (answer->text && !error)
		return varlink_reply_wrap(answer->text, answer->text_size, continues, ret_bytes,
					  ret_size);
	return varlink_reply_encode(error, answer->parameters, continues, ret_bytes, ret_size);
}

/* Encodes and queues an answer. *ret_continues: the call is to be answered again. */
static int queue_answer(struct connection *connection, struct answer *answer, bool *ret_continues)
{
	bool continues;
	size_t size;
	char *bytes;
	int fd, r = encode_answer(answer, &continues, &bytes, &size);

	if (r == -EMSGSIZE) {
		r = answer_too_large(answer);
		if (r > 0)
			r = encode_answer(answer, &continues, &bytes, &size);
	}
	if (r < 0)
		return r;
	if (answer->error[0])
		counters_error(answer->error);
	fd = answer->fd;
	answer->fd = -1;
	*ret_continues = continues;
	return output_queue(connection, bytes, size, fd);
}

/* ---- long replies ---- */

/*
 * Each may be megabytes, and so may be what it is made of: a user has one in the making at a time, and
 * none while much of what was made is not read. Who has nothing waiting may always begin, so that
 * nobody waits for another's clients.
 */
static bool listing_may_begin(const struct server *server, const struct user *user)
{
	return !user->output_bytes ||
	       (user->output_bytes < SERVER_USER_OUTPUT && server->output_bytes < SERVER_OUTPUT);
}

void answering_wake_listing(struct server *server, struct user *user)
{
	struct connection *first = TAILQ_FIRST(&user->listings);

	if (first && !listing_begun(first->listing) && listing_may_begin(server, user))
		schedule_add(&server->schedule, &first->turn);
}

/* Those that came later wait for it. */
static void listing_start(struct connection *connection, struct answer *answer)
{
	connection->listing = answer->listing;
	answer->listing = NULL;
	TAILQ_INSERT_TAIL(&connection->turn.user->listings, connection, listing_link);
}

static void listing_stop(struct connection *connection)
{
	struct listing *listing = connection->listing;
	struct user *user = connection->turn.user;
	struct connection *first;

	if (!listing)
		return;
	TAILQ_REMOVE(&user->listings, connection, listing_link);
	connection->listing = NULL;
	output_account(connection, 0, connection->listing_bytes);
	connection->listing_bytes = 0;
	answering_wake_listing(connection->server, user);
	first = TAILQ_FIRST(&user->listings);
	if (first && listing_may_begin(connection->server, user))
		listing_adopt(first->listing);
	listing_free(listing);
}

/* It has come to nothing. */
static int listing_fail(struct connection *connection, int error)
{
	struct answer answer __attribute__((cleanup(answer_done))) = { .fd = -1 };
	bool continues;
	int r;

	listing_stop(connection);
	stream_stop(connection);
	if (error == -ENOMEM)
		return error;
	if (error == -EMSGSIZE)
		r = answer_too_large(&answer);
	else if (error == -EACCES)
		r = answer_error_plain(&answer, VARLINK_ERROR("PermissionDenied"));
	else
		r = answer_device_failed(&answer, "stats", error);
	return r < 0 ? r : queue_answer(connection, &answer, &continues);
}

/* May go on: 0, or -errno. *ret_ready: a step can be taken. The peer's standing may have changed. */
static int listing_ready(struct connection *connection, bool *ret_ready)
{
	const struct user *user = connection->turn.user;
	bool begun = listing_begun(connection->listing);
	int r;

	if (!begun && (TAILQ_FIRST(&user->listings) != connection ||
		       !listing_may_begin(connection->server, user)))
		return 0;
	r = judge(connection);
	if (!r && !begun)
		r = listing_begin(connection->listing, &connection->peer);
	*ret_ready = !r;
	return r;
}

int answering_advance(struct connection *connection)
{
	bool ready = false;
	char *bytes;
	size_t size;
	int r;

	if (!connection->listing)
		return 0;
	r = listing_ready(connection, &ready);
	if (!r && !ready)
		return 0;
	if (!r)
		r = listing_step(connection->listing, &connection->peer, connection->streaming,
				 &bytes, &size);
	if (r < 0)
		return listing_fail(connection, r);
	if (!r) {
		r = output_queue(connection, bytes, size, -1);
		listing_stop(connection);
		return r;
	}
	size = listing_size(connection->listing);
	output_account(connection, size, connection->listing_bytes);
	connection->listing_bytes = size;
	schedule_add(&connection->server->schedule, &connection->turn);
	return 0;
}

/* ---- calls ---- */

/* Sends the answer on its way. If it streams, the connection takes the call. */
static int give_answer(struct connection *connection, struct varlink_call *call, bool again,
		       struct answer *answer)
{
	bool continues = false;
	int r = 0;

	if (!again && (answer->interval_ms || answer->subscription) && !answer->error[0])
		r = stream_check(connection, answer);
	if (r < 0)
		return r;
	if (answer->listing && !answer->error[0]) {
		listing_start(connection, answer);
		if (!again && (answer->interval_ms || answer->subscription))
			stream_start(connection, call, answer);
		return 0;
	}
	r = queue_answer(connection, answer, &continues);
	if (r < 0)
		return r;
	if (again && !continues) {
		stream_stop(connection);
	} else if (!again && continues) {
		stream_start(connection, call, answer);
	}
	return 0;
}

/* ---- later ---- */

bool answering_waits(const struct connection *connection)
{
	return connection->job || asking_active(&connection->asking);
}

/* What the call waits for is there: it goes on when the connection has its turn. */
static void on_ready(void *data)
{
	struct connection *connection = data;

	schedule_add(&connection->server->schedule, &connection->turn);
}

static void job_stop(struct connection *connection)
{
	job_release(connection->job);
	connection->job = NULL;
	varlink_call_done(&connection->job_call);
}

/* Takes the job and the call, which the ones after it wait for. */
static void job_start(struct connection *connection, struct varlink_call *call,
		      struct answer *answer)
{
	connection->job = answer->job;
	answer->job = NULL;
	connection->job_call = *call;
	*call = (struct varlink_call){ 0 };
	job_wait(connection->job, on_ready, connection);
}

/* Takes the call when it needs it longer. */
static int take_answer(struct connection *connection, struct varlink_call *call, bool again,
		       struct answer *answer)
{
	if (answer->job)
		job_start(connection, call, answer);
	else if (!(call->flags & VARLINK_ONEWAY))
		return give_answer(connection, call, again, answer);
	return 0;
}

static int finish_asking(struct connection *connection)
{
	struct answer answer __attribute__((cleanup(answer_done))) = { .fd = -1 };
	struct asking *asking = &connection->asking;
	int r;

	r = judge(connection);
	if (!r)
		r = asking_answer(asking, connection->server->manager, &connection->peer, &answer);
	if (!r)
		r = take_answer(connection, &asking->call, false, &answer);
	asking_done(asking);
	return r;
}

static int job_end(struct connection *connection)
{
	struct answer answer __attribute__((cleanup(answer_done))) = { .fd = -1 };
	struct varlink_call *call = &connection->job_call;
	int r;

	if (!connection->job || !job_finished(connection->job))
		return 0;
	r = judge(connection);
	if (!r)
		r = methods_finish(connection->server->manager, &connection->peer, call,
				   connection->job, &answer);
	if (!r)
		r = take_answer(connection, call, false, &answer);
	job_stop(connection);
	return r;
}

int answering_call(struct connection *connection, struct varlink_call *call, bool again)
{
	struct answer answer __attribute__((cleanup(answer_done))) = { .fd = -1 };
	int r;

	r = judge(connection);
	if (!r)
		r = methods_answer(connection->server->manager, &connection->peer, call, &answer);
	if (!r && answer.ask)
		asking_begin(&connection->asking, connection->server->manager, &connection->peer,
			     call, answer.ask, on_ready, connection);
	else if (!r)
		r = take_answer(connection, call, again, &answer);
	return r;
}

/* ---- for the connection ---- */

int answering_go_on(struct connection *connection)
{
	bool busy = connection->listing || !STAILQ_EMPTY(&connection->outputs);
	bool sample_due = connection->sample_due && !connection->subscription;
	int r = 0;

	/* If the client still reads the last sample, it misses this one. */
	if (sample_due && busy)
		counter_add(COUNTER_SAMPLES_MISSED, 1);
	else if (sample_due)
		r = answering_call(connection, &connection->stream_call, true);
	connection->sample_due = false;
	if (!r && asking_ready(&connection->asking))
		r = finish_asking(connection);
	if (!r)
		r = job_end(connection);
	return r;
}

void answering_stop(struct connection *connection)
{
	stream_stop(connection);
	listing_stop(connection);
	asking_done(&connection->asking);
	job_stop(connection);
}
