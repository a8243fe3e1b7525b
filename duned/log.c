// SPDX-License-Identifier: LGPL-2.1-or-later
/* Log lines; see log.h. */
#include "duned/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>
#include <time.h>

#define LOG_LINE_MAX 1024

static bool to_journal;
static bool with_debug;

static struct {
	int64_t window_start_ms;
	unsigned int count;
} client_window;

void log_init(bool debug)
{
	to_journal = getenv("JOURNAL_STREAM") != NULL;
	with_debug = debug;
}

static void log_line(int priority, const char *format, va_list arguments)
{
	char line[LOG_LINE_MAX];

	vsnprintf(line, sizeof(line), format, arguments);
	if (to_journal)
		fprintf(stderr, "<%d>%s\n", priority, line);
	else
		fprintf(stderr, "duned: %s\n", line);
}

#define LOG_FUNCTION(name, priority)			\
	void name(const char *format, ...)		\
	{						\
		va_list arguments;			\
                                                       \
		va_start(arguments, format);		\
		log_line(priority, format, arguments);	\
		va_end(arguments);			\
	}

LOG_FUNCTION(log_error, LOG_ERR)
LOG_FUNCTION(log_warning, LOG_WARNING)
LOG_FUNCTION(log_info, LOG_INFO)

void log_debug(const char *format, ...)
{
	va_list arguments;

	if (!with_debug)
		return;
	va_start(arguments, format);
	log_line(LOG_DEBUG, format, arguments);
	va_end(arguments);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* True when one more message fits; says how many were dropped when a new window begins. */
static bool client_window_admit(void)
{
	int64_t now = now_ms();

	if (now - client_window.window_start_ms >= LOG_CLIENT_WINDOW_MS) {
		if (client_window.count > LOG_CLIENT_BURST)
			log_warning("%u more messages about clients were dropped",
				    client_window.count - LOG_CLIENT_BURST);
		client_window.window_start_ms = now;
		client_window.count = 0;
	}
	return ++client_window.count <= LOG_CLIENT_BURST;
}

void log_client(uint32_t uid, const char *format, ...)
{
	char line[LOG_LINE_MAX];
	va_list arguments;

	if (!client_window_admit())
		return;
	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	log_warning("client of uid %u: %s", uid, line);
}
