// SPDX-License-Identifier: LGPL-2.1-or-later
/* Calls that wait for polkit; see asking.h. */
#include "duned/asking.h"

#include <string.h>

#include "duned/json.h"
#include "duned/log.h"
#include "proto/methods.h"

static void on_answered(void *data, enum polkit_outcome outcome)
{
	struct asking *asking = data;

	asking->ask = NULL;
	asking->outcome = outcome;
	asking->ready(asking->data);
}

void asking_begin(struct asking *asking, struct manager *manager, const struct peer *peer,
		  struct varlink_call *call, const char *action, void (*ready)(void *data),
		  void *data)
{
	*asking = (struct asking){ .call = *call, .action = action, .ready = ready, .data = data };
	*call = (struct varlink_call){ 0 };
	asking->ask = polkit_ask_new(&manager->polkit, peer, action, asking->call.method,
				     on_answered, asking, &asking->outcome);
	if (!asking->ask)
		ready(data);
}

bool asking_active(const struct asking *asking)
{
	return asking->call.method != NULL;
}

bool asking_ready(const struct asking *asking)
{
	return asking->call.method && !asking->ask;
}

void asking_done(struct asking *asking)
{
	polkit_ask_cancel(asking->ask);
	varlink_call_done(&asking->call);
	*asking = (struct asking){ 0 };
}

static bool is_denied(enum polkit_outcome outcome)
{
	return outcome == POLKIT_NO || outcome == POLKIT_CHALLENGE || outcome == POLKIT_OFF;
}

static void log_failed(const struct asking *asking, const struct peer *peer)
{
	const char *why = polkit_reason(asking->outcome);

	log_client_message(peer->uid, MESSAGE_POLKIT_FAILED,
			   LOG_FIELDS(LOG_TEXT("DUNE_METHOD", asking->call.method),
				      LOG_NUMBER("DUNE_PID", peer->pid),
				      LOG_TEXT("DUNE_CAUSE", why)),
			   "%.64s was refused (pid %d): %s", asking->call.method, peer->pid, why);
}

/*
 * Who is refused is told why. But where polkit denies it, a context of somebody else stays one that does
 * not exist; where polkit can't be asked, nobody knows.
 */
static int explain(const struct asking *asking, const struct peer *peer, struct answer *answer)
{
	bool denied = is_denied(asking->outcome);
	struct json_object *parameters;
	bool ok;

	if (strcmp(answer->error, VARLINK_ERROR("PermissionDenied")) != 0 &&
	    (denied || strcmp(answer->error, DUNE_ERROR("NoSuchContext")) != 0))
		return 0;
	if (!denied)
		log_failed(asking, peer);
	parameters = json_object_new_object();
	ok = json_put_string(parameters, "action", asking->action) &&
	     json_put_string(parameters, "reason", polkit_reason(asking->outcome));
	return answer_error(answer, VARLINK_ERROR("PermissionDenied"), json_finish(parameters, ok));
}

int asking_answer(struct asking *asking, struct manager *manager, const struct peer *peer,
		  struct answer *ret_answer)
{
	struct answer answer __attribute__((cleanup(answer_done))) = { .fd = -1 };
	struct peer asked = *peer;
	int r;

	/* It may have been turned off meanwhile. */
	if (!manager->config.polkit)
		asking->outcome = POLKIT_OFF;
	asked.asked = asking->outcome == POLKIT_YES ? ASKED_GRANTED : ASKED_REFUSED;
	r = methods_answer(manager, &asked, &asking->call, &answer);
	if (!r && asked.asked == ASKED_REFUSED)
		r = explain(asking, peer, &answer);
	if (r < 0)
		return r;
	*ret_answer = answer;
	answer = (struct answer){ .fd = -1 };
	return 0;
}
