// SPDX-License-Identifier: LGPL-2.1-or-later
/* Threads beside the loop; see thread.h. */
#include "duned/thread.h"

#include <signal.h>
#include <time.h>

int thread_start(pthread_t *ret_thread, size_t stack, void *(*run)(void *data), void *data)
{
	pthread_attr_t attributes;
	sigset_t all, before;
	int r = pthread_attr_init(&attributes);

	if (r)
		return -r;
	if (stack)
		r = pthread_attr_setstacksize(&attributes, stack);
	/* Signals are the loop's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (!r)
		r = pthread_create(ret_thread, &attributes, run, data);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return -r;
}

bool thread_end(pthread_t thread, int patience_s)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += patience_s;
	if (pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &until) == 0)
		return true;
	pthread_detach(thread);
	return false;
}
