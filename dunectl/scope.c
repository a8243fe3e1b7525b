// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A transient scope over the bus; see scope.h. The scope is made with this very process in it, so that what
 * is forked later, and the context that is created later, count there from the first moment; should
 * anything fail later, the scope ends with this process.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <systemd/sd-bus.h>
#include <systemd/sd-id128.h>

#include "dunectl/scope.h"

#define MANAGER_NAME	   "org.freedesktop.systemd1"
#define MANAGER_PATH	   "/org/freedesktop/systemd1"
#define MANAGER_INTERFACE  "org.freedesktop.systemd1.Manager"
#define USEC_PER_MSEC	   1000
#define DEFAULT_TIMEOUT_MS 10000
#define JOB_MAX		   256 /* bytes of a job's object path */
#define RESULT_MAX	   32

/* The job that makes the scope; no result while it goes on. */
struct job {
	char path[JOB_MAX];
	char result[RESULT_MAX];
};

static void bus_free(sd_bus **bus)
{
	sd_bus_close_unref(*bus);
}
#define BUS_CLEANUP __attribute__((cleanup(bus_free)))

static void message_free(sd_bus_message **message)
{
	sd_bus_message_unref(*message);
}
#define MESSAGE_CLEANUP __attribute__((cleanup(message_free)))

static uint64_t now_usec(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

static int open_bus(sd_bus **ret_bus, char reason[SCOPE_REASON_MAX])
{
	bool root = geteuid() == 0;
	int r = root ? sd_bus_open_system(ret_bus) : sd_bus_open_user(ret_bus);

	if (r >= 0)
		return 0;
	snprintf(reason, SCOPE_REASON_MAX, "no bus to the %s systemd: %s",
		 root ? "system's" : "user's own",
		 r == -ENOMEDIUM ? "XDG_RUNTIME_DIR is not set" : strerror(-r));
	return -ENOTCONN;
}

/* The bus takes UTF-8 only, and a command line may be anything. */
static void describe(char *description, size_t size, const char *what)
{
	snprintf(description, size, "dunectl launch %s", what);
	for (char *c = description; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
}

/* A reason in words, from what came over the bus if something did. */
static int explain(int r, const sd_bus_error *error, const char *doing,
		   char reason[SCOPE_REASON_MAX])
{
	const char *text = error && error->message ? error->message : strerror(-r);

	if (error && error->name)
		snprintf(reason, SCOPE_REASON_MAX, "%s: %s [%s]", doing, text, error->name);
	else
		snprintf(reason, SCOPE_REASON_MAX, "%s: %s", doing, text);
	if (error && (sd_bus_error_has_name(error, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
		      sd_bus_error_has_name(error, SD_BUS_ERROR_NAME_HAS_NO_OWNER)))
		return -ENOTCONN;
	return r < 0 ? r : -EIO;
}

static int append_property(sd_bus_message *message, const struct scope_property *property)
{
	switch (property->type) {
	case 'b':
		return sd_bus_message_append(message, "(sv)", property->name, "b",
					     (int)property->number);
	case 'u':
		return sd_bus_message_append(message, "(sv)", property->name, "u",
					     (uint32_t)property->number);
	case 't':
		return sd_bus_message_append(message, "(sv)", property->name, "t",
					     property->number);
	default:
		return sd_bus_message_append(message, "(sv)", property->name, "s", property->text);
	}
}

/* What every scope has, and what was asked for. */
static int append_properties(sd_bus_message *message, const struct scope *scope, const char *slice,
			     const char *description)
{
	int r = sd_bus_message_open_container(message, 'a', "(sv)");

	if (r >= 0)
		r = sd_bus_message_append(message, "(sv)(sv)(sv)(sv)", "Description", "s",
					  description, "Slice", "s", slice, "CollectMode", "s",
					  "inactive-or-failed", "PIDs", "au", 1,
					  (uint32_t)getpid());
	for (size_t i = 0; i < scope->nr_properties && r >= 0; i++)
		r = append_property(message, &scope->properties[i]);
	return r < 0 ? r : sd_bus_message_close_container(message);
}

static int new_request(sd_bus *bus, const struct scope *scope, const char *what,
		       sd_bus_message **ret_message)
{
	MESSAGE_CLEANUP sd_bus_message *message = NULL;
	char name[64], slice[SCOPE_NAME_MAX + 1], description[128];
	const char *suffix = strrchr(scope->slice, '.');
	sd_id128_t random;
	int r;

	r = sd_id128_randomize(&random);
	if (r < 0)
		return r;
	snprintf(name, sizeof(name), "dune-%d-%08x.scope", (int)getpid(),
		 (uint32_t)random.qwords[0]);
	describe(description, sizeof(description), what);
	snprintf(slice, sizeof(slice), "%s%s", scope->slice,
		 suffix && strcmp(suffix, ".slice") == 0 ? "" : ".slice");
	r = sd_bus_message_new_method_call(bus, &message, MANAGER_NAME, MANAGER_PATH,
					   MANAGER_INTERFACE, "StartTransientUnit");
	if (r >= 0)
		r = sd_bus_message_append(message, "ss", name, "fail");
	if (r >= 0)
		r = append_properties(message, scope, slice, description);
	if (r >= 0)
		r = sd_bus_message_append(message, "a(sa(sv))", 0);
	if (r < 0)
		return r;
	*ret_message = message;
	message = NULL;
	return 0;
}

/* Some job ended. Called from wait_job() only, when the path of ours is known. */
static int on_job_removed(sd_bus_message *message, void *data, sd_bus_error *error)
{
	const char *path, *unit, *result;
	struct job *job = data;
	uint32_t id;

	if (sd_bus_message_read(message, "uoss", &id, &path, &unit, &result) < 0)
		return 0;
	if (strcmp(path, job->path) != 0)
		return 0;
	snprintf(job->result, sizeof(job->result), "%s", result);
	return 0;
}

static int wait_job(sd_bus *bus, struct job *job, uint64_t timeout_ms)
{
	uint64_t end = now_usec() + timeout_ms * USEC_PER_MSEC, now;
	int r;

	while (!job->result[0]) {
		r = sd_bus_process(bus, NULL);
		if (r < 0)
			return r;
		if (r > 0)
			continue;
		now = now_usec();
		if (now >= end)
			return -ETIMEDOUT;
		r = sd_bus_wait(bus, end - now);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Signals of jobs are sent only while somebody has subscribed. */
static int subscribe(sd_bus *bus, struct job *job, sd_bus_error *error)
{
	int r = sd_bus_match_signal(bus, NULL, MANAGER_NAME, MANAGER_PATH, MANAGER_INTERFACE,
				    "JobRemoved", on_job_removed, job);

	if (r < 0)
		return r;
	return sd_bus_call_method(bus, MANAGER_NAME, MANAGER_PATH, MANAGER_INTERFACE, "Subscribe",
				  error, NULL, "");
}

static int start_unit(sd_bus *bus, const struct scope *scope, const char *what, struct job *job,
		      sd_bus_error *error)
{
	MESSAGE_CLEANUP sd_bus_message *request = NULL, *reply = NULL;
	const char *path;
	int r;

	r = subscribe(bus, job, error);
	if (r >= 0)
		r = new_request(bus, scope, what, &request);
	if (r >= 0)
		r = sd_bus_call(bus, request, 0, error, &reply);
	if (r >= 0)
		r = sd_bus_message_read(reply, "o", &path);
	if (r < 0)
		return r;
	snprintf(job->path, sizeof(job->path), "%s", path);
	return 0;
}

int scope_enter(const struct scope *scope, const char *what, uint64_t timeout_ms,
		char reason[SCOPE_REASON_MAX])
{
	struct scope complete = *scope;
	sd_bus_error error = SD_BUS_ERROR_NULL;
	BUS_CLEANUP sd_bus *bus = NULL;
	struct job job = { 0 };
	int r;

	if (!timeout_ms)
		timeout_ms = DEFAULT_TIMEOUT_MS;
	if (!complete.slice)
		complete.slice = SCOPE_SLICE;
	r = open_bus(&bus, reason);
	if (r < 0)
		return r;
	sd_bus_set_method_call_timeout(bus, timeout_ms * USEC_PER_MSEC);
	r = start_unit(bus, &complete, what, &job, &error);
	if (r < 0)
		r = explain(r, &error, "systemd refuses", reason);
	else
		r = wait_job(bus, &job, timeout_ms);
	if (r < 0 && !reason[0])
		explain(r, NULL, "waiting for systemd", reason);
	sd_bus_error_free(&error);
	if (r == 0 && strcmp(job.result, "done") != 0) {
		snprintf(reason, SCOPE_REASON_MAX, "systemd could not start it: %s", job.result);
		r = -EIO;
	}
	return r;
}
