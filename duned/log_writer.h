/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The queue and the thread behind log.h. The loop is the only producer, the thread the only consumer.
 * The writer may block on the journal or stderr for as long as those like.
 */
#ifndef DUNED_LOG_WRITER_H
#define DUNED_LOG_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "duned/log.h"

/* A message, then its fields as KEY=value, each with a NUL. */
struct log_entry {
	int priority;
	enum message_id id;
	size_t size;
	unsigned int nr_fields;
	char text[LOG_ENTRY_BYTES];
};

/* Where to: found out once, from the environment. */
void log_writer_init(void);
int log_writer_start(void);
void log_writer_stop(void);

/* Queues it, or writes it when there is no writer. False: the queue is full, it is dropped. */
bool log_writer_put(const struct log_entry *entry);

#endif
