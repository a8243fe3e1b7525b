// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Error replies to errnos and sentences. Parameters come from the peer: they are shown shortened and with
 * what is not printable replaced.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include "libdune/client/error.h"

/* Longest text of one parameter in a sentence. */
#define ERROR_MAX_PARAMETER 100

/* Longest name of a parameter in a template. */
#define ERROR_MAX_KEY 32

static const struct error_row {
	const char *name;
	int error;
	/* {parameter} stands for its value; { parameter} and {, parameter} for nothing when there is none. */
	const char *text;
} error_rows[] = {
	{ "io.dune.Manager.NoSuchContext", ENOENT, "no such context" },
	{ "io.dune.Manager.AmbiguousName", ENOTUNIQ,
	  "several owners have a context named {name}: {ids}" },
	{ "io.dune.Manager.NameTaken", EEXIST, "there is a context named {name} already" },
	{ "io.dune.Manager.InvalidName", EINVAL,
	  "a name has 1 to 63 characters of A-Z a-z 0-9 . _ -" },
	{ "io.dune.Manager.InvalidLimit", ERANGE,
	  "the limit {limit} must be {minimum} to {maximum}" },
	{ "io.dune.Manager.QuotaExceeded", EDQUOT,
	  "the quota {limit} is used up ({used} of {maximum}{, scope}{ name})" },
	{ "io.dune.Manager.RateExceeded", EDQUOT,
	  "more than {maximum} contexts a minute ({scope}{ name}): again in {retry_usec} us" },
	{ "io.dune.Manager.InvalidConfiguration", EBADMSG,
	  "the configuration is wrong: {file}:{line}:{column}: {reason}" },
	{ "io.dune.Manager.InvalidQuota", EINVAL, "{field} {reason}" },
	{ "io.dune.Manager.QuotaNotSaved", EIO, "{file} can't be written: {errno_name}" },
	{ "io.dune.Manager.ModuleNotLoaded", ENODEV,
	  "the service can't use the kernel module ({reason})" },
	{ "io.dune.Manager.ModuleMismatch", EPROTONOSUPPORT,
	  "the kernel module speaks ABI version {found}, the service {expected}" },
	{ "io.dune.Manager.VirtualizationBusy", EBUSY,
	  "somebody else (KVM?) holds the processors' virtualization extension" },
	{ "io.dune.Manager.ModuleFailed", EIO,
	  "the kernel module failed: {operation}: {errno_name}" },
	{ "io.dune.Manager.NoProcess", ESRCH, "the context has no process" },
	{ "io.dune.Manager.ReplyTooLarge", EMSGSIZE,
	  "the answer is larger than {maximum} bytes: ask for one context" },
	{ "org.varlink.service.PermissionDenied", EACCES, "permission denied{, reason}{, action}" },
	{ "org.varlink.service.InvalidParameter", EINVAL,
	  "the service refuses the parameter {parameter}" },
	{ "org.varlink.service.InterfaceNotFound", EOPNOTSUPP,
	  "the service does not have the interface {interface}" },
	{ "org.varlink.service.MethodNotFound", EOPNOTSUPP,
	  "the service does not have the method {method}" },
	{ "org.varlink.service.MethodNotImplemented", EOPNOTSUPP,
	  "the service does not implement the method {method}" },
	{ "org.varlink.service.ExpectedMore", EPROTO,
	  "the service wants the call to ask for more" },
};

#define NR_ERROR_ROWS (sizeof(error_rows) / sizeof(error_rows[0]))

struct text {
	char *start;
	size_t size;
	size_t used;
};

static void text_put(struct text *text, char c)
{
	if (text->used + 1 >= text->size)
		return;
	text->start[text->used++] = c >= ' ' && c <= '~' ? c : '?';
	text->start[text->used] = '\0';
}

static void text_put_parameter(struct text *text, struct json_object *parameters, const char *key)
{
	size_t separator = strspn(key, ", ");
	struct json_object *value = NULL;
	const char *string = "?";

	key += separator;
	if (json_object_is_type(parameters, json_type_object))
		json_object_object_get_ex(parameters, key, &value);
	if (separator && !value)
		return;
	for (size_t i = 0; i < separator; i++)
		text_put(text, key[i - separator]);
	if (value)
		string = json_object_is_type(value, json_type_string) ?
				 json_object_get_string(value) :
				 json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN);
	for (size_t i = 0; string && string[i] && i < ERROR_MAX_PARAMETER; i++)
		text_put(text, string[i]);
}

static void text_fill(struct text *text, const char *template, struct json_object *parameters)
{
	char key[ERROR_MAX_KEY];
	const char *end;

	for (; *template; template ++) {
		end = *template == '{' ? strchr(template, '}') : NULL;
		if (!end || (size_t)(end - template) > sizeof(key)) {
			text_put(text, *template);
			continue;
		}
		snprintf(key, sizeof(key), "%.*s", (int)(end - template - 1), template + 1);
		text_put_parameter(text, parameters, key);
		template = end;
	}
}

int client_error_translate(const char *name, struct json_object *parameters, char *text,
			   size_t size)
{
	struct text out = { .start = text, .size = size };

	text[0] = '\0';
	for (size_t i = 0; i < NR_ERROR_ROWS; i++) {
		if (strcmp(error_rows[i].name, name) != 0)
			continue;
		text_fill(&out, error_rows[i].text, parameters);
		return -error_rows[i].error;
	}
	text_fill(&out, "the service replied with an error that is not known here", NULL);
	return -EREMOTEIO;
}

const char *client_error_text(int error)
{
	switch (-error) {
	case ETIMEDOUT:
		return "the service did not answer in time";
	case EPIPE:
	case ECONNRESET:
		return "the service closed the connection";
	case ENOTCONN:
		return "the connection was ended by an earlier failure";
	case EMSGSIZE:
		return "the message is too large";
	case EBADMSG:
		return "the reply is not valid JSON";
	case EPROTO:
		return "the reply is not what the interface promises";
	default:
		return strerror(-error);
	}
}
