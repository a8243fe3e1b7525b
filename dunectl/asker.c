// SPDX-License-Identifier: LGPL-2.1-or-later
/* The asking thread of `dunectl top`; see asker.h. */
#include "dunectl/asker.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "dunectl/dunectl.h"

#define RETRY_MS 1000 /* between two attempts to reach the service */

static struct {
	pthread_mutex_t lock;
	struct rate_set set; /* the newest, when fresh */
	bool fresh;
	char problem[ASKER_PROBLEM]; /* empty: none */
	int wake; /* an eventfd: something of the above changed */
} shared = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Set before the thread is there. */
static struct {
	const char *socket;
	uint64_t timeout_ms, interval_ms;
} service;

static void wake_drawer(void)
{
	uint64_t one = 1;
	ssize_t n = write(shared.wake, &one, sizeof(one));

	(void)n; /* full means that it is awake */
}

static int asked(const struct dune_client_stats *stats, void *data)
{
	struct rate_set *before = data, set, copy;

	if (rate_set_new(stats, before, &set) < 0)
		return -ENOMEM;
	rate_set_done(before);
	*before = set;
	if (rate_set_copy(&set, &copy) < 0)
		return -ENOMEM;
	pthread_mutex_lock(&shared.lock);
	rate_set_done(&shared.set);
	shared.set = copy;
	shared.fresh = true;
	shared.problem[0] = '\0';
	pthread_mutex_unlock(&shared.lock);
	wake_drawer();
	return 0;
}

static void ask_failed(const char *text)
{
	pthread_mutex_lock(&shared.lock);
	snprintf(shared.problem, sizeof(shared.problem), "trying again: %s", text);
	pthread_mutex_unlock(&shared.lock);
	wake_drawer();
}

/* Watches for ever: a service that was restarted is found again. */
static void *asker(void *data)
{
	struct rate_set before = { 0 };

	for (;;) {
		struct dune_client *client = NULL;
		int r = dune_client_new(service.socket, &client);

		if (r < 0) {
			ask_failed(strerror(-r));
		} else {
			dune_client_set_timeout(client, service.timeout_ms);
			r = dune_client_watch(client, 0, NULL, service.interval_ms, asked, &before);
			ask_failed(r < 0 ? dune_client_error_text(client) : "the stream ended");
			dune_client_free(client);
		}
		usleep(RETRY_MS * 1000);
	}
	return data;
}

int asker_start(const struct dunectl *ctl, uint64_t interval_ms, int *ret_wake)
{
	pthread_t thread;
	int r;

	service.socket = ctl->socket;
	service.timeout_ms = ctl->timeout_ms;
	service.interval_ms = interval_ms;
	shared.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (shared.wake < 0)
		return -errno;
	r = pthread_create(&thread, NULL, asker, NULL);
	if (r == 0)
		*ret_wake = shared.wake;
	return -r;
}

bool asker_take(struct rate_set *set, char problem[ASKER_PROBLEM])
{
	uint64_t number;
	ssize_t n = read(shared.wake, &number, sizeof(number));
	bool fresh;

	(void)n;
	pthread_mutex_lock(&shared.lock);
	memcpy(problem, shared.problem, ASKER_PROBLEM);
	fresh = shared.fresh;
	if (fresh) {
		rate_set_done(set);
		*set = shared.set;
		shared.set = (struct rate_set){ 0 };
		shared.fresh = false;
	}
	pthread_mutex_unlock(&shared.lock);
	return fresh;
}
