// SPDX-License-Identifier: LGPL-2.1-or-later
/* Users that are shown; see shown.h. */
#include "duned/exporter/shown.h"

void shown_expire(struct shown *shown, int64_t now_s)
{
	size_t kept = 0;

	for (size_t i = 0; i < shown->nr; i++) {
		if (now_s - shown->rows[i].last_s < SHOWN_DAY_S)
			shown->rows[kept++] = shown->rows[i];
	}
	shown->nr = kept;
}

bool shown_take(struct shown *shown, uint32_t uid, size_t at_once, int64_t now_s)
{
	size_t most = at_once < SHOWN_MAX / SHOWN_FACTOR ? at_once * SHOWN_FACTOR : SHOWN_MAX;
	size_t i = 0;

	while (i < shown->nr && shown->rows[i].uid != uid)
		i++;
	if (i == shown->nr && shown->nr >= most)
		return false;
	shown->nr += i == shown->nr;
	shown->rows[i].uid = uid;
	shown->rows[i].last_s = now_s;
	return true;
}
