// SPDX-License-Identifier: LGPL-2.1-or-later
/* Log lines; see note.h. */
#include "duned/exporter/note.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#define NOTE_LINE_MAX 512

static void note_line(int priority, const char *format, va_list arguments)
{
	char line[NOTE_LINE_MAX];

	vsnprintf(line, sizeof(line), format, arguments);
	if (getenv("JOURNAL_STREAM"))
		fprintf(stderr, "<%d>%s\n", priority, line);
	else
		fprintf(stderr, "dune-exporter: %s\n", line);
}

void note_error(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	note_line(LOG_ERR, format, arguments);
	va_end(arguments);
}

void note_info(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	note_line(LOG_INFO, format, arguments);
	va_end(arguments);
}

void note_change(bool up, bool module, const char *problem)
{
	static enum { UNKNOWN, ALL_WELL, NO_MODULE, DOWN } last;
	int now = !up ? DOWN : module ? ALL_WELL : NO_MODULE;

	if (now == (int)last)
		return;
	last = now;
	if (now == ALL_WELL)
		note_info("duned answers");
	else
		note_error("%s", problem);
}

const char *note_connect_error(int error)
{
	static _Thread_local char text[128];

	if (error == -ENOENT || error == -ECONNREFUSED)
		snprintf(text, sizeof(text), "duned is not running (%s)", strerror(-error));
	else
		snprintf(text, sizeof(text), "duned can't be reached: %s", strerror(-error));
	return text;
}
