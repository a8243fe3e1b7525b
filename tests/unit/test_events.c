// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The queues of duned's subscribers: who gets which event, what is dropped when a queue is full and
 * that the number told is exact, how streams end.
 */
#include <check.h>
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "duned/events.h"
#include "proto/varlink.h"
#include "tests/unit/suite.h"

static const struct peer root = { .uid = 0, .identified = true };
static const struct peer alice = { .uid = 1000, .identified = true };
static const struct peer shadow = { .uid = 1000, .identified = false };

static struct events events;
static int notified;

static void setup(void)
{
	events_init(&events);
	notified = 0;
}

static void count_notice(void *data)
{
	(*(int *)data)++;
}

static struct subscription *subscribe(const struct peer *peer, struct event_filter filter)
{
	struct subscription *subscription =
		subscription_new(&events, peer, ACCESS_OBSERVER, &filter);

	ck_assert_ptr_nonnull(subscription);
	subscription_watch(subscription, count_notice, NULL, &notified);
	return subscription;
}

static void publish(uint32_t type, uint64_t id, uint32_t owner, const char *name)
{
	struct dune_event event = { .type = type, .id = id, .owner = owner, .time_ns = 5000 };

	strcpy(event.name, name);
	events_publish(&events, &event);
}

/* The next reply as text, without its NUL being part of anything; to be freed. */
static char *take(struct subscription *subscription, bool *ret_continues)
{
	char *bytes;
	size_t size;

	ck_assert(subscription_ready(subscription));
	ck_assert_int_eq(subscription_take(subscription, &bytes, &size, ret_continues), 0);
	ck_assert_uint_eq(strlen(bytes) + 1, size);
	return bytes;
}

static void expect(struct subscription *subscription, const char *text)
{
	bool continues;
	char *bytes = take(subscription, &continues);

	ck_assert_str_eq(bytes, text);
	ck_assert_int_eq(continues, strstr(text, "\"continues\":true") != NULL);
	free(bytes);
}

#define EVENT(type, id, owner, name)                                            \
	"{\"type\":\"" type "\",\"time_usec\":5,\"id\":" id ",\"name\":\"" name \
	"\",\"owner\":" owner "}"
#define REPLY(parameters) "{\"parameters\":{" parameters "},\"continues\":true}"

START_TEST(everybody_gets_his_own)
{
	struct subscription *of_root = subscribe(&root, (struct event_filter){ 0 });
	struct subscription *of_alice = subscribe(&alice, (struct event_filter){ 0 });
	struct subscription *of_shadow = subscribe(&shadow, (struct event_filter){ 0 });

	publish(DUNE_EVENT_CREATED, 1, 1000, "a");
	publish(DUNE_EVENT_CREATED, 2, 2000, "b");
	ck_assert_int_eq(notified, 3);
	expect(of_root, REPLY("\"events\":[" EVENT("created", "1", "1000", "a") "," EVENT(
				"created", "2", "2000", "b") "]"));
	expect(of_alice, REPLY("\"events\":[" EVENT("created", "1", "1000", "a") "]"));
	ck_assert(!subscription_ready(of_root));
	ck_assert(!subscription_ready(of_alice));
	/* A uid that may stand for several users is nobody's. */
	ck_assert(!subscription_ready(of_shadow));
	subscription_free(of_root);
	subscription_free(of_alice);
	subscription_free(of_shadow);
	ck_assert_uint_eq(events.nr_subscriptions, 0);
}
END_TEST

static const struct {
	struct event_filter filter;
	bool wanted[4]; /* of the events below */
} filters[] = {
	{ { 0 }, { true, true, true, true } },
	{ { .id = 7 }, { true, false, true, false } },
	{ { .id = 9 }, { false, false, false, false } },
	{ { .name = "a" }, { true, true, false, false } },
	{ { .name = "A" }, { false, false, false, false } },
	{ { .types = 1u << DUNE_EVENT_CREATED }, { true, false, false, false } },
	{ { .types = 1u << DUNE_EVENT_ENDED | 1u << DUNE_EVENT_LIMIT },
	  { false, false, true, true } },
	{ { .name = "a", .types = 1u << DUNE_EVENT_RUNNING }, { false, true, false, false } },
};

START_TEST(filters_choose)
{
	struct subscription *subscription = subscribe(&root, filters[_i].filter);

	for (int i = 0; i < 4; i++) {
		bool continues;

		switch (i) {
		case 0:
			publish(DUNE_EVENT_CREATED, 7, 1, "a");
			break;
		case 1:
			publish(DUNE_EVENT_RUNNING, 8, 1, "a");
			break;
		case 2:
			publish(DUNE_EVENT_LIMIT, 7, 1, "b");
			break;
		case 3:
			publish(DUNE_EVENT_ENDED, 8, 2, "");
			break;
		}
		ck_assert_msg(subscription_ready(subscription) == filters[_i].wanted[i],
			      "filter %d, event %d", _i, i);
		if (filters[_i].wanted[i])
			free(take(subscription, &continues));
	}
	subscription_free(subscription);
}
END_TEST

/* A type that only a newer module knows reaches whoever asks for all. */
START_TEST(unknown_types)
{
	struct subscription *all = subscribe(&root, (struct event_filter){ 0 });
	struct subscription *some = subscribe(&root, (struct event_filter){ .types = ~0u });

	publish(40, 1, 0, "x\xff");
	expect(all, REPLY("\"events\":[" EVENT("event_40", "1", "0", "x?") "]"));
	ck_assert(!subscription_ready(some));
	subscription_free(all);
	subscription_free(some);
}
END_TEST

START_TEST(details)
{
	struct subscription *subscription = subscribe(&root, (struct event_filter){ 0 });
	struct dune_event event = { .type = DUNE_EVENT_ENDED, .id = 3, .pid = 77 };

	event.value = DUNE_END_PANIC;
	event.detail = 0x401000;
	events_publish(&events, &event);
	event.value = DUNE_END_KILL;
	events_publish(&events, &event);
	event.type = DUNE_EVENT_LIMIT;
	event.value = DUNE_LIMIT_VCPUS;
	event.detail = 4;
	events_publish(&events, &event);
#define HEAD(type) \
	"{\"type\":\"" type "\",\"time_usec\":0,\"id\":3,\"name\":\"\",\"owner\":0,\"pid\":77,"
	expect(subscription,
	       REPLY("\"events\":[" HEAD("ended") "\"cause\":\"panic\",\"rip\":\"0x401000\"}," HEAD(
		       "ended") "\"cause\":\"kill\"}," HEAD("limit") "\"limit\":\"vcpus\",\"maximum\":4}]"));
	subscription_free(subscription);
}
END_TEST

/* Events in a reply, each checked to follow the one before; the first one's id in *ret_first. */
static size_t count_events(const char *reply, int64_t *ret_first, int64_t *ret_dropped)
{
	struct json_object *message = json_tokener_parse(reply), *parameters, *list, *value;
	size_t count;

	ck_assert_ptr_nonnull(message);
	parameters = json_object_object_get(message, "parameters");
	list = json_object_object_get(parameters, "events");
	count = json_object_array_length(list);
	for (size_t i = 0; i < count; i++) {
		int64_t id = json_object_get_int64(
			json_object_object_get(json_object_array_get_idx(list, i), "id"));

		if (!i)
			*ret_first = id;
		ck_assert_int_eq(id, *ret_first + (int64_t)i);
	}
	value = json_object_object_get(parameters, "dropped");
	*ret_dropped = value ? json_object_get_int64(value) : 0;
	json_object_put(message);
	return count;
}

START_TEST(a_full_queue_drops_the_oldest_and_says_how_many)
{
	struct subscription *slow = subscribe(&root, (struct event_filter){ 0 });
	struct subscription *choosy = subscribe(&root, (struct event_filter){ .id = 5 });
	int64_t first, dropped;
	bool continues;
	char *reply;

	for (uint64_t id = 1; id <= EVENTS_QUEUE_MAX + 100; id++)
		publish(DUNE_EVENT_CREATED, id, 1, "n");
	reply = take(slow, &continues);
	ck_assert_uint_eq(count_events(reply, &first, &dropped), EVENTS_QUEUE_MAX);
	ck_assert_int_eq(first, 101);
	ck_assert_int_eq(dropped, 100);
	free(reply);
	/* Told once. */
	publish(DUNE_EVENT_CREATED, 1, 1, "n");
	expect(slow, REPLY("\"events\":[" EVENT("created", "1", "1", "n") "]"));
	/* Nothing of what he wanted was dropped. */
	expect(choosy, REPLY("\"events\":[" EVENT("created", "5", "1", "n") "]"));
	subscription_free(slow);
	subscription_free(choosy);
}
END_TEST

START_TEST(a_queue_is_limited_in_bytes_too)
{
	struct subscription *slow = subscribe(&root, (struct event_filter){ 0 });
	struct dune_event event = { .type = DUNE_EVENT_ENDED,
				    .value = DUNE_END_ENTRY_FAILED,
				    .owner = ~0u,
				    .pid = INT32_MAX,
				    .time_ns = ~0ull,
				    .detail = ~0ull };
	int64_t first, dropped;
	bool continues;
	char *reply;
	size_t kept;

	memset(event.name, 'n', DUNE_NAME_MAX - 1);
	for (int i = 0; i < EVENTS_QUEUE_MAX * 2; i++) {
		event.id = 1000000000000000000ull + (uint64_t)i;
		events_publish(&events, &event);
	}
	reply = take(slow, &continues);
	ck_assert_uint_lt(strlen(reply), EVENTS_QUEUE_BYTES + 1024);
	kept = count_events(reply, &first, &dropped);
	ck_assert_uint_gt(kept, 100);
	ck_assert_uint_lt(kept, EVENTS_QUEUE_MAX);
	ck_assert_uint_eq(kept + (size_t)dropped, EVENTS_QUEUE_MAX * 2);
	free(reply);
	subscription_free(slow);
}
END_TEST

START_TEST(what_the_module_lost_reaches_everybody)
{
	struct subscription *of_root = subscribe(&root, (struct event_filter){ .id = 3 });
	struct subscription *of_alice = subscribe(&alice, (struct event_filter){ .name = "x" });
	struct dune_event lost = { .type = DUNE_EVENT_LOST, .detail = 17 };

	events_publish(&events, &lost);
	events_publish(&events, &lost);
	expect(of_root, REPLY("\"dropped\":34"));
	publish(DUNE_EVENT_CREATED, 4, 1000, "x");
	expect(of_alice,
	       REPLY("\"events\":[" EVENT("created", "4", "1000", "x") "],\"dropped\":34"));
	subscription_free(of_root);
	subscription_free(of_alice);
}
END_TEST

START_TEST(a_stream_about_one_context_ends_with_it)
{
	struct subscription *all = subscribe(&root, (struct event_filter){ .id = 3 });
	struct subscription *ends =
		subscribe(&root, (struct event_filter){ .id = 3, .types = 1u << DUNE_EVENT_ENDED });
	struct subscription *other = subscribe(&root, (struct event_filter){ .id = 4 });

	publish(DUNE_EVENT_FREED, 3, 0, "n");
	expect(all, "{\"parameters\":{\"events\":[" EVENT("freed", "3", "0", "n") "]}}");
	expect(ends, "{\"parameters\":{}}");
	ck_assert(!subscription_ready(other));
	subscription_end(other);
	expect(other, "{\"parameters\":{}}");
	subscription_free(all);
	subscription_free(ends);
	subscription_free(other);
}
END_TEST

static void take_standing(void *data)
{
	((struct peer *)data)->observer = false;
}

/* Also by an event that it did not ask for, as the first that it may not see. */
START_TEST(a_stream_about_one_context_ends_with_the_standing)
{
	struct peer peer = { .uid = 1000, .identified = true, .observer = true };
	struct event_filter filter = { .id = 3, .types = 1u << DUNE_EVENT_ENDED };
	struct subscription *one = subscribe(&peer, filter), *all, *own;

	all = subscribe(&peer, (struct event_filter){ 0 });
	own = subscribe(&alice, (struct event_filter){ .id = 4 });
	publish(DUNE_EVENT_RUNNING, 3, 0, "n");
	ck_assert(!subscription_ready(one));
	expect(all, REPLY("\"events\":[" EVENT("running", "3", "0", "n") "]"));
	subscription_watch(one, NULL, take_standing, &peer);
	publish(DUNE_EVENT_RUNNING, 3, 0, "n");
	expect(one, "{\"parameters\":{}}");
	ck_assert(!subscription_ready(all));
	publish(DUNE_EVENT_RUNNING, 4, 1000, "n");
	expect(own, REPLY("\"events\":[" EVENT("running", "4", "1000", "n") "]"));
	subscription_free(one);
	subscription_free(all);
	subscription_free(own);
}
END_TEST

START_TEST(a_failed_device_ends_all)
{
	struct subscription *subscription = subscribe(&alice, (struct event_filter){ 0 });

	events_fail(&events, -EIO);
	ck_assert_int_eq(notified, 1);
	expect(subscription, "{\"error\":\"io.dune.Manager.ModuleFailed\",\"parameters\":"
			     "{\"operation\":\"events\",\"errno_name\":\"EIO\"}}");
	subscription_free(subscription);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("events");
	TCase *tests = tcase_create("events");

	tcase_add_checked_fixture(tests, setup, NULL);
	tcase_add_test(tests, everybody_gets_his_own);
	tcase_add_loop_test(tests, filters_choose, 0, (int)(sizeof(filters) / sizeof(filters[0])));
	tcase_add_test(tests, unknown_types);
	tcase_add_test(tests, details);
	tcase_add_test(tests, a_full_queue_drops_the_oldest_and_says_how_many);
	tcase_add_test(tests, a_queue_is_limited_in_bytes_too);
	tcase_add_test(tests, what_the_module_lost_reaches_everybody);
	tcase_add_test(tests, a_stream_about_one_context_ends_with_it);
	tcase_add_test(tests, a_stream_about_one_context_ends_with_the_standing);
	tcase_add_test(tests, a_failed_device_ends_all);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
