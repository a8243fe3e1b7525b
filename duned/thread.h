/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Threads beside the loop: they take no signals, and the end waits for them so long and no longer. */
#ifndef DUNED_THREAD_H
#define DUNED_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

/* Starts run(data). The stack is of so many bytes, 0: as the system gives. -errno. */
int thread_start(pthread_t *ret_thread, size_t stack, void *(*run)(void *data), void *data);

/*
 * Waits for a thread that was told to end. False: it has not in so many seconds; it is left alone, and
 * ends with the process.
 */
bool thread_end(pthread_t thread, int patience_s);

#endif
