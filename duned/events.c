// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Fan-out of events; see events.h. An event's text is made once, for the first subscriber that wants
 * it, and shared by all queues that hold it.
 */
#include "duned/events.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "duned/counters.h"
#include "duned/json.h"
#include "duned/text.h"
#include "proto/names.h"
#include "proto/varlink.h"

/* An event as text, held by the queues that it waits in. */
struct shared_event {
	unsigned int references;
	size_t size;
	char text[];
};

struct subscription {
	TAILQ_ENTRY(subscription) link;
	struct events *events;
	const struct peer *peer;
	enum dune_access access;
	struct event_filter filter;
	void (*changed)(void *data);
	void (*renew)(void *data);
	void *data;
	struct shared_event *queue[EVENTS_QUEUE_MAX]; /* a ring */
	size_t first; /* the oldest */
	size_t count;
	size_t bytes; /* of all texts in the queue */
	uint64_t dropped; /* since the last take */
	bool ended;
	int error;
};

/* ---- events as text ---- */

static bool put_ended(struct json_object *object, const struct dune_event *event)
{
	char buffer[DUNE_NAME_BUFFER];
	bool fault = event->value != DUNE_END_EXIT && event->value != DUNE_END_KILL;

	return json_put_string(object, "cause",
			       dune_name_or_number(dune_cause_name(event->value), "cause",
						   event->value, buffer)) &&
	       (!fault || json_put_hex(object, "rip", event->detail));
}

static bool put_limit(struct json_object *object, const struct dune_event *event)
{
	char buffer[DUNE_NAME_BUFFER];

	return json_put_string(object, "limit",
			       dune_name_or_number(dune_limit_name(event->value), "limit",
						   event->value, buffer)) &&
	       json_put_int(object, "maximum", event->detail);
}

/* The type Event of the interface; NULL when out of memory. */
static struct json_object *event_json(const struct dune_event *event)
{
	struct json_object *object = json_object_new_object();
	char buffer[DUNE_NAME_BUFFER];
	bool ok = json_put_string(object, "type",
				  dune_name_or_number(dune_event_name(event->type), "event",
						      event->type, buffer)) &&
		  json_put_int(object, "time_usec", event->time_ns / 1000) &&
		  json_put_int(object, "id", event->id) &&
		  json_put_ascii(object, "name", event->name) &&
		  json_put_int(object, "owner", event->owner);

	if (ok && event->pid > 0)
		ok = json_put_int(object, "pid", (uint64_t)event->pid);
	if (ok && event->type == DUNE_EVENT_ENDED)
		ok = put_ended(object, event);
	if (ok && event->type == DUNE_EVENT_LIMIT)
		ok = put_limit(object, event);
	return json_finish(object, ok);
}

static struct shared_event *shared_new(const struct dune_event *event)
{
	struct json_object *object __attribute__((cleanup(json_release))) = event_json(event);
	struct shared_event *shared;
	const char *text;
	size_t size;

	if (!object)
		return NULL;
	text = json_object_to_json_string_length(
		object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &size);
	shared = text ? malloc(sizeof(*shared) + size) : NULL;
	if (!shared)
		return NULL;
	*shared = (struct shared_event){ .references = 1, .size = size };
	memcpy(shared->text, text, size);
	return shared;
}

static void shared_put(struct shared_event *shared)
{
	if (shared && --shared->references == 0)
		free(shared);
}

/* ---- one subscriber's queue ---- */

static void queue_drop_oldest(struct subscription *subscription)
{
	struct shared_event *oldest = subscription->queue[subscription->first];

	subscription->first = (subscription->first + 1) % EVENTS_QUEUE_MAX;
	subscription->count--;
	subscription->bytes -= oldest->size;
	shared_put(oldest);
}

static void queue_add(struct subscription *subscription, struct shared_event *shared)
{
	while (subscription->count == EVENTS_QUEUE_MAX ||
	       (subscription->count && subscription->bytes + shared->size > EVENTS_QUEUE_BYTES)) {
		queue_drop_oldest(subscription);
		subscription->dropped++;
		counter_add(COUNTER_EVENTS_DROPPED, 1);
	}
	shared->references++;
	subscription->queue[(subscription->first + subscription->count) % EVENTS_QUEUE_MAX] =
		shared;
	subscription->count++;
	subscription->bytes += shared->size;
}

/* There is no memory for it. */
static void drop_unseen(struct subscription *subscription)
{
	subscription->dropped++;
	counter_add(COUNTER_EVENTS_DROPPED, 1);
}

static void notify(const struct subscription *subscription)
{
	if (subscription->changed)
		subscription->changed(subscription->data);
}

/* ---- everybody ---- */

void events_init(struct events *events)
{
	*events = (struct events){ 0 };
	TAILQ_INIT(&events->subscriptions);
}

static bool may_see(const struct subscription *subscription, const struct dune_event *event)
{
	if (subscription->renew)
		subscription->renew(subscription->data);
	return policy_may(subscription->peer, subscription->access, event->owner);
}

/*
 * The event that frees its context is wanted by nobody who filters, yet ends the stream about it. So does
 * any, when the subscriber may not see the context any more.
 */
static bool ends_stream(const struct subscription *subscription, const struct dune_event *event)
{
	return subscription->filter.id == event->id &&
	       (event->type == DUNE_EVENT_FREED || !may_see(subscription, event));
}

static bool is_wanted(const struct subscription *subscription, const struct dune_event *event)
{
	const struct event_filter *filter = &subscription->filter;

	if (filter->id && filter->id != event->id)
		return false;
	if (filter->name[0] && strcmp(filter->name, event->name) != 0)
		return false;
	if (filter->types && (event->type >= 32 || !(filter->types & 1u << event->type)))
		return false;
	return may_see(subscription, event);
}

/* What the module lost may have been anybody's. */
static void publish_lost(struct events *events, uint64_t lost)
{
	struct subscription *subscription;

	TAILQ_FOREACH(subscription, &events->subscriptions, link)
	{
		subscription->dropped += lost;
		notify(subscription);
	}
}

void events_publish(struct events *events, const struct dune_event *event)
{
	struct shared_event *shared = NULL;
	struct subscription *subscription;

	if (event->type == DUNE_EVENT_LOST) {
		counter_add(COUNTER_EVENTS_LOST, event->detail);
		publish_lost(events, event->detail);
		return;
	}
	counter_add(COUNTER_EVENTS, 1);
	TAILQ_FOREACH(subscription, &events->subscriptions, link)
	{
		bool ends = ends_stream(subscription, event);
		bool wanted = is_wanted(subscription, event);

		if (wanted && !shared)
			shared = shared_new(event);
		if (wanted && shared)
			queue_add(subscription, shared);
		else if (wanted)
			drop_unseen(subscription);
		if (ends)
			subscription->ended = true;
		if (wanted || ends)
			notify(subscription);
	}
	shared_put(shared);
}

void events_fail(struct events *events, int error)
{
	struct subscription *subscription;

	TAILQ_FOREACH(subscription, &events->subscriptions, link)
	{
		subscription->error = error;
		notify(subscription);
	}
}

/* ---- subscriptions ---- */

struct subscription *subscription_new(struct events *events, const struct peer *peer,
				      enum dune_access access, const struct event_filter *filter)
{
	struct subscription *subscription = calloc(1, sizeof(*subscription));

	if (!subscription)
		return NULL;
	subscription->events = events;
	subscription->peer = peer;
	subscription->access = access;
	subscription->filter = *filter;
	TAILQ_INSERT_TAIL(&events->subscriptions, subscription, link);
	events->nr_subscriptions++;
	counter_add(COUNTER_SUBSCRIPTIONS_NOW, 1);
	return subscription;
}

void subscription_free(struct subscription *subscription)
{
	if (!subscription)
		return;
	TAILQ_REMOVE(&subscription->events->subscriptions, subscription, link);
	subscription->events->nr_subscriptions--;
	counter_sub(COUNTER_SUBSCRIPTIONS_NOW, 1);
	while (subscription->count)
		queue_drop_oldest(subscription);
	free(subscription);
}

void subscription_watch(struct subscription *subscription, void (*changed)(void *data),
			void (*renew)(void *data), void *data)
{
	subscription->changed = changed;
	subscription->renew = renew;
	subscription->data = data;
}

void subscription_end(struct subscription *subscription)
{
	subscription->ended = true;
	notify(subscription);
}

bool subscription_ready(const struct subscription *subscription)
{
	return subscription->count || subscription->dropped || subscription->ended ||
	       subscription->error;
}

static int take_error(int error, char **ret_bytes, size_t *ret_size)
{
	struct json_object *object
		__attribute__((cleanup(json_release))) = json_object_new_object();

	if (!json_put_string(object, "operation", "events") ||
	    !json_put_string(object, "errno_name", dune_errno_name(error)))
		return -ENOMEM;
	return varlink_reply_encode(DUNE_ERROR("ModuleFailed"), object, false, ret_bytes, ret_size);
}

/* The parameters {"events":[...],"dropped":n} of what waits. */
static void write_parameters(const struct subscription *subscription, struct text *text)
{
	char number[32];

	text_add_string(text, "{");
	for (size_t i = 0; i < subscription->count; i++) {
		const struct shared_event *shared =
			subscription->queue[(subscription->first + i) % EVENTS_QUEUE_MAX];

		text_add_string(text, i ? "," : "\"events\":[");
		text_add(text, shared->text, shared->size);
	}
	if (subscription->count)
		text_add_string(text, "]");
	if (subscription->dropped) {
		snprintf(number, sizeof(number), "%lld",
			 subscription->dropped > INT64_MAX ? INT64_MAX :
							     (long long)subscription->dropped);
		text_add_string(text, subscription->count ? ",\"dropped\":" : "\"dropped\":");
		text_add_string(text, number);
	}
	text_add_string(text, "}");
}

int subscription_take(struct subscription *subscription, char **ret_bytes, size_t *ret_size,
		      bool *ret_continues)
{
	struct text text __attribute__((cleanup(text_done)));
	int r;

	text_init(&text, VARLINK_MAX_REPLY);
	if (subscription->error) {
		*ret_continues = false;
		return take_error(subscription->error, ret_bytes, ret_size);
	}
	write_parameters(subscription, &text);
	if (text.error)
		return text.error;
	r = varlink_reply_wrap(text.bytes, text.size, !subscription->ended, ret_bytes, ret_size);
	if (r < 0)
		return r;
	*ret_continues = !subscription->ended;
	counter_add(COUNTER_EVENTS_SENT, subscription->count);
	while (subscription->count)
		queue_drop_oldest(subscription);
	subscription->dropped = 0;
	return 0;
}
