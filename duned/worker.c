// SPDX-License-Identifier: LGPL-2.1-or-later
/* The thread for what may block; see worker.h. */
#include "duned/worker.h"

#include <errno.h>
#include <ev.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "duned/log.h"
#include "duned/thread.h"

STAILQ_HEAD(job_queue, job);

struct worker {
	struct ev_loop *loop;
	ev_async notice; /* something is finished */
	size_t nr_clients_jobs; /* the loop's count */
	bool has_thread;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t filled;
	/* Under the lock, which nobody holds for longer than a list needs. */
	struct job_queue queued, onlookers, finished;
	bool ending;
	bool left; /* it hung: there is no loop any more */
};

/* ---- in the worker ---- */

static struct job *take_first(struct job_queue *queue)
{
	struct job *job = STAILQ_FIRST(queue);

	if (job)
		STAILQ_REMOVE_HEAD(queue, link);
	return job;
}

/* An onlooker's only when nothing else waits: a name that it asks about may take long to resolve. */
static struct job *take_queued(struct worker *worker)
{
	struct job *job = take_first(&worker->queued);

	return job ? job : take_first(&worker->onlookers);
}

static struct job *take_job(struct worker *worker)
{
	struct job *job;

	pthread_mutex_lock(&worker->lock);
	while (!(job = take_queued(worker)) && !worker->ending)
		pthread_cond_wait(&worker->filled, &worker->lock);
	pthread_mutex_unlock(&worker->lock);
	return job;
}

static void give_back(struct worker *worker, struct job *job)
{
	pthread_mutex_lock(&worker->lock);
	STAILQ_INSERT_TAIL(&worker->finished, job, link);
	if (!worker->left)
		ev_async_send(worker->loop, &worker->notice);
	pthread_mutex_unlock(&worker->lock);
}

static void *work(void *data)
{
	struct worker *worker = data;
	struct job *job;

	pthread_setname_np(pthread_self(), WORKER_NAME);
	while ((job = take_job(worker))) {
		job->kind->work(job);
		give_back(worker, job);
	}
	return NULL;
}

/* ---- in the loop ---- */

static void finish(struct worker *worker, struct job *job)
{
	if (!job->of_service)
		worker->nr_clients_jobs--;
	if (job->kind->done)
		job->kind->done(job);
	job->finished = true;
	if (job->released)
		job->kind->free(job);
	else if (job->ready)
		job->ready(job->data);
}

static void finish_all(struct worker *worker)
{
	for (;;) {
		struct job *job;

		pthread_mutex_lock(&worker->lock);
		job = take_first(&worker->finished);
		pthread_mutex_unlock(&worker->lock);
		if (!job)
			return;
		finish(worker, job);
	}
}

static void on_notice(struct ev_loop *loop, ev_async *watcher, int revents)
{
	finish_all(watcher->data);
}

size_t worker_room(const struct job *job)
{
	if (job->of_service)
		return SIZE_MAX;
	if (job->of_onlooker)
		return WORKER_ONLOOKERS;
	return job->of_root ? WORKER_QUEUE : WORKER_QUEUE - WORKER_ROOT;
}

int worker_submit(struct worker *worker, struct job *job)
{
	if (worker->nr_clients_jobs >= worker_room(job))
		return -EBUSY;
	worker->nr_clients_jobs += !job->of_service;
	if (!worker->has_thread) {
		job->kind->work(job);
		if (worker->loop)
			give_back(worker, job);
		else
			finish(worker, job);
		return 0;
	}
	pthread_mutex_lock(&worker->lock);
	if (job->of_onlooker)
		STAILQ_INSERT_TAIL(&worker->onlookers, job, link);
	else
		STAILQ_INSERT_TAIL(&worker->queued, job, link);
	pthread_cond_signal(&worker->filled);
	pthread_mutex_unlock(&worker->lock);
	return 0;
}

void job_wait(struct job *job, void (*ready)(void *data), void *data)
{
	job->ready = ready;
	job->data = data;
	if (job->finished)
		ready(data);
}

bool job_finished(const struct job *job)
{
	return job->finished;
}

void job_release(struct job *job)
{
	if (!job)
		return;
	job->released = true;
	job->ready = NULL;
	if (job->finished)
		job->kind->free(job);
}

/* ---- life ---- */

struct worker *worker_new(struct ev_loop *loop)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	int r;

	if (!worker)
		return NULL;
	worker->loop = loop;
	STAILQ_INIT(&worker->queued);
	STAILQ_INIT(&worker->onlookers);
	STAILQ_INIT(&worker->finished);
	pthread_mutex_init(&worker->lock, NULL);
	pthread_cond_init(&worker->filled, NULL);
	if (!loop)
		return worker;
	ev_async_init(&worker->notice, on_notice);
	worker->notice.data = worker;
	ev_async_start(loop, &worker->notice);
	/* The stack is what libraries that resolve names expect. */
	r = thread_start(&worker->thread, 0, work, worker);
	worker->has_thread = !r;
	if (r < 0)
		log_warning("files are read and written by the loop itself: %s", strerror(-r));
	return worker;
}

/* Lets the thread do what is queued. False: it hangs, and is left alone. */
static bool stop_thread(struct worker *worker)
{
	if (!worker->has_thread)
		return true;
	pthread_mutex_lock(&worker->lock);
	worker->ending = true;
	pthread_cond_signal(&worker->filled);
	pthread_mutex_unlock(&worker->lock);
	if (thread_end(worker->thread, WORKER_STOP_S))
		return true;
	pthread_mutex_lock(&worker->lock);
	worker->left = true;
	pthread_mutex_unlock(&worker->lock);
	return false;
}

bool worker_free(struct worker *worker)
{
	if (!worker)
		return true;
	if (!stop_thread(worker)) {
		log_warning("a file or a name is still waited for: what was asked of it is lost");
		return false;
	}
	finish_all(worker);
	if (worker->loop)
		ev_async_stop(worker->loop, &worker->notice);
	pthread_cond_destroy(&worker->filled);
	pthread_mutex_destroy(&worker->lock);
	free(worker);
	return true;
}
