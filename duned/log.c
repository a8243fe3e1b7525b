// SPDX-License-Identifier: LGPL-2.1-or-later
/* Log messages: making them and limiting what clients cause; see log.h. */
#include "duned/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "duned/counters.h"
#include "duned/log_writer.h"

#define LINE_MAX_BYTES 640 /* of LOG_ENTRY_BYTES; the rest is for fields */
#define CLIENT_SLOTS   1024 /* uids are counted modulo this */

static bool with_debug;

static const char *const message_ids[NR_MESSAGE_IDS] = {
#define ID(symbol, id, what) [MESSAGE_##symbol] = id,
	DUNE_MESSAGES(ID)
#undef ID
};

const char *log_message_id(enum message_id id)
{
	return (unsigned int)id < NR_MESSAGE_IDS ? message_ids[id] : NULL;
}

void log_init(bool debug)
{
	with_debug = debug;
	log_writer_init();
}

int log_start(void)
{
	return log_writer_start();
}

void log_stop(void)
{
	log_writer_stop();
}

/* ---- messages ---- */

/* One line, whatever the text was: nobody makes an entry of his own, or colours a terminal. */
static void entry_finish_text(struct log_entry *entry, size_t start, int length)
{
	size_t room = sizeof(entry->text) - start, end;

	end = start + ((size_t)length < room ? (size_t)length : room - 1);
	for (size_t i = start; i < end; i++) {
		unsigned char c = (unsigned char)entry->text[i];

		if (c < 0x20 || c == 0x7f)
			entry->text[i] = '?';
	}
	entry->size = end + 1;
}

/* Adds a field if it fits as a whole. */
static void entry_field(struct log_entry *entry, const struct log_field *field)
{
	char *start = entry->text + entry->size;
	size_t room = sizeof(entry->text) - entry->size;
	int length;

	if (field->text && !*field->text)
		return;
	if (field->text)
		length = snprintf(start, room, "%s=%s", field->key, field->text);
	else
		length = snprintf(start, room, "%s=%" PRIu64, field->key, field->number);
	if (length < 0 || (size_t)length >= room)
		return;
	entry_finish_text(entry, entry->size, length);
	entry->nr_fields++;
}

static void __attribute__((format(printf, 5, 0)))
put(int priority, enum message_id id, const struct log_field *fields, const struct log_field *more,
    const char *format, va_list arguments)
{
	struct log_entry entry;
	int length;

	entry.priority = priority;
	entry.id = id;
	entry.nr_fields = 0;
	length = vsnprintf(entry.text, LINE_MAX_BYTES, format, arguments);
	if (length >= LINE_MAX_BYTES)
		length = LINE_MAX_BYTES - 1;
	entry_finish_text(&entry, 0, length < 0 ? 0 : length);
	for (; fields && fields->key; fields++)
		entry_field(&entry, fields);
	if (more)
		entry_field(&entry, more);
	if (!log_writer_put(&entry))
		counter_add(COUNTER_LOG_DROPPED, 1);
}

void log_message(int priority, enum message_id id, const struct log_field *fields,
		 const char *format, ...)
{
	va_list arguments;

	counters_message(id);
	if (priority == LOG_DEBUG && !with_debug)
		return;
	va_start(arguments, format);
	put(priority, id, fields, NULL, format, arguments);
	va_end(arguments);
}

#define LOG_FUNCTION(name, priority)                                        \
	void name(const char *format, ...)                                  \
	{                                                                   \
		va_list arguments;                                          \
                                                                            \
		va_start(arguments, format);                                \
		put(priority, MESSAGE_NONE, NULL, NULL, format, arguments); \
		va_end(arguments);                                          \
	}

LOG_FUNCTION(log_error, LOG_ERR)
LOG_FUNCTION(log_warning, LOG_WARNING)

void log_debug(const char *format, ...)
{
	va_list arguments;

	if (!with_debug)
		return;
	va_start(arguments, format);
	put(LOG_DEBUG, MESSAGE_NONE, NULL, NULL, format, arguments);
	va_end(arguments);
}

/* ---- messages that clients cause ---- */

struct window {
	int64_t start_ms;
	unsigned int count;
	unsigned int dropped;
	uint64_t seen; /* a bit for each kind */
};
_Static_assert(NR_MESSAGE_IDS <= 64, "window.seen");

static struct {
	struct window all;
	struct window clients[CLIENT_SLOTS];
} limits;

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Begins a new time when the last is over. Returns what was dropped in the last. */
static unsigned int window_turn(struct window *window, int64_t now)
{
	unsigned int dropped = window->dropped;

	if (window->start_ms && now - window->start_ms < LOG_CLIENT_WINDOW_MS)
		return 0;
	*window = (struct window){ .start_ms = now };
	return dropped;
}

static bool window_has_room(struct window *window, unsigned int burst, enum message_id id)
{
	if (window->count < burst || !(window->seen & UINT64_C(1) << id))
		return true;
	window->dropped++;
	counter_add(COUNTER_LOG_LIMITED, 1);
	return false;
}

static void window_take(struct window *window, enum message_id id)
{
	window->count++;
	window->seen |= UINT64_C(1) << id;
}

static bool admit(uint32_t uid, enum message_id id)
{
	struct window *window = &limits.clients[uid % CLIENT_SLOTS];
	int64_t now = now_ms();
	unsigned int dropped = window_turn(&limits.all, now);

	dropped += window_turn(window, now);
	if (dropped)
		log_message(LOG_WARNING, MESSAGE_MESSAGES_DROPPED,
			    LOG_FIELDS(LOG_NUMBER("DUNE_COUNT", dropped)),
			    "%u more messages that clients caused were dropped", dropped);
	if (!window_has_room(window, LOG_CLIENT_BURST, id) ||
	    !window_has_room(&limits.all, LOG_CLIENTS_BURST, id))
		return false;
	window_take(window, id);
	window_take(&limits.all, id);
	return true;
}

static void __attribute__((format(printf, 4, 0)))
put_client(uint32_t uid, enum message_id id, const struct log_field *fields, const char *format,
	   va_list arguments)
{
	const struct log_field client = LOG_NUMBER("DUNE_UID", uid);
	char prefixed[256];

	counters_message(id);
	if (!admit(uid, id))
		return;
	snprintf(prefixed, sizeof(prefixed), "client of uid %u: %s", uid, format);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	put(LOG_WARNING, id, fields, &client, prefixed, arguments);
#pragma GCC diagnostic pop
}

void log_client_message(uint32_t uid, enum message_id id, const struct log_field *fields,
			const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	put_client(uid, id, fields, format, arguments);
	va_end(arguments);
}

void log_client_nothing(uint32_t uid, enum message_id id)
{
	counters_message(id);
	admit(uid, id);
}

void log_caused_message(int64_t uid, int priority, enum message_id id,
			const struct log_field *fields, const char *format, ...)
{
	va_list arguments;

	counters_message(id);
	if (uid != LOG_TRUSTED && !admit((uint32_t)uid, id))
		return;
	va_start(arguments, format);
	put(priority, id, fields, NULL, format, arguments);
	va_end(arguments);
}

void log_client(uint32_t uid, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	put_client(uid, MESSAGE_NONE, NULL, format, arguments);
	va_end(arguments);
}
