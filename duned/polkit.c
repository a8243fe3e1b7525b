// SPDX-License-Identifier: LGPL-2.1-or-later
/* Asking polkit; see polkit.h. */
#include "duned/polkit.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "duned/clock.h"
#include "duned/identity.h"
#include "duned/log.h"
#include "duned/subids.h"

#define POLKIT_NAME	 "org.freedesktop.PolicyKit1"
#define POLKIT_PATH	 "/org/freedesktop/PolicyKit1/Authority"
#define POLKIT_INTERFACE "org.freedesktop.PolicyKit1.Authority"
#define NO_INTERACTION	 UINT32_C(0) /* flags of CheckAuthorization: nobody is asked for a password */

struct polkit_ask {
	TAILQ_ENTRY(polkit_ask) link;
	struct polkit *polkit;
	sd_bus_slot *slot; /* NULL: not sent yet; without it an answer that comes is nobody's */
	ev_timer timer;
	const struct peer *peer;
	const char *action, *method;
	uint64_t start; /* of its process */
	void (*answered)(void *data, enum polkit_outcome outcome);
	void *data;
};

const char *polkit_reason(enum polkit_outcome outcome)
{
	static const char *const reasons[NR_POLKIT_OUTCOMES] = {
		[POLKIT_YES] = "polkit allows it",
		[POLKIT_NO] = "polkit denies it",
		[POLKIT_CHALLENGE] =
			"polkit wants authentication, which this service never asks for",
		[POLKIT_OFF] = "polkit is not asked any more",
		[POLKIT_CANCELLED] = "the question to polkit was cancelled",
		[POLKIT_ABSENT] = "polkit is not running",
		[POLKIT_UNREACHABLE] = "the system bus can't be reached",
		[POLKIT_SILENT] = "polkit does not answer",
		[POLKIT_MALFORMED] = "polkit's answer is malformed",
		[POLKIT_FAILED] = "polkit can't be asked",
		[POLKIT_BUSY] = "too many calls wait for polkit",
		[POLKIT_GONE] = "the process that connected has ended",
	};

	return (unsigned int)outcome < NR_POLKIT_OUTCOMES ? reasons[outcome] : "?";
}

enum polkit_outcome polkit_outcome_of(const char *error)
{
	static const struct {
		const char *error;
		enum polkit_outcome outcome;
	} rows[] = {
		{ POLKIT_NAME ".Error.Cancelled", POLKIT_CANCELLED },
		{ SD_BUS_ERROR_SERVICE_UNKNOWN, POLKIT_ABSENT },
		{ SD_BUS_ERROR_NAME_HAS_NO_OWNER, POLKIT_ABSENT },
		{ SD_BUS_ERROR_NO_REPLY, POLKIT_SILENT },
		{ SD_BUS_ERROR_TIMEOUT, POLKIT_SILENT },
		{ SD_BUS_ERROR_DISCONNECTED, POLKIT_UNREACHABLE },
		{ SD_BUS_ERROR_NO_SERVER, POLKIT_UNREACHABLE },
	};
	static const char spawn[] = "org.freedesktop.DBus.Error.Spawn.";

	for (size_t i = 0; error && i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!strcmp(rows[i].error, error))
			return rows[i].outcome;
	}
	/* The bus, or systemd for it, could not start polkit: masked, missing, broken. */
	if (error && (!strncmp(error, spawn, strlen(spawn)) ||
		      !strncmp(error, "org.freedesktop.systemd1.", 25)))
		return POLKIT_ABSENT;
	return POLKIT_FAILED;
}

/* ---- questions ---- */

static void ask_free(struct polkit_ask *ask)
{
	struct polkit *polkit = ask->polkit;

	TAILQ_REMOVE(&polkit->asks, ask, link);
	polkit->nr_asks--;
	ev_timer_stop(polkit->loop, &ask->timer);
	sd_bus_slot_unref(ask->slot);
	free(ask);
}

static void ask_end(struct polkit_ask *ask, enum polkit_outcome outcome)
{
	void (*answered)(void *, enum polkit_outcome) = ask->answered;
	void *data = ask->data;

	ask_free(ask);
	answered(data, outcome);
}

void polkit_ask_cancel(struct polkit_ask *ask)
{
	if (ask)
		ask_free(ask);
}

static void on_timeout(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct polkit_ask *ask = timer->data;
	struct polkit *polkit = ask->polkit;
	/* A bus that has not even let us in is another trouble than a silent polkit: begin anew. */
	bool stuck = sd_bus_is_ready(polkit->bus) <= 0;

	ask_end(ask, stuck ? POLKIT_UNREACHABLE : POLKIT_SILENT);
	if (stuck)
		polkit_disconnect(polkit);
}

/* (is_authorized, is_challenge, details) */
static enum polkit_outcome read_answer(sd_bus_message *message)
{
	int authorized, challenge;

	if (sd_bus_message_has_signature(message, "(bba{ss})") <= 0 ||
	    sd_bus_message_enter_container(message, 'r', "bba{ss}") <= 0 ||
	    sd_bus_message_read(message, "bb", &authorized, &challenge) <= 0)
		return POLKIT_MALFORMED;
	return authorized ? POLKIT_YES : challenge ? POLKIT_CHALLENGE : POLKIT_NO;
}

/* Polkit may have looked at a later process of the same pid, unless the one that asked is still there. */
static bool is_still_there(const struct polkit_ask *ask)
{
	uint64_t start;
	int pidfd;

	if (identity_process(ask->peer, &start, &pidfd) < 0)
		return false;
	if (pidfd >= 0)
		close(pidfd);
	return start == ask->start;
}

static int on_answer(sd_bus_message *message, void *data, sd_bus_error *ret_error)
{
	struct polkit_ask *ask = data;
	const sd_bus_error *error = sd_bus_message_get_error(message);
	enum polkit_outcome outcome = error ? polkit_outcome_of(error->name) : read_answer(message);

	if (error)
		log_debug("polkit: %s: %s", error->name, error->message ? error->message : "");
	/* When the bus goes away, the library answers in its place. */
	if (error && sd_bus_is_open(ask->polkit->bus) <= 0)
		outcome = POLKIT_UNREACHABLE;
	if (outcome == POLKIT_YES && !is_still_there(ask))
		outcome = POLKIT_GONE;
	ask_end(ask, outcome);
	return 0;
}

/* ---- sending ---- */

/*
 * The process that connected: a pidfd for the versions of polkit that take one (124 on), which others pass
 * over; its start, which tells it from a later one of the same pid, for those.
 */
static int append_subject(sd_bus_message *message, struct polkit_ask *ask)
{
	const struct peer *peer = ask->peer;
	int pidfd, r = identity_process(peer, &ask->start, &pidfd);

	if (r < 0)
		return r;
	r = sd_bus_message_open_container(message, 'r', "sa{sv}");
	if (r >= 0)
		r = sd_bus_message_append(message, "s", "unix-process");
	if (r >= 0)
		r = sd_bus_message_open_container(message, 'a', "{sv}");
	if (r >= 0)
		r = sd_bus_message_append(message, "{sv}{sv}{sv}", "pid", "u", (uint32_t)peer->pid,
					  "start-time", "t", ask->start, "uid", "i",
					  (int32_t)peer->uid);
	if (r >= 0 && pidfd >= 0 && sd_bus_can_send(ask->polkit->bus, SD_BUS_TYPE_UNIX_FD) > 0)
		r = sd_bus_message_append(message, "{sv}", "pidfd", "h", pidfd);
	if (r >= 0)
		r = sd_bus_message_close_container(message);
	if (r >= 0)
		r = sd_bus_message_close_container(message);
	if (pidfd >= 0)
		close(pidfd);
	return r;
}

static int send_question(struct polkit_ask *ask)
{
	sd_bus_message *message = NULL;
	int r = sd_bus_message_new_method_call(ask->polkit->bus, &message, POLKIT_NAME, POLKIT_PATH,
					       POLKIT_INTERFACE, "CheckAuthorization");

	if (r >= 0)
		r = append_subject(message, ask);
	if (r >= 0)
		r = sd_bus_message_append(message, "sa{ss}us", ask->action, 1, "method",
					  ask->method, NO_INTERACTION, "");
	/* The library's limit of time would not hold while the bus does not let us in. */
	if (r >= 0)
		r = sd_bus_call_async(ask->polkit->bus, &ask->slot, message, on_answer, ask,
				      UINT64_MAX);
	sd_bus_message_unref(message);
	return r;
}

static enum polkit_outcome outcome_of_errno(int r)
{
	switch (r) {
	case -ESRCH:
		return POLKIT_GONE;
	case -ENOTCONN:
	case -ECONNRESET:
	case -EPIPE:
	case -ESHUTDOWN:
		return POLKIT_UNREACHABLE;
	default:
		return POLKIT_FAILED;
	}
}

/*
 * Sends the questions that wait for the bus to let us in: a message with a descriptor, sent earlier, would
 * make the library wait for that.
 */
static void send_questions(struct polkit *polkit)
{
	struct polkit_ask *ask, *next;

	if (sd_bus_is_ready(polkit->bus) <= 0)
		return;
	for (ask = TAILQ_FIRST(&polkit->asks); ask; ask = next) {
		int r = ask->slot ? 0 : send_question(ask);

		next = TAILQ_NEXT(ask, link);
		if (r < 0)
			ask_end(ask, outcome_of_errno(r));
	}
}

/* ---- the bus ---- */

void polkit_disconnect(struct polkit *polkit)
{
	struct polkit_ask *ask;

	if (!polkit->bus)
		return;
	ev_io_stop(polkit->loop, &polkit->watcher);
	ev_timer_stop(polkit->loop, &polkit->timer);
	while ((ask = TAILQ_FIRST(&polkit->asks)))
		ask_end(ask, POLKIT_UNREACHABLE);
	/* Not flushed, which would wait. */
	sd_bus_close(polkit->bus);
	polkit->bus = sd_bus_unref(polkit->bus);
}

/* Waits for what the bus waits for. -errno: it is of no more use. */
static int watch(struct polkit *polkit)
{
	uint64_t until = UINT64_MAX, now;
	int fd = sd_bus_get_fd(polkit->bus), events = sd_bus_get_events(polkit->bus);
	int r = sd_bus_get_timeout(polkit->bus, &until);

	ev_io_stop(polkit->loop, &polkit->watcher);
	ev_timer_stop(polkit->loop, &polkit->timer);
	if (fd < 0 || events < 0 || r < 0)
		return fd < 0 ? fd : events < 0 ? events : r;
	ev_io_set(&polkit->watcher, fd,
		  (events & POLLIN ? EV_READ : 0) | (events & POLLOUT ? EV_WRITE : 0));
	ev_io_start(polkit->loop, &polkit->watcher);
	if (until == UINT64_MAX)
		return 0;
	now = (uint64_t)clock_ns() / 1000;
	ev_timer_set(&polkit->timer, until > now ? (double)(until - now) / 1e6 : 0., 0.);
	ev_timer_start(polkit->loop, &polkit->timer);
	return 0;
}

/* Reads and writes what it can, for a while. Whoever has an answer is told. */
static void process(struct polkit *polkit)
{
	int r = 1;

	for (int i = 0; r > 0 && i < POLKIT_MESSAGES; i++)
		r = sd_bus_process(polkit->bus, NULL);
	if (r >= 0) {
		send_questions(polkit);
		r = watch(polkit);
	}
	if (r < 0 || sd_bus_is_open(polkit->bus) <= 0)
		polkit_disconnect(polkit);
}

static void on_bus(struct ev_loop *loop, ev_io *watcher, int revents)
{
	process(watcher->data);
}

static void on_bus_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
	process(timer->data);
}

void polkit_init(struct polkit *polkit, struct ev_loop *loop)
{
	*polkit = (struct polkit){ .loop = loop };
	TAILQ_INIT(&polkit->asks);
	ev_init(&polkit->watcher, on_bus);
	ev_init(&polkit->timer, on_bus_timer);
	polkit->watcher.data = polkit->timer.data = polkit;
}

/* ---- asking ---- */

static bool too_many(const struct polkit *polkit, uint32_t peer_uid)
{
	const uint32_t uid = subids_user(polkit->subids, peer_uid);
	const struct polkit_ask *ask;
	size_t own = 0;

	TAILQ_FOREACH(ask, &polkit->asks, link)
	own += subids_user(polkit->subids, ask->peer->uid) == uid;
	return own >= POLKIT_USER_ASKS || polkit->nr_asks >= POLKIT_ASKS;
}

struct polkit_ask *polkit_ask_new(struct polkit *polkit, const struct peer *peer,
				  const char *action, const char *method,
				  void (*answered)(void *data, enum polkit_outcome outcome),
				  void *data, enum polkit_outcome *ret_outcome)
{
	struct polkit_ask *ask;
	int r = 0;

	*ret_outcome = POLKIT_BUSY;
	if (too_many(polkit, peer->uid))
		return NULL;
	*ret_outcome = POLKIT_UNREACHABLE;
	if (polkit->loop && !polkit->bus)
		r = sd_bus_open_system(&polkit->bus);
	if (!polkit->loop || r < 0) {
		log_debug("no system bus: %s", strerror(-r));
		return NULL;
	}
	*ret_outcome = POLKIT_FAILED;
	ask = calloc(1, sizeof(*ask));
	if (!ask)
		return NULL;
	*ask = (struct polkit_ask){ .polkit = polkit,
				    .peer = peer,
				    .action = action,
				    .method = method,
				    .answered = answered,
				    .data = data };
	ev_now_update(polkit->loop);
	ev_timer_init(&ask->timer, on_timeout, POLKIT_ANSWER_S, 0.);
	ask->timer.data = ask;
	TAILQ_INSERT_TAIL(&polkit->asks, ask, link);
	polkit->nr_asks++;
	ev_timer_start(polkit->loop, &ask->timer);
	/* It is sent, and whatever comes of it told, in a turn of the bus's own. */
	ev_timer_stop(polkit->loop, &polkit->timer);
	ev_timer_set(&polkit->timer, 0., 0.);
	ev_timer_start(polkit->loop, &polkit->timer);
	return ask;
}
