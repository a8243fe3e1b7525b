// SPDX-License-Identifier: LGPL-2.1-or-later
/* Replies about many contexts; see listing.h. */
#include "duned/listing.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "duned/clock.h"
#include "duned/context.h"
#include "duned/json.h"
#include "duned/render.h"
#include "duned/text.h"
#include "proto/varlink.h"

#define STEP_ENTRIES 8 /* between two looks at the clock */

/* An entry's text, made when first wanted. */
struct entry_text {
	char *bytes;
	size_t size;
};

/* Contexts at one time, held by the listings that are made of them. */
struct snapshot {
	unsigned int references;
	struct snapshot **weak; /* where others find it; NULL: nowhere */
	int64_t time_ns;
	struct context_list list;
	struct entry_text *texts[NR_LISTING_KINDS];
};

struct listing {
	const struct listing_source *source;
	void *body;
	enum policy_asked asked; /* what polkit said of the call */
	bool begun;
	struct text text;
};

/* A body: contexts. */
struct contexts {
	struct manager *manager;
	enum dune_access access;
	char name[DUNE_NAME_MAX]; /* empty: any */
	enum listing_kind kind;
	int64_t oldest_ns; /* what was read since then will do */
	struct snapshot *snapshot; /* maybe before it is begun, see listing_adopt() */
	size_t next;
};

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
	snapshot->time_ns = clock_ns();
	r = context_list_read(&manager->device, &snapshot->list);
	if (r < 0) {
		snapshot_put(snapshot);
		return r;
	}
	*ret_snapshot = snapshot;
	return 0;
}

/* The newest one, if it was read late enough. */
static bool snapshot_find(struct manager *manager, int64_t oldest_ns,
			  struct snapshot **ret_snapshot)
{
	struct snapshot *snapshot = manager->snapshot;

	if (!snapshot || snapshot->time_ns <= oldest_ns)
		return false;
	snapshot->references++;
	*ret_snapshot = snapshot;
	return true;
}

static int snapshot_get(struct manager *manager, int64_t oldest_ns, struct snapshot **ret_snapshot)
{
	struct snapshot *newest = manager->snapshot;
	int r;

	if (snapshot_find(manager, oldest_ns, ret_snapshot))
		return 0;
	r = snapshot_read(manager, ret_snapshot);
	if (r < 0)
		return r;
	/* The newest is the one that others find. */
	if (newest)
		newest->weak = NULL;
	(*ret_snapshot)->weak = &manager->snapshot;
	manager->snapshot = *ret_snapshot;
	return 0;
}

static bool is_wanted(const struct dune_stats *entry, const struct peer *peer,
		      enum dune_access access, const char *name)
{
	return (!*name || !strcmp(entry->name, name)) && policy_may(peer, access, entry->owner);
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

/* ---- contexts ---- */

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

static int add_entry(struct contexts *contexts, size_t index, struct text *text)
{
	struct snapshot *snapshot = contexts->snapshot;
	struct entry_text *entry = &snapshot->texts[contexts->kind][index];
	int r = 0;

	if (!entry->bytes)
		r = entry_make[contexts->kind](&snapshot->list.entries[index], entry);
	if (r < 0)
		return r;
	if (index)
		text_add_string(text, ",");
	return text_add(text, entry->bytes, entry->size);
}

static int add_head(const struct contexts *contexts, struct text *text)
{
	char head[96];

	if (contexts->kind == LISTING_SAMPLES)
		snprintf(head, sizeof(head),
			 "{\"parameters\":{\"time_usec\":%" PRId64 ",\"samples\":[",
			 contexts->snapshot->time_ns / 1000);
	else
		snprintf(head, sizeof(head), "{\"parameters\":{\"contexts\":[");
	return text_add_string(text, head);
}

static int contexts_begin(void *body, const struct peer *peer, struct text *text)
{
	struct contexts *contexts = body;
	struct snapshot *snapshot;
	int r = 0;

	if (!contexts->snapshot)
		r = snapshot_get(contexts->manager, contexts->oldest_ns, &contexts->snapshot);
	if (!r)
		r = snapshot_cut(&contexts->snapshot, peer, contexts->access, contexts->name);
	snapshot = contexts->snapshot;
	if (!r && !snapshot->texts[contexts->kind]) {
		snapshot->texts[contexts->kind] = calloc(
			snapshot->list.count ? snapshot->list.count : 1, sizeof(struct entry_text));
		r = snapshot->texts[contexts->kind] ? 0 : -ENOMEM;
	}
	return r < 0 ? r : add_head(contexts, text);
}

static int contexts_go_on(void *body, const struct peer *peer, struct text *text)
{
	struct contexts *contexts = body;
	int r = 0;

	if (contexts->next == contexts->snapshot->list.count)
		return 0;
	for (int i = 0; !r && i < STEP_ENTRIES && contexts->next < contexts->snapshot->list.count;
	     i++)
		r = add_entry(contexts, contexts->next++, text);
	return r < 0 ? r : 1;
}

static void contexts_adopt(void *body)
{
	struct contexts *contexts = body;

	if (!contexts->snapshot)
		snapshot_find(contexts->manager, contexts->oldest_ns, &contexts->snapshot);
}

static void contexts_free(void *body)
{
	struct contexts *contexts = body;

	snapshot_put(contexts->snapshot);
	free(contexts);
}

struct listing *listing_new(struct manager *manager, const struct peer *peer,
			    enum dune_access access, const char *name, enum listing_kind kind,
			    bool share)
{
	static const struct listing_source source = { contexts_begin, contexts_go_on,
						      contexts_adopt, contexts_free };
	struct contexts *contexts = calloc(1, sizeof(*contexts));
	struct listing *listing = contexts ? listing_of(&source, contexts, peer) : NULL;

	if (!listing) {
		free(contexts);
		return NULL;
	}
	contexts->manager = manager;
	contexts->access = access;
	if (name)
		snprintf(contexts->name, sizeof(contexts->name), "%s", name);
	contexts->kind = kind;
	contexts->oldest_ns = clock_ns() - (share ? LISTING_SHARE_NS : 0);
	return listing;
}

/* ---- listings ---- */

/* The connection's peer has not been asked about; the call was. */
static struct peer as_asked(const struct listing *listing, const struct peer *peer)
{
	struct peer asked = *peer;

	asked.asked = listing->asked;
	return asked;
}

struct listing *listing_of(const struct listing_source *source, void *body, const struct peer *peer)
{
	struct listing *listing = calloc(1, sizeof(*listing));

	if (!listing)
		return NULL;
	listing->source = source;
	listing->body = body;
	listing->asked = peer->asked;
	text_init(&listing->text, VARLINK_MAX_REPLY);
	return listing;
}

void listing_free(struct listing *listing)
{
	if (!listing)
		return;
	listing->source->free(listing->body);
	text_done(&listing->text);
	free(listing);
}

void listing_adopt(struct listing *listing)
{
	if (listing->source->adopt)
		listing->source->adopt(listing->body);
}

int listing_begin(struct listing *listing, const struct peer *peer)
{
	struct peer asked = as_asked(listing, peer);
	int r = listing->source->begin(listing->body, &asked, &listing->text);

	listing->begun = !r;
	return r;
}

bool listing_begun(const struct listing *listing)
{
	return listing->begun;
}

size_t listing_size(const struct listing *listing)
{
	return listing->text.size;
}

int listing_step(struct listing *listing, const struct peer *peer, bool continues, char **ret_bytes,
		 size_t *ret_size)
{
	const char *tail = continues ? "]},\"continues\":true}" : "]}}";
	struct peer asked = as_asked(listing, peer);
	int64_t end = clock_ns() + LISTING_STEP_NS;
	int r;

	do {
		r = listing->source->go_on(listing->body, &asked, &listing->text);
		if (r > 0 && clock_ns() >= end)
			return 1;
	} while (r > 0);
	if (!r)
		r = text_add(&listing->text, tail, strlen(tail) + 1);
	if (r < 0)
		return r;
	*ret_bytes = listing->text.bytes;
	*ret_size = listing->text.size;
	listing->text = (struct text){ .max = VARLINK_MAX_REPLY };
	return 0;
}
