/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the service tells its operator: journal entries with a MESSAGE_ID and DUNE_* fields, or lines
 * on stderr where that is no journal. Owns the queue to the thread that writes and the rate limits
 * of messages that clients can cause; must never block the loop: what finds the queue full is
 * dropped and counted. Text of clients loses its control characters here.
 */
#ifndef DUNED_LOG_H
#define DUNED_LOG_H

#include <stdbool.h>
#include <stdint.h>
#include <syslog.h>

#include "duned/message_ids.h"

/* The first of each kind is always written: nobody hides one kind of trouble behind another. */
#define LOG_CLIENT_BURST     20 /* messages caused by one uid ... */
#define LOG_CLIENTS_BURST    200 /* ... and by all of them ... */
#define LOG_CLIENT_WINDOW_MS 10000 /* ... in this time; the rest is dropped and counted */
#define LOG_QUEUE	     512 /* messages that wait for the writer */
#define LOG_ENTRY_BYTES	     1024 /* of one message with its fields; the rest is cut off */
#define LOG_STOP_MS	     2000 /* that the end waits for the writer */

/* One field of a message; a number when text is NULL. Empty texts are left out. */
struct log_field {
	const char *key;
	const char *text;
	uint64_t number;
};

#define LOG_TEXT(field, value)                  \
	{                                       \
		.key = (field), .text = (value) \
	}
#define LOG_NUMBER(field, value)                            \
	{                                                   \
		.key = (field), .number = (uint64_t)(value) \
	}
#define LOG_FIELDS(...) ((const struct log_field[]){ __VA_ARGS__, { 0 } })

/* Reads the environment; debug messages are dropped unless debug is set. */
void log_init(bool debug);

/*
 * Starts the writer; before that, and after log_stop(), messages are written at once. 0 or -errno,
 * and then nothing has changed. log_stop() waits for what is queued, but not for ever.
 */
int log_start(void);
void log_stop(void);

/* A message with an id and fields (LOG_FIELDS(...), or NULL). */
void log_message(int priority, enum message_id id, const struct log_field *fields,
		 const char *format, ...) __attribute__((format(printf, 4, 5)));

/*
 * The same, a warning that a client can cause at will: limited for each uid and for all of them, with
 * DUNE_UID added.
 */
void log_client_message(uint32_t uid, enum message_id id, const struct log_field *fields,
			const char *format, ...) __attribute__((format(printf, 4, 5)));

/*
 * Counts as log_client_message() would, and writes nothing: for what its client must not be able to tell
 * from something that is written.
 */
void log_client_nothing(uint32_t uid, enum message_id id);

/*
 * What is no complaint about a client, but comes as often as a client wants: within the same limits,
 * with the priority and the words as they are. LOG_TRUSTED instead of a uid: who causes it is root or
 * an administrator, and there are none.
 */
#define LOG_TRUSTED (-1)
void log_caused_message(int64_t uid, int priority, enum message_id id,
			const struct log_field *fields, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

/* Plain lines. */
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_client(uint32_t uid, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The MESSAGE_ID of a kind, 32 hexadecimal digits; NULL for MESSAGE_NONE. */
const char *log_message_id(enum message_id id);

#endif
