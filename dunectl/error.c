// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The one place that tells a person what went wrong: one line, the error's Varlink name in brackets when
 * the service gave one, and a hint line where there is a remedy. Also: which exit status that is.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dunectl/dunectl.h"

/* Half of U+0080 to U+009F, which terminals obey as they do escape sequences. */
static bool is_c1(const char *at)
{
	const unsigned char *bytes = (const unsigned char *)at;

	return bytes[0] == 0xc2 && bytes[1] >= 0x80 && bytes[1] <= 0x9f;
}

static void print_line(const char *prefix, const char *format, va_list arguments)
{
	char line[1024];
	size_t length;

	vsnprintf(line, sizeof(line), format, arguments);
	length = strlen(line);
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f || is_c1(line + i))
			line[i] = '?';
	fflush(stdout);
	fprintf(stderr, "%s: %s\n", prefix, line);
}

void dunectl_error(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	print_line("dunectl", format, arguments);
	va_end(arguments);
}

void dunectl_hint(const struct dunectl *ctl, const char *format, ...)
{
	va_list arguments;

	if (ctl->output.quiet)
		return;
	va_start(arguments, format);
	print_line("hint", format, arguments);
	va_end(arguments);
}

/* What can be done about an error reply, and its exit status where that is not EXIT_FAILURE. */
static const struct reply_row {
	const char *name;
	int status;
	const char *hint;
} reply_rows[] = {
	{ "io.dune.Manager.NoSuchContext", STATUS_NO_OBJECT,
	  "dunectl list shows the contexts that you may see" },
	{ "io.dune.Manager.AmbiguousName", EXIT_FAILURE, "name one of them by its id" },
	{ "io.dune.Manager.NameTaken", EXIT_FAILURE, "choose another --name, or leave it away" },
	{ "io.dune.Manager.InvalidLimit", EXIT_FAILURE, "dunectl info shows the maximum" },
	{ "io.dune.Manager.QuotaExceeded", EXIT_FAILURE,
	  "dunectl quota shows the quotas and what is used, dunectl list the contexts" },
	{ "io.dune.Manager.RateExceeded", EXIT_FAILURE, "try again later; dunectl quota" },
	{ "io.dune.Manager.InvalidConfiguration", EXIT_FAILURE,
	  "the configuration in force stays; duned --check FILE explains a file's errors" },
	{ "io.dune.Manager.InvalidQuota", EXIT_FAILURE, "dunectl help quota" },
	{ "io.dune.Manager.QuotaNotSaved", EXIT_FAILURE,
	  "nothing was changed; the service needs its folder, StateDirectory=duned" },
	{ "io.dune.Manager.ModuleNotLoaded", EXIT_FAILURE, "dunectl doctor says what is missing" },
	{ "io.dune.Manager.ModuleMismatch", EXIT_FAILURE,
	  "install module and service of one version, then: modprobe -r dune && modprobe dune" },
	{ "io.dune.Manager.VirtualizationBusy", EXIT_FAILURE,
	  "let the service open /dev/kvm, or end the virtual machines: dunectl doctor" },
	{ "io.dune.Manager.ModuleFailed", EXIT_FAILURE,
	  "the kernel log (dmesg) may say more, and dunectl doctor" },
	{ "io.dune.Manager.ReplyTooLarge", EXIT_FAILURE, "name one context" },
	{ "org.varlink.service.PermissionDenied", STATUS_DENIED, NULL },
	{ "org.varlink.service.MethodNotFound", EXIT_FAILURE,
	  "the service is of another version: dunectl info" },
};

/* The same for failures without an error reply. */
static const struct errno_row {
	int error;
	int status;
	const char *text; /* NULL: the library's */
	const char *hint;
} errno_rows[] = {
	{ ENOENT, EXIT_FAILURE, "the service is not running (no socket)",
	  "systemctl start duned.socket, and dunectl doctor says what else is missing" },
	{ ECONNREFUSED, EXIT_FAILURE, "the service is not running (nobody listens on its socket)",
	  "systemctl restart duned.socket" },
	{ EACCES, STATUS_DENIED, "permission denied", NULL },
	{ EPERM, STATUS_DENIED, NULL, NULL },
	{ ETIMEDOUT, EXIT_FAILURE, "the service did not answer in time",
	  "journalctl -u duned may say why; --timeout=SEC waits longer" },
	{ ECONNRESET, EXIT_FAILURE, NULL, "journalctl -u duned may say why" },
};

#define NR_ROWS(rows) (sizeof(rows) / sizeof((rows)[0]))

static int fail_reply(const struct dunectl *ctl, const struct dune_client *client, const char *name,
		      const char *doing)
{
	dunectl_error("cannot %s: %s [%s]", doing, dune_client_error_text(client), name);
	for (size_t i = 0; i < NR_ROWS(reply_rows); i++) {
		if (strcmp(reply_rows[i].name, name) != 0)
			continue;
		if (reply_rows[i].hint)
			dunectl_hint(ctl, "%s", reply_rows[i].hint);
		return reply_rows[i].status;
	}
	return EXIT_FAILURE;
}

int dunectl_fail(const struct dunectl *ctl, const struct dune_client *client, int error,
		 const char *doing)
{
	const char *name = client ? dune_client_error_name(client) : NULL;
	const char *text = client ? dune_client_error_text(client) : strerror(-error);
	const struct errno_row *row = NULL;

	if (name)
		return fail_reply(ctl, client, name, doing);
	for (size_t i = 0; i < NR_ROWS(errno_rows) && !row; i++)
		if (errno_rows[i].error == -error)
			row = &errno_rows[i];
	dunectl_error("cannot %s: %s", doing, row && row->text && !client ? row->text : text);
	if (row && row->hint)
		dunectl_hint(ctl, "%s", row->hint);
	return row ? row->status : EXIT_FAILURE;
}
