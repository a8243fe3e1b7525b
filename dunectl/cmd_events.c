// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * dunectl events: what happens to contexts, one line each, as it happens.
 */
#include <errno.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "dunectl/dunectl.h"
#include "dunectl/json.h"
#include "proto/dune_abi.h"
#include "proto/names.h"

/* Types that --type can name; there are no more. */
#define TYPES_MAX 8

static const char *types[TYPES_MAX];
static size_t nr_types;
static uint64_t count; /* --count, 0: without end */

/* What the stream's function is given. */
struct follower {
	const struct dunectl *ctl;
	uint64_t seen;
};

static const char *find_type(const char *name)
{
	for (unsigned int type = DUNE_EVENT_CREATED; type < DUNE_EVENT_LOST; type++)
		if (strcmp(dune_event_name(type), name) == 0)
			return dune_event_name(type);
	return NULL;
}

static int set_type(struct dunectl *ctl, const char *value)
{
	const char *type = find_type(value);

	if (!type) {
		dunectl_error("--type must be created, attached, running, ended, freed or limit, "
			      "not '%s'",
			      value);
		return -EINVAL;
	}
	for (size_t i = 0; i < nr_types; i++)
		if (types[i] == type)
			return 0;
	types[nr_types++] = type;
	return 0;
}

static int set_count(struct dunectl *ctl, const char *value)
{
	if (parse_u64(value, &count) < 0 || count == 0) {
		dunectl_error("--count must be a number above 0, not '%s'", value);
		return -EINVAL;
	}
	return 0;
}

static const struct dunectl_option options[] = {
	{ "type", 't', "TYPE", false,
	  "only events of this type (created, attached, running, ended, freed, limit); again for more",
	  set_type },
	{ "count", 'n', "N", false, "end after N events", set_count },
	{ 0 },
};

/* The wall clock of a moment of CLOCK_MONOTONIC, as "12:34:56.789". */
static void format_time(uint64_t time_usec, char text[16])
{
	struct timespec real, monotonic;
	int64_t usec;
	struct tm local;
	time_t seconds;

	clock_gettime(CLOCK_REALTIME, &real);
	clock_gettime(CLOCK_MONOTONIC, &monotonic);
	usec = (real.tv_sec - monotonic.tv_sec) * INT64_C(1000000) +
	       (real.tv_nsec - monotonic.tv_nsec) / 1000 + (int64_t)time_usec;
	seconds = usec / 1000000;
	if (!localtime_r(&seconds, &local)) {
		strcpy(text, "-");
		return;
	}
	snprintf(text, 16, "%02u:%02u:%02u.%03u", (unsigned int)local.tm_hour % 24,
		 (unsigned int)local.tm_min % 60, (unsigned int)local.tm_sec % 61,
		 (unsigned int)(usec / 1000 % 1000));
}

/* What else there is to say about an event. */
static void print_details(const struct dune_client_event *event)
{
	if (event->cause) {
		printf("  ");
		output_text(event->cause, 0);
	}
	if (event->cause && event->rip)
		printf(" at %#" PRIx64, event->rip);
	if (event->limit) {
		printf("  ");
		output_text(event->limit, 0);
		printf(" %" PRIu64, event->maximum);
	}
}

static void print_event(const struct dunectl *ctl, const struct dune_client_event *event)
{
	struct passwd *user = getpwuid(event->owner);
	char time[16], owner[32], pid[16] = "-";

	format_time(event->time_usec, time);
	snprintf(owner, sizeof(owner), "%" PRIu32, event->owner);
	if (event->pid)
		snprintf(pid, sizeof(pid), "%" PRId32, event->pid);
	printf("%s  ", time);
	output_state(&ctl->output, event->type, 8);
	printf("  %3" PRIu64 "  ", event->id);
	output_text(event->name, 12);
	printf("  %-8s  %7s", user ? user->pw_name : owner, pid);
	print_details(event);
	putchar('\n');
}

static void show_event(const struct dunectl *ctl, const struct dune_client_event *event)
{
	JSON_CLEANUP struct json_object *object = json_event(event);

	if (!output_as_json(&ctl->output, object))
		print_event(ctl, event);
}

static void show_dropped(const struct dunectl *ctl, uint64_t dropped)
{
	JSON_CLEANUP struct json_object *object = json_new();

	json_put_number(object, "dropped", dropped);
	if (!output_as_json(&ctl->output, object))
		printf("-- %" PRIu64 " event%s dropped --\n", dropped, dropped == 1 ? "" : "s");
}

static void show_titles(const struct dunectl *ctl)
{
	if (ctl->output.json == OUTPUT_JSON_OFF && !ctl->output.no_legend)
		printf("%-12s  %-8s  %3s  %-12s  %-8s  %7s  %s\n", "TIME", "EVENT", "ID", "NAME",
		       "OWNER", "PID", "DETAILS");
}

/* Not 0 ends the stream: enough was seen, or nobody can be shown anything any more. */
static int show(const struct dune_client_events *events, void *data)
{
	struct follower *follower = data;

	if (events->first)
		show_titles(follower->ctl);
	if (events->dropped)
		show_dropped(follower->ctl, events->dropped);
	for (size_t i = 0; i < events->nr; i++) {
		show_event(follower->ctl, events->events[i]);
		if (count && ++follower->seen == count)
			return 1;
	}
	fflush(stdout);
	return ferror(stdout);
}

static int events_run(struct dunectl *ctl, int argc, char **argv)
{
	CLIENT_CLEANUP struct dune_client *client = NULL;
	struct follower follower = { .ctl = ctl };
	const char *name = NULL;
	uint64_t id = 0;
	int r;

	r = dunectl_connect(ctl, &client);
	if (r)
		return r;
	if (argc > 0)
		dunectl_name_context(argv[0], &id, &name);
	ctl->output.stream = true;
	r = dune_client_events(client, id, name, types, nr_types, show, &follower);
	if (r < 0)
		return dunectl_fail(ctl, client, r, "follow the events");
	return 0;
}

const struct dunectl_command command_events = {
	.name = "events",
	.arguments = "[CONTEXT]",
	.summary = "Show what happens to contexts, as it happens",
	.options = options,
	.max_arguments = 1,
	.run = events_run,
};
