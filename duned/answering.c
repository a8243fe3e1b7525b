// SPDX-License-Identifier: LGPL-2.1-or-later
/* Answers to a connection's calls; see answering.h. */
#include "duned/answering.h"

#include <errno.h>

#include "duned/connection.h"
#include "duned/counters.h"
#include "duned/json.h"
#include "duned/listing.h"
#include "duned/methods.h"
#include "duned/stream.h"

void answering_renew_standing(void *data)
{
	struct connection *connection = data;
	const struct manager *manager = connection->server->manager;

	if (connection->generation == manager->generation)
		return;
	manager_judge(manager, &connection->peer);
	connection->generation = manager->generation;
}

/* ---- now ---- */

static int encode_too_large(char **ret_bytes, size_t *ret_size)
{
	struct json_object *parameters = json_object_new_object();
	int r = -ENOMEM;

	if (json_put_int(parameters, "maximum", VARLINK_MAX_REPLY))
		r = varlink_reply_encode(DUNE_ERROR("ReplyTooLarge"), parameters, false, ret_bytes,
					 ret_size);
	json_object_put(parameters);
	return r;
}

/* Encodes and queues an answer. *ret_continues: the call is to be answered again. */
static int queue_answer(struct connection *connection, struct answer *answer, bool *ret_continues)
{
	const char *error = answer->error[0] ? answer->error : NULL;
	bool continues = !error && (answer->interval_ms || answer->subscription);
	size_t size;
	char *bytes;
	int fd, r;

	if (answer->text && !error)
		r = varlink_reply_wrap(answer->text, answer->text_size, continues, &bytes, &size);
	else
		r = varlink_reply_encode(error, answer->parameters, continues, &bytes, &size);
	if (r == -EMSGSIZE) {
		error = DUNE_ERROR("ReplyTooLarge");
		continues = false;
		r = encode_too_large(&bytes, &size);
	}
	if (r < 0)
		return r;
	if (error)
		counters_error(error);
	fd = answer->fd;
	answer->fd = -1;
	*ret_continues = continues;
	return output_queue(connection, bytes, size, fd);
}

static void listing_stop(struct connection *connection)
{
	output_account(connection, 0, connection->listing_bytes);
	connection->listing_bytes = 0;
	listing_free(connection->listing);
	connection->listing = NULL;
}

int answering_advance(struct connection *connection)
{
	char *bytes;
	size_t size;
	int r;

	if (!connection->listing)
		return 0;
	r = listing_step(connection->listing, connection->streaming, &bytes, &size);
	if (r > 0) {
		size = listing_size(connection->listing);
		output_account(connection, size, connection->listing_bytes);
		connection->listing_bytes = size;
		schedule_add(&connection->server->schedule, &connection->turn);
		return 0;
	}
	listing_stop(connection);
	if (r == -EMSGSIZE) {
		stream_stop(connection);
		counters_error(DUNE_ERROR("ReplyTooLarge"));
		r = encode_too_large(&bytes, &size);
	}
	return r < 0 ? r : output_queue(connection, bytes, size, -1);
}

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
		connection->listing = answer->listing;
		answer->listing = NULL;
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

	answering_renew_standing(connection);
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
	answering_renew_standing(connection);
	r = methods_finish(connection->server->manager, &connection->peer, call, connection->job,
			   &answer);
	if (!r)
		r = take_answer(connection, call, false, &answer);
	job_stop(connection);
	return r;
}

int answering_call(struct connection *connection, struct varlink_call *call, bool again)
{
	struct answer answer __attribute__((cleanup(answer_done))) = { .fd = -1 };
	int r;

	answering_renew_standing(connection);
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
