// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The collecting thread and its hand-over; see collector.h. Between loop and thread: `wanted`, `stop` and
 * `filled` under the lock. `filled` belongs to the thread while it works and to the loop once it is posted;
 * the loop's own copy is never touched by the thread.
 */
#include "duned/exporter/collector.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <dune/client.h>

#include "duned/exporter/clock.h"
#include "duned/exporter/note.h"
#include "duned/exporter/shown.h"

struct collector {
	struct collector_options options;
	struct ev_loop *loop;
	void (*collected)(void *data);
	void *data;
	pthread_t thread;
	ev_async posted;
	ev_timer patience;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool wanted; /* lock */
	bool stop; /* lock */
	struct sample filled; /* lock, or the thread's while it works */
	bool ready; /* lock: filled is for the loop */

	struct shown shown; /* of the thread */

	/* Of the loop */
	struct sample sample;
	struct collector_counts counts;
	double sample_at_s; /* CLOCK_MONOTONIC; 0: none yet */
	bool asking;
};

static int64_t now_ms(void)
{
	return (int64_t)(clock_s(CLOCK_REALTIME) * 1000);
}

/* ---- asking ---- */

static int connect_once(const struct collector_options *options, struct dune_client **client)
{
	int r;

	if (*client)
		return 0;
	r = dune_client_new(options->socket, client);
	if (r == 0)
		dune_client_set_timeout(*client, COLLECTOR_CALL_MS);
	return r;
}

static int ask_info(struct dune_client *client, struct sample *sample)
{
	struct dune_client_info *info;
	int r = dune_client_info(client, &info);

	if (r < 0)
		return r;
	sample_take_info(sample, info);
	dune_client_info_free(info);
	return 0;
}

static int ask_totals(struct dune_client *client, struct sample *sample)
{
	struct dune_client_totals *totals;
	int r = dune_client_totals(client, &totals);

	if (r < 0)
		return r;
	sample_take_totals(sample, totals);
	dune_client_totals_free(totals);
	return 0;
}

static int ask_quotas(struct dune_client *client, struct sample *sample)
{
	struct dune_client_quota_list *list;
	int r = dune_client_get_quota(client, "host", NULL, &list);

	if (r < 0)
		return r;
	sample_take_quotas(sample, list);
	dune_client_quota_list_free(list);
	return 0;
}

static int ask_list(struct dune_client *client, const struct collector_options *options,
		    struct shown *shown, struct sample *sample)
{
	struct dune_client_list *list;
	int r = dune_client_list(client, &list);

	if (r < 0)
		return r;
	sample_take_list(sample, list, options->max_users, shown,
			 (int64_t)clock_s(CLOCK_MONOTONIC));
	dune_client_list_free(list);
	return 0;
}

/* The service answered that it can't: the connection is good. */
static bool is_answer(struct dune_client *client)
{
	return dune_client_error_name(client) != NULL;
}

static int ask(struct dune_client *client, const struct collector_options *options,
	       struct shown *shown, struct sample *sample)
{
	int r = ask_info(client, sample);

	if (r < 0 || !sample->module)
		return r;
	r = ask_totals(client, sample);
	if (r < 0 && !is_answer(client))
		return r;
	if (r < 0)
		snprintf(sample->problem, sizeof(sample->problem), "no counters: %.200s",
			 dune_client_error_text(client));
	/* Without an answer what Info told of quotas stands. */
	r = ask_quotas(client, sample);
	if (r < 0 && !is_answer(client))
		return r;
	if (options->max_users)
		r = ask_list(client, options, shown, sample);
	return r < 0 && !is_answer(client) ? r : 0;
}

/*
 * One sample. A connection that ended since the last time (a restarted service) is made anew once; the
 * client is freed after every failure.
 */
static void collect(const struct collector_options *options, struct dune_client **client,
		    struct shown *shown, struct sample *sample)
{
	bool had_connection = *client != NULL;
	double start_s = clock_s(CLOCK_MONOTONIC);
	int r;

	for (int attempt = 0; attempt < 2; attempt++) {
		*sample = (struct sample){ .time_ms = now_ms() };
		r = connect_once(options, client);
		if (r < 0) {
			sample_set_down(sample, note_connect_error(r));
			break;
		}
		r = ask(*client, options, shown, sample);
		if (r == 0)
			break;
		sample_set_down(sample, dune_client_error_text(*client));
		dune_client_free(*client);
		*client = NULL;
		if (!had_connection || r == -ETIMEDOUT)
			break;
	}
	sample->took_s = clock_s(CLOCK_MONOTONIC) - start_s;
}

void collector_collect(const struct collector_options *options, struct sample *ret_sample)
{
	struct dune_client *client = NULL;
	struct shown shown = { 0 };

	collect(options, &client, &shown, ret_sample);
	dune_client_free(client);
}

/* ---- the thread ---- */

/* Waits until somebody wants a sample: false to end. */
static bool wait_for_wish(struct collector *collector)
{
	bool go;

	pthread_mutex_lock(&collector->lock);
	while (!collector->wanted && !collector->stop)
		pthread_cond_wait(&collector->changed, &collector->lock);
	go = !collector->stop;
	collector->wanted = false;
	pthread_mutex_unlock(&collector->lock);
	return go;
}

static void *collector_run(void *data)
{
	struct collector *collector = data;
	struct dune_client *client = NULL;
	struct sample *sample = calloc(1, sizeof(*sample));

	while (sample && wait_for_wish(collector)) {
		collect(&collector->options, &client, &collector->shown, sample);
		pthread_mutex_lock(&collector->lock);
		collector->filled = *sample;
		collector->ready = true;
		pthread_mutex_unlock(&collector->lock);
		ev_async_send(collector->loop, &collector->posted);
	}
	dune_client_free(client);
	free(sample);
	return NULL;
}

/* ---- the loop's side ---- */

static void collector_count(struct collector *collector)
{
	const struct sample *sample = &collector->sample;

	if (sample->up)
		collector->counts.good++;
	else
		collector->counts.bad++;
	note_change(sample->up, sample->module, sample->problem);
	collector->sample_at_s = clock_s(CLOCK_MONOTONIC);
	collector->collected(collector->data);
}

static void on_posted(struct ev_loop *loop, ev_async *watcher, int revents)
{
	struct collector *collector = watcher->data;
	bool ready;

	pthread_mutex_lock(&collector->lock);
	ready = collector->ready;
	if (ready)
		collector->sample = collector->filled;
	collector->ready = false;
	pthread_mutex_unlock(&collector->lock);
	if (!ready)
		return;
	ev_timer_stop(loop, &collector->patience);
	collector->asking = false;
	collector_count(collector);
}

/* The thread still waits for the service; those who wait for the thread get an answer now. */
static void on_impatient(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct collector *collector = timer->data;

	collector->sample.time_ms = now_ms();
	collector->sample.took_s = COLLECTOR_PATIENCE_S;
	sample_set_down(&collector->sample, "duned does not answer");
	collector_count(collector);
}

bool collector_want(struct collector *collector)
{
	if (collector->sample_at_s > 0 &&
	    clock_s(CLOCK_MONOTONIC) - collector->sample_at_s < COLLECTOR_FRESH_S)
		return true;
	if (!ev_is_active(&collector->patience)) {
		ev_timer_set(&collector->patience, COLLECTOR_PATIENCE_S, 0.);
		ev_timer_start(collector->loop, &collector->patience);
	}
	if (collector->asking)
		return false;
	collector->asking = true;
	pthread_mutex_lock(&collector->lock);
	collector->wanted = true;
	pthread_cond_signal(&collector->changed);
	pthread_mutex_unlock(&collector->lock);
	return false;
}

const struct sample *collector_sample(const struct collector *collector)
{
	return &collector->sample;
}

struct collector_counts collector_counts(const struct collector *collector)
{
	return collector->counts;
}

int collector_new(struct ev_loop *loop, const struct collector_options *options,
		  void (*collected)(void *data), void *data, struct collector **ret_collector)
{
	struct collector *collector = calloc(1, sizeof(*collector));
	int r;

	if (!collector)
		return -ENOMEM;
	collector->options = *options;
	collector->loop = loop;
	collector->collected = collected;
	collector->data = data;
	sample_set_down(&collector->sample, "starting");
	pthread_mutex_init(&collector->lock, NULL);
	pthread_cond_init(&collector->changed, NULL);
	ev_async_init(&collector->posted, on_posted);
	ev_init(&collector->patience, on_impatient);
	collector->posted.data = collector->patience.data = collector;
	ev_async_start(loop, &collector->posted);
	r = pthread_create(&collector->thread, NULL, collector_run, collector);
	if (r) {
		ev_async_stop(loop, &collector->posted);
		free(collector);
		return -r;
	}
	*ret_collector = collector;
	return 0;
}

void collector_free(struct collector *collector)
{
	if (!collector)
		return;
	pthread_mutex_lock(&collector->lock);
	collector->stop = true;
	pthread_cond_signal(&collector->changed);
	pthread_mutex_unlock(&collector->lock);
	pthread_join(collector->thread, NULL);
	ev_async_stop(collector->loop, &collector->posted);
	ev_timer_stop(collector->loop, &collector->patience);
	pthread_cond_destroy(&collector->changed);
	pthread_mutex_destroy(&collector->lock);
	free(collector);
}
