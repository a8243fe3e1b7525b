// SPDX-License-Identifier: LGPL-2.1-or-later
/* Growing text; see text.h. */
#include "duned/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_FIRST 512 /* bytes allocated at first */

void text_init(struct text *text, size_t max)
{
	*text = (struct text){ .max = max };
}

void text_done(struct text *text)
{
	free(text->bytes);
	*text = (struct text){ 0 };
}

static int text_grow(struct text *text, size_t needed)
{
	size_t capacity = text->capacity ? text->capacity : TEXT_FIRST;
	char *bytes;

	while (capacity < needed)
		capacity *= 2;
	if (capacity > text->max)
		capacity = text->max;
	bytes = realloc(text->bytes, capacity);
	if (!bytes)
		return -ENOMEM;
	text->bytes = bytes;
	text->capacity = capacity;
	return 0;
}

int text_add(struct text *text, const char *bytes, size_t size)
{
	if (!text->error && size > text->max - text->size)
		text->error = -EMSGSIZE;
	if (!text->error && size > text->capacity - text->size)
		text->error = text_grow(text, text->size + size);
	if (text->error)
		return text->error;
	memcpy(text->bytes + text->size, bytes, size);
	text->size += size;
	return 0;
}

int text_add_string(struct text *text, const char *string)
{
	return text_add(text, string, strlen(string));
}
