/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Quotas: the rules, which of them hold for whom, and the decision. Pure: knows no socket, file,
 * clock or device; what an account has used is asked for through a function. Must never decide
 * from anything that a client said about itself.
 *
 * The host's rule and the rule of processes always hold. Between the others the most specific one
 * that names the resource decides: the user's own, else the deepest cgroup's, else the group's,
 * else that of every user. What is summed up is what the deciding rule names.
 */
#ifndef DUNED_QUOTA_H
#define DUNED_QUOTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "duned/charge.h"

#define QUOTA_MAX_RULES 1024 /* with a name; in all files together */
#define QUOTA_NAME_MAX	DUNE_CGROUP_MAX /* bytes of a rule's name, the NUL included */
#define QUOTA_UNSET	(-1) /* the rule does not speak of this resource */
#define QUOTA_UNLIMITED INT64_MAX

/* The rules without a name. */
enum quota_base {
	QUOTA_BASE_HOST,
	QUOTA_BASE_USER, /* of every user */
	QUOTA_BASE_PROCESS, /* of every process that creates */
	QUOTA_NR_BASE,
};

/* One resource of a rule, and where that was said. */
struct quota_value {
	int64_t maximum; /* or QUOTA_UNSET, QUOTA_UNLIMITED */
	uint16_t file; /* 0: the default, else the number that the configuration gives a file */
	uint32_t line;
};

struct quota_rule {
	struct quota_key key; /* of a rule without a name: its scope only */
	char name[QUOTA_NAME_MAX]; /* as people know it; empty for rules without one */
	struct quota_value values[QUOTA_NR_RESOURCES];
};

struct quota_rules {
	struct quota_rule base[QUOTA_NR_BASE];
	struct quota_rule *named; /* sorted by key */
	size_t nr_named;
};

const char *quota_scope_name(enum quota_scope scope);
const char *
quota_resource_name(enum quota_resource resource); /* as in the interface: private_pages */

/* -EINVAL for a name that there is none of. */
int quota_scope_find(const char *name, enum quota_scope *ret_scope);

/* ---- rules ---- */

/* Rules that speak of nothing. */
void quota_rules_init(struct quota_rules *rules);
void quota_rules_done(struct quota_rules *rules);
int quota_rules_copy(const struct quota_rules *rules, struct quota_rules *ret_rules);

/* The base rule of a scope; NULL for scopes that have none. */
struct quota_rule *quota_rules_base(struct quota_rules *rules, enum quota_scope scope);

const struct quota_rule *quota_rules_find(const struct quota_rules *rules,
					  const struct quota_key *key);

/* Does it name any resource? */
bool quota_rule_speaks(const struct quota_rule *rule);

/* Finds it or makes one that speaks of nothing. -ENOMEM; -E2BIG above QUOTA_MAX_RULES. */
int quota_rules_get(struct quota_rules *rules, const struct quota_key *key, const char *name,
		    struct quota_rule **ret_rule);

/* The groups that rules have; returns how many, QUOTA_MAX_RULES at most. */
size_t quota_rules_groups(const struct quota_rules *rules, uint32_t ret_groups[QUOTA_MAX_RULES]);

/*
 * The group that a process is charged to, of its own and the supplementary ones: the lowest that
 * a rule speaks of, else its own.
 */
uint32_t quota_group(const struct quota_rules *rules, uint32_t gid, const uint32_t *groups,
		     size_t nr_groups);

/*
 * The path of a cgroup from what people write: itself, or a slice's name, which systemd's rule
 * makes a path (a-b.slice is /a.slice/a-b.slice). -EINVAL, -ENAMETOOLONG.
 */
int quota_cgroup_path(const char *text, char ret_path[DUNE_CGROUP_MAX]);

/* ---- decisions ---- */

#define QUOTA_MAX_HOLDING 3 /* rules that hold for one resource */

/* A rule that holds, and whose use is summed up for it. */
struct quota_holding {
	const struct quota_rule *rule;
	struct quota_key account;
	int64_t maximum; /* never QUOTA_UNSET */
};

/* The rules that hold for a charge, the most specific first; returns how many. */
size_t quota_holding(const struct quota_rules *rules, const struct charge *charge,
		     enum quota_resource resource,
		     struct quota_holding ret_holding[QUOTA_MAX_HOLDING]);

/* Why something was refused. */
struct quota_verdict {
	enum quota_resource resource;
	const struct quota_rule *rule;
	struct quota_key account;
	int64_t maximum;
	uint64_t used;
};

typedef uint64_t quota_used_fn(const void *data, const struct quota_key *account,
			       enum quota_resource resource);

/*
 * May the use of each resource grow by so much? 0, or -EDQUOT with *ret_verdict about the first
 * that may not. What does not grow is never refused, whatever is used.
 */
int quota_decide(const struct quota_rules *rules, const struct charge *charge,
		 const uint64_t growth[QUOTA_NR_SUMS], quota_used_fn *used, const void *data,
		 struct quota_verdict *ret_verdict);

#endif
