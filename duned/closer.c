// SPDX-License-Identifier: LGPL-2.1-or-later
/* The thread that closes what may take long; see closer.h. */
#include "duned/closer.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "duned/thread.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid /* glibc before 2.38 */
#endif

struct closing {
	STAILQ_ENTRY(closing) link;
	int fd;
};
STAILQ_HEAD(closings, closing);

static struct {
	bool running; /* the loop's */
	pthread_t thread;
	atomic_size_t waiting;
	pthread_mutex_t lock;
	pthread_cond_t filled;
	/* Under the lock. */
	struct closings queued;
	bool ending;
} closer = { .lock = PTHREAD_MUTEX_INITIALIZER,
	     .filled = PTHREAD_COND_INITIALIZER,
	     .queued = STAILQ_HEAD_INITIALIZER(closer.queued) };

/* ---- in the thread ---- */

static void on_patience(int signal)
{
	/* That it came is all: a wait in the kernel ends by it. */
}

/* A timer that interrupts this thread, and no other. False: there is none to be had. */
static bool patience_new(timer_t *ret_timer)
{
	struct sigaction action = { .sa_handler = on_patience };
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN };
	sigset_t only;

	event.sigev_notify_thread_id = gettid();
	sigemptyset(&only);
	sigaddset(&only, SIGRTMIN);
	return !sigaction(SIGRTMIN, &action, NULL) &&
	       !timer_create(CLOCK_MONOTONIC, &event, ret_timer) &&
	       !pthread_sigmask(SIG_UNBLOCK, &only, NULL);
}

static struct closing *take_closing(void)
{
	struct closing *closing;

	pthread_mutex_lock(&closer.lock);
	while (!(closing = STAILQ_FIRST(&closer.queued)) && !closer.ending)
		pthread_cond_wait(&closer.filled, &closer.lock);
	if (closing)
		STAILQ_REMOVE_HEAD(&closer.queued, link);
	pthread_mutex_unlock(&closer.lock);
	return closing;
}

static void *work(void *data)
{
	const struct timespec patience = { .tv_nsec = CLOSER_PATIENCE_NS };
	const struct itimerspec impatient = { .it_value = patience, .it_interval = patience };
	const struct itimerspec never = { 0 };
	struct closing *closing;
	timer_t timer;
	bool timed;

	pthread_setname_np(pthread_self(), CLOSER_NAME);
	timed = patience_new(&timer);
	while ((closing = take_closing())) {
		/* Again and again, for it may come before the wait does. */
		if (timed)
			timer_settime(timer, 0, &impatient, NULL);
		close(closing->fd);
		if (timed)
			timer_settime(timer, 0, &never, NULL);
		free(closing);
		atomic_fetch_sub(&closer.waiting, 1);
	}
	if (timed)
		timer_delete(timer);
	return NULL;
}

/* ---- in the loop ---- */

/* With both directions shut down nothing can come any more: what is seen to be empty stays so. */
static bool is_empty(int fd)
{
	int bytes;

	shutdown(fd, SHUT_RDWR);
	return ioctl(fd, FIONREAD, &bytes) == 0 && !bytes;
}

void closer_close(int fd)
{
	struct closing *closing = closer.running && !is_empty(fd) ? malloc(sizeof(*closing)) : NULL;

	if (!closing) {
		close(fd);
		return;
	}
	closing->fd = fd;
	atomic_fetch_add(&closer.waiting, 1);
	pthread_mutex_lock(&closer.lock);
	STAILQ_INSERT_TAIL(&closer.queued, closing, link);
	pthread_cond_signal(&closer.filled);
	pthread_mutex_unlock(&closer.lock);
}

bool closer_is_full(void)
{
	return atomic_load(&closer.waiting) >= CLOSER_QUEUE;
}

/* ---- life ---- */

int closer_start(void)
{
	int r = thread_start(&closer.thread, 0, work, NULL);

	closer.running = !r;
	return r;
}

void closer_stop(void)
{
	if (!closer.running)
		return;
	closer.running = false;
	pthread_mutex_lock(&closer.lock);
	closer.ending = true;
	pthread_cond_signal(&closer.filled);
	pthread_mutex_unlock(&closer.lock);
	thread_end(closer.thread, CLOSER_STOP_S);
}
