/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What may block: reading files, resolving names, waiting for the disk. One thread does such jobs
 * one after the other, those of clients that may only look when no other waits; their results are put
 * in force in the loop, in the same order. Owns the queue, which has a limit; must never let a job
 * touch what is the loop's, nor the loop wait for a job.
 */
#ifndef DUNED_WORKER_H
#define DUNED_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#define WORKER_QUEUE	 64 /* jobs of clients that wait or are being done */
#define WORKER_ONLOOKERS 8 /* of those, before a client that may only look has to come back */
#define WORKER_ROOT	 8 /* of the first, kept for root */
#define WORKER_STOP_S	 5 /* that the end waits for those that were begun */
#define WORKER_NAME	 "duned-worker" /* of the thread */

struct answer;
struct ev_loop;
struct job;
struct request;
struct worker;

struct job_kind {
	/* In the worker: may block. Sees nothing but the job and what only jobs use. */
	void (*work)(struct job *job);
	/* In the loop, once, whether anybody waits for it or not; may be NULL. */
	void (*done)(struct job *job);
	/* In the loop, after done, once, for who asked: as a method's handler. */
	int (*answer)(struct job *job, struct request *request, struct answer *answer);
	void (*free)(struct job *job);
};

/* Embedded, as the first member, in what a job is about. */
struct job {
	STAILQ_ENTRY(job) link;
	const struct job_kind *kind;
	bool finished; /* these are the loop's */
	bool released;
	bool of_service;
	bool of_onlooker; /* of one that may only look */
	bool of_root;
	void (*ready)(void *data);
	void *data;
};

/*
 * Without a loop, jobs are done at once where they are submitted. Without a thread, when the
 * system has none to give, the loop does them. NULL when out of memory.
 */
struct worker *worker_new(struct ev_loop *loop);

/*
 * Does what is still queued. Takes NULL. False: a job hangs and ends with the process; what it
 * uses has to stay until then.
 */
bool worker_free(struct worker *worker);

/*
 * How many jobs of clients there may be before this one is refused: those who only look can't take the
 * room of those who administrate, nor these root's. The service's own always find room: there are two at
 * most.
 */
size_t worker_room(const struct job *job);

/* Queues a job. -EBUSY when there is no room for it. */
int worker_submit(struct worker *worker, struct job *job);

/* `ready` is called once, from the loop, when the job is finished; at once when it is. */
void job_wait(struct job *job, void (*ready)(void *data), void *data);
bool job_finished(const struct job *job);

/* Nobody waits any more: it is freed, now or when it is finished. Takes NULL. */
void job_release(struct job *job);

#endif
