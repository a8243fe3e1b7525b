// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * duned/log.h for fuzzers: messages are formatted, so that their arguments are read, and dropped. Nothing
 * is written and nobody's rate counts, or a fuzzer would do little else.
 */
#include "duned/log.h"

#include <stdarg.h>
#include <stdio.h>

#include "duned/counters.h"

static volatile unsigned int sink;

static void __attribute__((format(printf, 2, 0)))
swallow(enum message_id id, const char *format, va_list arguments)
{
	char line[256];

	counters_message(id);
	sink += (unsigned int)vsnprintf(line, sizeof(line), format, arguments);
}

static void read_fields(const struct log_field *fields)
{
	for (; fields && fields->key; fields++)
		sink += fields->text ? (unsigned char)fields->text[0] :
				       (unsigned int)fields->number;
}

#define SWALLOW(id)                             \
	do {                                    \
		va_list arguments;              \
		va_start(arguments, format);    \
		swallow(id, format, arguments); \
		va_end(arguments);              \
	} while (0)

void log_message(int priority, enum message_id id, const struct log_field *fields,
		 const char *format, ...)
{
	read_fields(fields);
	SWALLOW(id);
}

void log_client_message(uint32_t uid, enum message_id id, const struct log_field *fields,
			const char *format, ...)
{
	read_fields(fields);
	SWALLOW(id);
}

void log_client_nothing(uint32_t uid, enum message_id id)
{
	counters_message(id);
}

void log_caused_message(int64_t uid, int priority, enum message_id id,
			const struct log_field *fields, const char *format, ...)
{
	read_fields(fields);
	SWALLOW(id);
}

void log_error(const char *format, ...)
{
	SWALLOW(MESSAGE_NONE);
}

void log_warning(const char *format, ...)
{
	SWALLOW(MESSAGE_NONE);
}

void log_debug(const char *format, ...)
{
	SWALLOW(MESSAGE_NONE);
}

void log_client(uint32_t uid, const char *format, ...)
{
	SWALLOW(MESSAGE_NONE);
}

void log_init(bool debug)
{
}

int log_start(void)
{
	return 0;
}

void log_stop(void)
{
}
