// SPDX-License-Identifier: LGPL-2.1-or-later
/* The table of troubles; see trouble.h. */
#include "duned/exporter/trouble.h"

static const struct {
	const char *name;
	size_t offset; /* in struct sample, of a uint64_t */
} troubles[] = {
	{ "refused_by_module", offsetof(struct sample, refused) },
	{ "limit_hits", offsetof(struct sample, counters[DUNE_COUNT_LIMIT_HITS]) },
	{ "denied", offsetof(struct sample, counters[DUNE_COUNT_DENIED]) },
	{ "unknown_system_calls", offsetof(struct sample, counters[DUNE_COUNT_UNKNOWN_CALLS]) },
	{ "connections_refused_host", offsetof(struct sample, service[SERVICE_REFUSED_HOST]) },
	{ "connections_refused_user", offsetof(struct sample, service[SERVICE_REFUSED_USER]) },
	{ "events_lost", offsetof(struct sample, service[SERVICE_EVENTS_LOST]) },
	{ "events_dropped", offsetof(struct sample, service[SERVICE_EVENTS_DROPPED]) },
	{ "assertions", offsetof(struct sample, assertions) },
};

const size_t nr_troubles = sizeof(troubles) / sizeof(troubles[0]);
_Static_assert(sizeof(troubles) / sizeof(troubles[0]) <= TROUBLE_MAX, "TROUBLE_MAX");

const char *trouble_name(unsigned int trouble)
{
	return trouble < nr_troubles ? troubles[trouble].name : NULL;
}

uint64_t trouble_value(const struct sample *sample, size_t trouble)
{
	return *(const uint64_t *)((const char *)sample + troubles[trouble].offset);
}
