// SPDX-License-Identifier: LGPL-2.1-or-later
/* Replies about many contexts; see listing.h. */
#include "duned/listing.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "duned/context.h"
#include "duned/json.h"
#include "duned/render.h"
#include "duned/text.h"
#include "proto/varlink.h"

#define STEP_ENTRIES 8	/* between two looks at the clock */

/* An entry's text, made when first wanted. */
struct entry_text {
	char *bytes;
	size_t size;
};

/* Contexts at one time, held by the listings that are made of them. */
struct snapshot {
	unsigned int references;
	struct snapshot **weak;	/* where others find it; NULL: nowhere */
	int64_t time_ns;
	struct context_list list;
	struct entry_text *texts[NR_LISTING_KINDS];
};

struct listing {
	struct snapshot *snapshot;
	enum listing_kind kind;
	size_t next;
	struct text text;
};

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* ---- snapshots ---- */

static void snapshot_put(struct snapshot *snapshot)
{
	if (!snapshot || --snapshot->references)
		return;
	if (snapshot->weak)
		*snapshot->weak = NULL;
	for (int kind = 0; kind < NR_LISTING_KINDS; kind++) {
		for (size_t i = 0; snapshot->texts[kind] && i < snapshot->list.count; i++)
			free(snapshot->texts[kind][i].bytes);
		free(snapshot->texts[kind]);
	}
	context_list_done(&snapshot->list);
	free(snapshot);
}

static int snapshot_read(struct manager *manager, struct snapshot **ret_snapshot)
{
	struct snapshot *snapshot = calloc(1, sizeof(*snapshot));
	int r;

	if (!snapshot)
		return -ENOMEM;
	snapshot->references = 1;
	snapshot->time_ns = now_ns();
	r = context_list_read(&manager->device, &snapshot->list);
	if (r < 0) {
		snapshot_put(snapshot);
		return r;
	}
	*ret_snapshot = snapshot;
	return 0;
}

static int snapshot_get(struct manager *manager, bool share, struct snapshot **ret_snapshot)
{
	struct snapshot *snapshot = manager->snapshot;
	int r;

	if (share && snapshot && now_ns() - snapshot->time_ns < LISTING_SHARE_NS) {
		snapshot->references++;
		*ret_snapshot = snapshot;
		return 0;
	}
	r = snapshot_read(manager, ret_snapshot);
	if (r < 0)
		return r;
	/* The newest is the one that others find. */
	if (snapshot)
		snapshot->weak = NULL;
	(*ret_snapshot)->weak = &manager->snapshot;
	manager->snapshot = *ret_snapshot;
	return 0;
}

static bool is_wanted(const struct dune_stats *entry, const struct peer *peer,
		      enum dune_access access, const char *name)
{
	return (!name || !strcmp(entry->name, name)) && policy_may(peer, access, entry->owner);
}

/* Replaces *snapshot by one of what the peer may have, unless that is all. */
static int snapshot_cut(struct snapshot **snapshot, const struct peer *peer,
			enum dune_access access, const char *name)
{
	const struct context_list *all = &(*snapshot)->list;
	struct snapshot *own;
	size_t count = 0;

	for (size_t i = 0; i < all->count; i++)
		count += is_wanted(&all->entries[i], peer, access, name);
	if (count == all->count)
		return 0;
	own = calloc(1, sizeof(*own));
	if (!own)
		return -ENOMEM;
	own->references = 1;
	own->time_ns = (*snapshot)->time_ns;
	own->list.entries = calloc(count ? count : 1, sizeof(*own->list.entries));
	if (!own->list.entries) {
		snapshot_put(own);
		return -ENOMEM;
	}
	for (size_t i = 0; i < all->count; i++) {
		if (is_wanted(&all->entries[i], peer, access, name))
			own->list.entries[own->list.count++] = all->entries[i];
	}
	snapshot_put(*snapshot);
	*snapshot = own;
	return 0;
}

/* ---- listings ---- */

static int entry_make_context(const struct dune_stats *stats, struct entry_text *ret_entry)
{
	struct render render;
	char *bytes;
	int r;

	render_init(&render);
	context_render(stats, &render);
	r = render_done(&render);
	if (r < 0)
		return r;
	bytes = malloc(render.size);
	if (!bytes)
		return -ENOMEM;
	memcpy(bytes, render.bytes, render.size);
	*ret_entry = (struct entry_text){ bytes, render.size };
	return 0;
}

static int entry_make_sample(const struct dune_stats *stats, struct entry_text *ret_entry)
{
	struct json_object *object
		__attribute__((cleanup(json_release))) = context_sample_json(stats);
	const char *text;
	size_t size;
	char *bytes;

	if (!object)
		return -ENOMEM;
	text = json_object_to_json_string_length(
		object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &size);
	bytes = text ? malloc(size) : NULL;
	if (!bytes)
		return -ENOMEM;
	memcpy(bytes, text, size);
	*ret_entry = (struct entry_text){ bytes, size };
	return 0;
}

static int (*const entry_make[NR_LISTING_KINDS])(const struct dune_stats *, struct entry_text *) = {
	[LISTING_CONTEXTS] = entry_make_context,
	[LISTING_SAMPLES] = entry_make_sample,
};

static int add_entry(struct listing *listing, size_t index)
{
	struct snapshot *snapshot = listing->snapshot;
	struct entry_text *entry = &snapshot->texts[listing->kind][index];
	int r = 0;

	if (!entry->bytes)
		r = entry_make[listing->kind](&snapshot->list.entries[index], entry);
	if (r < 0)
		return r;
	if (index)
		text_add_string(&listing->text, ",");
	return text_add(&listing->text, entry->bytes, entry->size);
}

static void add_head(struct listing *listing)
{
	char head[96];

	if (listing->kind == LISTING_SAMPLES)
		snprintf(head, sizeof(head),
			 "{\"parameters\":{\"time_usec\":%" PRId64 ",\"samples\":[",
			 listing->snapshot->time_ns / 1000);
	else
		snprintf(head, sizeof(head), "{\"parameters\":{\"contexts\":[");
	text_add_string(&listing->text, head);
}

void listing_free(struct listing *listing)
{
	if (!listing)
		return;
	snapshot_put(listing->snapshot);
	text_done(&listing->text);
	free(listing);
}

int listing_new(struct manager *manager, const struct peer *peer, enum dune_access access,
		const char *name, enum listing_kind kind, bool share, struct listing **ret_listing)
{
	struct listing *listing = calloc(1, sizeof(*listing));
	struct snapshot *snapshot;
	int r;

	if (!listing)
		return -ENOMEM;
	listing->kind = kind;
	text_init(&listing->text, VARLINK_MAX_REPLY);
	r = snapshot_get(manager, share, &listing->snapshot);
	if (!r)
		r = snapshot_cut(&listing->snapshot, peer, access, name);
	snapshot = listing->snapshot;
	if (!r && !snapshot->texts[kind]) {
		snapshot->texts[kind] = calloc(snapshot->list.count ? snapshot->list.count : 1,
					       sizeof(struct entry_text));
		r = snapshot->texts[kind] ? 0 : -ENOMEM;
	}
	if (r < 0) {
		listing_free(listing);
		return r;
	}
	add_head(listing);
	*ret_listing = listing;
	return 0;
}

size_t listing_size(const struct listing *listing)
{
	return listing->text.size;
}

int listing_step(struct listing *listing, bool continues, char **ret_bytes, size_t *ret_size)
{
	const char *tail = continues ? "]},\"continues\":true}" : "]}}";
	int64_t end = now_ns() + LISTING_STEP_NS;
	size_t count = listing->snapshot->list.count;
	int r = 0;

	while (!r && listing->next < count) {
		r = add_entry(listing, listing->next++);
		if (listing->next % STEP_ENTRIES == 0 && listing->next < count && now_ns() >= end)
			return r < 0 ? r : 1;
	}
	if (!r)
		r = text_add(&listing->text, tail, strlen(tail) + 1);
	if (r < 0)
		return r;
	*ret_bytes = listing->text.bytes;
	*ret_size = listing->text.size;
	listing->text = (struct text){ .max = VARLINK_MAX_REPLY };
	return 0;
}
