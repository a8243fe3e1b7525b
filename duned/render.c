// SPDX-License-Identifier: LGPL-2.1-or-later
/* JSON as text; see render.h. */
#include "duned/render.h"

#include <errno.h>
#include <string.h>

#define INT_DIGITS 20

void render_init(struct render *render)
{
	render->size = 0;
	render->overflow = false;
}

static void render_bytes(struct render *render, const char *bytes, size_t size)
{
	if (size > sizeof(render->bytes) - render->size) {
		render->overflow = true;
		return;
	}
	memcpy(render->bytes + render->size, bytes, size);
	render->size += size;
}

void render_text(struct render *render, const char *text)
{
	render_bytes(render, text, strlen(text));
}

void render_key(struct render *render, const char *key)
{
	char last = render->size ? render->bytes[render->size - 1] : '{';

	render_text(render, last == '{' ? "\"" : ",\"");
	render_text(render, key);
	render_text(render, "\":");
}

void render_int(struct render *render, const char *key, uint64_t value)
{
	char digits[INT_DIGITS], *first = digits + sizeof(digits);

	if (value > INT64_MAX)
		value = INT64_MAX;
	do {
		*--first = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	render_key(render, key);
	render_bytes(render, first, (size_t)(digits + sizeof(digits) - first));
}

void render_string(struct render *render, const char *key, const char *value)
{
	render_key(render, key);
	render_bytes(render, "\"", 1);
	for (; *value; value++) {
		char escaped[2] = { '\\', *value };

		if (*value == '"' || *value == '\\')
			render_bytes(render, escaped, 2);
		else
			render_bytes(render, *value < 0x20 || *value > 0x7e ? "?" : value, 1);
	}
	render_bytes(render, "\"", 1);
}

int render_done(const struct render *render)
{
	return render->overflow ? -EMSGSIZE : 0;
}
