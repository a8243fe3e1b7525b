// SPDX-License-Identifier: LGPL-2.1-or-later
/* Rules and the decision; see quota.h. */
#include "duned/quota.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const scope_names[QUOTA_NR_SCOPES] = {
	[QUOTA_HOST] = "host",	   [QUOTA_USER] = "user",	[QUOTA_GROUP] = "group",
	[QUOTA_CGROUP] = "cgroup", [QUOTA_PROCESS] = "process",
};

static const char *const resource_names[QUOTA_NR_RESOURCES] = {
	[QUOTA_CONTEXTS] = "contexts",	   [QUOTA_VCPUS] = "vcpus",
	[QUOTA_PRIVATE] = "private_pages", [QUOTA_EPT] = "ept_pages",
	[QUOTA_RATE] = "create_rate",
};

const char *quota_scope_name(enum quota_scope scope)
{
	return scope_names[scope];
}

const char *quota_resource_name(enum quota_resource resource)
{
	return resource_names[resource];
}

int quota_scope_find(const char *name, enum quota_scope *ret_scope)
{
	for (unsigned int i = 0; i < QUOTA_NR_SCOPES; i++) {
		if (!strcmp(scope_names[i], name)) {
			*ret_scope = (enum quota_scope)i;
			return 0;
		}
	}
	return -EINVAL;
}

/* ---- rules ---- */

static void rule_init(struct quota_rule *rule, const struct quota_key *key, const char *name)
{
	*rule = (struct quota_rule){ .key = *key };
	snprintf(rule->name, sizeof(rule->name), "%s", name);
	for (size_t i = 0; i < QUOTA_NR_RESOURCES; i++)
		rule->values[i].maximum = QUOTA_UNSET;
}

void quota_rules_init(struct quota_rules *rules)
{
	static const enum quota_scope scopes[QUOTA_NR_BASE] = {
		[QUOTA_BASE_HOST] = QUOTA_HOST,
		[QUOTA_BASE_USER] = QUOTA_USER,
		[QUOTA_BASE_PROCESS] = QUOTA_PROCESS,
	};

	*rules = (struct quota_rules){ 0 };
	for (size_t i = 0; i < QUOTA_NR_BASE; i++)
		rule_init(&rules->base[i], &(struct quota_key){ .scope = scopes[i] }, "");
}

void quota_rules_done(struct quota_rules *rules)
{
	free(rules->named);
	rules->named = NULL;
	rules->nr_named = 0;
}

int quota_rules_copy(const struct quota_rules *rules, struct quota_rules *ret_rules)
{
	struct quota_rules copy = *rules;

	copy.named = calloc(rules->nr_named + 1, sizeof(*copy.named));
	if (!copy.named)
		return -ENOMEM;
	for (size_t i = 0; i < rules->nr_named; i++)
		copy.named[i] = rules->named[i];
	*ret_rules = copy;
	return 0;
}

struct quota_rule *quota_rules_base(struct quota_rules *rules, enum quota_scope scope)
{
	for (size_t i = 0; i < QUOTA_NR_BASE; i++) {
		if (rules->base[i].key.scope == scope)
			return &rules->base[i];
	}
	return NULL;
}

static int key_compare(const struct quota_key *one, const struct quota_key *other)
{
	if (one->scope != other->scope)
		return one->scope < other->scope ? -1 : 1;
	if (one->id != other->id)
		return one->id < other->id ? -1 : 1;
	return strcmp(one->path, other->path);
}

/* The index of the first rule that is not below the key. */
static size_t rules_position(const struct quota_rules *rules, const struct quota_key *key)
{
	size_t low = 0, high = rules->nr_named;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (key_compare(&rules->named[middle].key, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct quota_rule *quota_rules_find(const struct quota_rules *rules,
					  const struct quota_key *key)
{
	size_t at = rules_position(rules, key);

	return at < rules->nr_named && !key_compare(&rules->named[at].key, key) ?
		       &rules->named[at] :
		       NULL;
}

int quota_rules_get(struct quota_rules *rules, const struct quota_key *key, const char *name,
		    struct quota_rule **ret_rule)
{
	size_t at = rules_position(rules, key), count = rules->nr_named;
	struct quota_rule *named;

	if (at == count || key_compare(&rules->named[at].key, key) != 0) {
		if (count >= QUOTA_MAX_RULES)
			return -E2BIG;
		named = realloc(rules->named, (count + 1) * sizeof(*named));
		if (!named)
			return -ENOMEM;
		memmove(named + at + 1, named + at, (count - at) * sizeof(*named));
		rule_init(&named[at], key, name);
		rules->named = named;
		rules->nr_named++;
	}
	*ret_rule = &rules->named[at];
	return 0;
}

bool quota_rule_speaks(const struct quota_rule *rule)
{
	for (size_t i = 0; i < QUOTA_NR_RESOURCES; i++) {
		if (rule->values[i].maximum != QUOTA_UNSET)
			return true;
	}
	return false;
}

size_t quota_rules_groups(const struct quota_rules *rules, uint32_t ret_groups[QUOTA_MAX_RULES])
{
	const struct quota_key from = { .scope = QUOTA_GROUP };
	size_t count = 0;

	for (size_t i = rules_position(rules, &from);
	     i < rules->nr_named && rules->named[i].key.scope == QUOTA_GROUP; i++)
		ret_groups[count++] = rules->named[i].key.id;
	return count;
}

static bool in_groups(uint32_t wanted, uint32_t gid, const uint32_t *groups, size_t nr_groups)
{
	if (wanted == gid)
		return true;
	for (size_t i = 0; i < nr_groups; i++) {
		if (groups[i] == wanted)
			return true;
	}
	return false;
}

uint32_t quota_group(const struct quota_rules *rules, uint32_t gid, const uint32_t *groups,
		     size_t nr_groups)
{
	const struct quota_key from = { .scope = QUOTA_GROUP };

	for (size_t i = rules_position(rules, &from);
	     i < rules->nr_named && rules->named[i].key.scope == QUOTA_GROUP; i++) {
		uint32_t id = rules->named[i].key.id;

		if (quota_rule_speaks(&rules->named[i]) && in_groups(id, gid, groups, nr_groups))
			return id;
	}
	return gid;
}

/* ---- cgroups ---- */

/* "a-b-c.slice" is in "a-b.slice", which is in "a.slice"; "-.slice" is the root. */
static int slice_path(const char *name, char ret_path[DUNE_CGROUP_MAX])
{
	size_t stem = strlen(name) - strlen(".slice"), used = 0;

	if (stem == 1 && name[0] == '-') {
		strcpy(ret_path, "/");
		return 0;
	}
	if (!stem || name[0] == '-' || name[stem - 1] == '-')
		return -EINVAL;
	for (size_t end = 1; end <= stem; end++) {
		if (end < stem && name[end] != '-')
			continue;
		if (name[end - 1] == '-')
			return -EINVAL;
		used += (size_t)snprintf(ret_path + used, DUNE_CGROUP_MAX - used, "/%.*s.slice",
					 (int)end, name);
		if (used >= DUNE_CGROUP_MAX)
			return -ENAMETOOLONG;
	}
	return 0;
}

int quota_cgroup_path(const char *text, char ret_path[DUNE_CGROUP_MAX])
{
	size_t length = strlen(text);
	char path[DUNE_CGROUP_MAX + 1];
	int r;

	for (size_t i = 0; i < length; i++) {
		if (text[i] <= ' ' || text[i] > '~' || text[i] == ']')
			return -EINVAL;
	}
	if (length >= DUNE_CGROUP_MAX)
		return -ENAMETOOLONG;
	if (text[0] != '/') {
		if (strchr(text, '/') || length <= strlen(".slice") ||
		    strcmp(text + length - strlen(".slice"), ".slice") != 0)
			return -EINVAL;
		r = slice_path(text, path);
		if (!r)
			strcpy(ret_path, path);
		return r;
	}
	/* Only the one way to write it that the kernel has. */
	snprintf(path, sizeof(path), "%s/", text);
	if (length > 1 && (text[length - 1] == '/' || strstr(text, "//") || strstr(path, "/./") ||
			   strstr(path, "/../")))
		return -EINVAL;
	strcpy(ret_path, text);
	return 0;
}

/* ---- which rules hold ---- */

/* Does the rule, if there is one, speak of the resource? Then it holds, for that account. */
static size_t hold(const struct quota_rule *rule, enum quota_resource resource,
		   const struct quota_key *account, struct quota_holding *ret_holding)
{
	if (!rule || rule->values[resource].maximum == QUOTA_UNSET)
		return 0;
	*ret_holding = (struct quota_holding){
		.rule = rule,
		.account = *account,
		.maximum = rule->values[resource].maximum,
	};
	return 1;
}

/* From the process's cgroup up to the root. */
static size_t hold_cgroup(const struct quota_rules *rules, const struct charge *charge,
			  enum quota_resource resource, struct quota_holding *ret_holding)
{
	struct quota_key key = { .scope = QUOTA_CGROUP };
	char *slash;

	if (charge->labels.cgroup[0] != '/')
		return 0;
	memcpy(key.path, charge->labels.cgroup, sizeof(key.path));
	for (;;) {
		if (hold(quota_rules_find(rules, &key), resource, &key, ret_holding))
			return 1;
		if (!key.path[1])
			return 0;
		slash = strrchr(key.path, '/');
		/* Zeroed to the end: keys are compared as they are. */
		memset(slash, 0, sizeof(key.path) - (size_t)(slash - key.path));
		if (slash == key.path)
			key.path[0] = '/';
	}
}

static size_t hold_specific(const struct quota_rules *rules, const struct charge *charge,
			    enum quota_resource resource, struct quota_holding *ret_holding)
{
	const struct quota_key own = { .scope = QUOTA_USER, .id = charge->uid };
	const struct quota_key user = { .scope = QUOTA_USER,
					.id = charge->superior ? charge->superior : charge->uid };
	const struct quota_key group = { .scope = QUOTA_GROUP, .id = charge->labels.gid };

	return hold(quota_rules_find(rules, &own), resource, &own, ret_holding) ||
	       hold(quota_rules_find(rules, &user), resource, &user, ret_holding) ||
	       hold_cgroup(rules, charge, resource, ret_holding) ||
	       hold(quota_rules_find(rules, &group), resource, &group, ret_holding) ||
	       hold(&rules->base[QUOTA_BASE_USER], resource, &user, ret_holding);
}

size_t quota_holding(const struct quota_rules *rules, const struct charge *charge,
		     enum quota_resource resource,
		     struct quota_holding ret_holding[QUOTA_MAX_HOLDING])
{
	const struct quota_key host = { .scope = QUOTA_HOST };
	const struct quota_key process = { .scope = QUOTA_PROCESS,
					   .id = (uint32_t)charge->labels.creator_pid,
					   .start = charge->labels.creator_start };
	size_t count = hold_specific(rules, charge, resource, ret_holding);

	if (charge->labels.creator_pid > 0)
		count += hold(&rules->base[QUOTA_BASE_PROCESS], resource, &process,
			      ret_holding + count);
	return count + hold(&rules->base[QUOTA_BASE_HOST], resource, &host, ret_holding + count);
}

int quota_decide(const struct quota_rules *rules, const struct charge *charge,
		 const uint64_t growth[QUOTA_NR_SUMS], quota_used_fn *used, const void *data,
		 struct quota_verdict *ret_verdict)
{
	struct quota_holding holding[QUOTA_MAX_HOLDING];

	for (unsigned int r = 0; r < QUOTA_NR_SUMS; r++) {
		size_t count =
			growth[r] ? quota_holding(rules, charge, (enum quota_resource)r, holding) :
				    0;

		for (size_t i = 0; i < count; i++) {
			uint64_t maximum = (uint64_t)holding[i].maximum, now;

			if (holding[i].maximum == QUOTA_UNLIMITED)
				continue;
			now = used(data, &holding[i].account, (enum quota_resource)r);
			if (growth[r] <= maximum && now <= maximum - growth[r])
				continue;
			*ret_verdict = (struct quota_verdict){
				.resource = (enum quota_resource)r,
				.rule = holding[i].rule,
				.account = holding[i].account,
				.maximum = holding[i].maximum,
				.used = now,
			};
			return -EDQUOT;
		}
	}
	return 0;
}
