// SPDX-License-Identifier: LGPL-2.1-or-later
/* The methods of io.dune.Manager and the table of all; see methods.h. */
#include "duned/methods.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "duned/admit.h"
#include "duned/clock.h"
#include "duned/context.h"
#include "duned/create.h"
#include "duned/info.h"
#include "duned/json.h"
#include "duned/log.h"
#include "duned/polkit.h"
#include "duned/quota_methods.h"
#include "duned/request.h"
#include "duned/select.h"
#include "duned/set_limits.h"
#include "duned/subscribe.h"
#include "duned/totals.h"
#include "duned/worker.h"
#include "proto/names.h"

/* ---- answers ---- */

void answer_done(struct answer *answer)
{
	json_object_put(answer->parameters);
	if (answer->fd >= 0)
		close(answer->fd);
	subscription_free(answer->subscription);
	listing_free(answer->listing);
	job_release(answer->job);
	*answer = (struct answer){ .fd = -1 };
}

int answer_error(struct answer *answer, const char *error, struct json_object *parameters)
{
	if (!parameters)
		return -ENOMEM;
	answer_done(answer);
	snprintf(answer->error, sizeof(answer->error), "%s", error);
	answer->parameters = parameters;
	return 1;
}

int answer_reply(struct answer *answer, struct json_object *parameters)
{
	if (!parameters)
		return -ENOMEM;
	answer->parameters = parameters;
	return 1;
}

int answer_error_plain(struct answer *answer, const char *error)
{
	return answer_error(answer, error, json_object_new_object());
}

int answer_error_string(struct answer *answer, const char *error, const char *key,
			const char *value)
{
	struct json_object *parameters = json_object_new_object();
	bool ok = json_put_string(parameters, key, value);

	return answer_error(answer, error, json_finish(parameters, ok));
}

int answer_bad_parameter(struct answer *answer, const char *parameter)
{
	return answer_error_string(answer, VARLINK_ERROR("InvalidParameter"), "parameter",
				   parameter);
}

int answer_device_failed(struct answer *answer, const char *operation, int error)
{
	struct json_object *parameters = json_object_new_object();
	bool ok;

	if (error == -EBUSY)
		return answer_error(answer, DUNE_ERROR("VirtualizationBusy"), parameters);
	ok = json_put_string(parameters, "operation", operation) &&
	     json_put_string(parameters, "errno_name", dune_errno_name(error));

	return answer_error(answer, DUNE_ERROR("ModuleFailed"), json_finish(parameters, ok));
}

/* What polkit allowed in one turn of the loop is not refused for want of a place if no other job waits. */
static_assert(POLKIT_ASKS <= WORKER_QUEUE - WORKER_ROOT, "polkit's yeses have to fit");

int answer_later(struct request *request, struct job *job, struct answer *answer)
{
	size_t room;
	int r;

	job->of_root = request->peer->uid == 0;
	room = worker_room(job);
	r = worker_submit(request->manager->worker, job);
	if (!r) {
		answer->job = job;
		return 1;
	}
	job->kind->free(job);
	return r == -EBUSY ?
		       answer_quota(answer, "waiting_calls", NULL, NULL, (int64_t)room, room) :
		       r;
}

int answer_listing(struct request *request, struct answer *answer, const char *name,
		   enum listing_kind kind)
{
	bool share = request->call->flags & METHODS_AGAIN;

	answer->listing =
		listing_new(request->manager, request->peer, request->access, name, kind, share);
	return answer->listing ? 1 : -ENOMEM;
}

int64_t request_cause(const struct request *request)
{
	enum policy_relation standing = policy_standing(request->peer);

	return standing == RELATION_ADMINISTRATOR || standing == RELATION_ROOT ?
		       LOG_TRUSTED :
		       (int64_t)request->peer->uid;
}

int request_device(struct request *request, struct answer *answer)
{
	struct device *device = &request->manager->device;
	struct json_object *parameters;
	int r = manager_device(request->manager);
	bool ok;

	if (!r)
		return 0;
	if (r != -EPROTONOSUPPORT)
		return answer_error_string(answer, DUNE_ERROR("ModuleNotLoaded"), "reason",
					   dune_errno_name(r));
	parameters = json_object_new_object();
	ok = json_put_int(parameters, "expected", DUNE_ABI_VERSION) &&
	     json_put_int(parameters, "found", device->abi);
	return answer_error(answer, DUNE_ERROR("ModuleMismatch"), json_finish(parameters, ok));
}

int request_settle(struct request *request, struct answer *answer)
{
	int r = request_device(request, answer);

	if (r)
		return r;
	r = manager_settle(request->manager);
	return r < 0 ? answer_device_failed(answer, "stats", r) : 0;
}

/* ---- List, Inspect, Kill ---- */

static int method_list(struct request *request, struct answer *answer)
{
	const char *bad;
	int r;

	if (params_decode(request->call->parameters, NULL, 0, &bad) < 0)
		return answer_bad_parameter(answer, bad);
	r = request_device(request, answer);
	if (r)
		return r;
	return answer_listing(request, answer, NULL, LISTING_CONTEXTS);
}

static int method_inspect(struct request *request, struct answer *answer)
{
	struct json_object *parameters;
	struct dune_report report;
	struct dune_stats stats;
	int r = select_from_call(request, answer, &stats);
	bool ok;

	if (r)
		return r;
	parameters = context_sample_json(&stats);
	ok = parameters != NULL;
	if (ok && context_has_report(&stats) &&
	    device_report(&request->manager->device, stats.id, &report) == 0)
		ok = json_put(parameters, "report", context_report_json(&report));
	return answer_reply(answer, json_finish(parameters, ok));
}

static int method_kill(struct request *request, struct answer *answer)
{
	struct dune_stats stats;
	int r = select_from_call(request, answer, &stats);

	if (r)
		return r;
	r = device_kill(&request->manager->device, stats.id);
	if (r == -ENOENT)
		return answer_error_plain(answer, DUNE_ERROR("NoSuchContext"));
	if (r == -ESRCH)
		return answer_error_plain(answer, DUNE_ERROR("NoProcess"));
	if (r < 0)
		return answer_device_failed(answer, "kill", r);
	log_caused_message(request_cause(request), LOG_INFO, MESSAGE_CONTEXT_KILLED,
			   LOG_FIELDS(LOG_NUMBER("DUNE_CONTEXT", stats.id),
				      LOG_TEXT("DUNE_NAME", stats.name),
				      LOG_NUMBER("DUNE_OWNER", stats.owner),
				      LOG_NUMBER("DUNE_UID", request->peer->uid)),
			   "context %" PRIu64 " (%s) of uid %u is killed for uid %u",
			   (uint64_t)stats.id, stats.name, stats.owner, request->peer->uid);
	return answer_reply(answer, json_object_new_object());
}

/* ---- Stats ---- */

static int sample_one(struct request *request, const struct selector *selector,
		      struct answer *answer, struct json_object *samples)
{
	struct dune_stats stats;
	int r = select_context(request, selector, answer, &stats);

	if (r)
		return r;
	if (!json_append(samples, context_sample_json(&stats)))
		return -ENOMEM;
	/* A stream stays with this context, whoever bears the name later. */
	if (selector->name) {
		if (!json_put_int(request->call->parameters, "id", stats.id))
			return -ENOMEM;
		json_object_object_del(request->call->parameters, "name");
	}
	return 0;
}

static int answer_samples(struct answer *answer, struct json_object *samples)
{
	struct json_object *parameters = json_object_new_object();
	bool ok = json_put_int(parameters, "time_usec", (uint64_t)clock_ns() / 1000) &&
		  json_put(parameters, "samples", json_object_get(samples));
	return answer_reply(answer, json_finish(parameters, ok));
}

static int method_stats(struct request *request, struct answer *answer)
{
	struct json_object *samples __attribute__((cleanup(json_release))) = NULL;
	struct param_int interval_ms = { .value = DUNE_DEFAULT_INTERVAL_MS };
	struct selector selector = { 0 };
	const struct param params[] = {
		{ "id", PARAM_INT, &selector.id },
		{ "name", PARAM_STRING, &selector.name },
		{ "interval_ms", PARAM_INT, &interval_ms },
	};
	const char *bad;
	int r;

	if (params_decode(request->call->parameters, params, 3, &bad) < 0)
		return answer_bad_parameter(answer, bad);
	if (interval_ms.value < DUNE_MIN_INTERVAL_MS || interval_ms.value > DUNE_MAX_INTERVAL_MS)
		return answer_bad_parameter(answer, "interval_ms");
	samples = json_object_new_array();
	if (!samples)
		return -ENOMEM;
	if (selector.id.set || selector.name)
		r = sample_one(request, &selector, answer, samples);
	else
		r = request_device(request, answer);
	if (r)
		return r;
	if (request->call->flags & VARLINK_MORE)
		answer->interval_ms = (unsigned int)interval_ms.value;
	if (selector.id.set || selector.name)
		return answer_samples(answer, samples);
	return answer_listing(request, answer, NULL, LISTING_SAMPLES);
}

/* ---- the table ---- */

static const struct method {
	const char *name;
	enum dune_access access;
	int (*handler)(struct request *request, struct answer *answer);
} methods[] = {
#define ROW(interface, name, access, handler) { interface "." name, access, method_##handler },
	DUNE_METHODS(ROW)
#undef ROW
};

static const struct method *method_find(const char *name)
{
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		if (!strcmp(methods[i].name, name))
			return &methods[i];
	}
	return NULL;
}

int methods_answer(struct manager *manager, const struct peer *peer, struct varlink_call *call,
		   struct answer *ret_answer)
{
	struct answer answer __attribute__((cleanup(answer_done))) = { .fd = -1 };
	const struct method *method = method_find(call->method);
	enum dune_access access = method ? method->access : ACCESS_ANYONE;
	struct request request = { .manager = manager,
				   .peer = peer,
				   .call = call,
				   .access = access };
	int r = 0;

	if (!method) {
		r = answer_error_string(&answer, VARLINK_ERROR("MethodNotFound"), "method",
					call->method);
	} else if (policy_may_call(peer, access)) {
		r = method->handler(&request, &answer);
	} else if (!select_ask(&request, &answer, policy_ask_call(peer, access))) {
		log_client_message(peer->uid, MESSAGE_ACCESS_DENIED,
				   LOG_FIELDS(LOG_TEXT("DUNE_METHOD", call->method),
					      LOG_NUMBER("DUNE_PID", peer->pid)),
				   "%.64s was refused (pid %d)", call->method, peer->pid);
		r = answer_error_plain(&answer, VARLINK_ERROR("PermissionDenied"));
	}
	if (r < 0)
		return r;
	*ret_answer = answer;
	answer = (struct answer){ .fd = -1 };
	return 0;
}

int methods_finish(struct manager *manager, const struct peer *peer, struct varlink_call *call,
		   struct job *job, struct answer *ret_answer)
{
	struct answer answer __attribute__((cleanup(answer_done))) = { .fd = -1 };
	const struct method *method = method_find(call->method);
	struct request request = { .manager = manager, .peer = peer, .call = call };
	int r;

	/* Only methods of the table make jobs. */
	request.access = method ? method->access : ACCESS_ADMINISTRATOR;
	r = job->kind->answer(job, &request, &answer);
	if (r < 0)
		return r;
	*ret_answer = answer;
	answer = (struct answer){ .fd = -1 };
	return 0;
}
