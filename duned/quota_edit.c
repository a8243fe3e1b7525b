// SPDX-License-Identifier: LGPL-2.1-or-later
/* Changing the file of quotas; see quota_edit.h. */
#include "duned/quota_edit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "duned/manager.h"
#include "duned/state.h"

static const char header[] =
	"# Quotas set at run time, by `dunectl quota set`. Written by duned.\n";

/* The steps return true to go on; else the outcome is decided. */
static bool stop(struct quota_edit *edit, enum quota_edit_outcome outcome, int error)
{
	edit->outcome = outcome;
	edit->error = error;
	return false;
}

static bool bad_quota(struct quota_edit *edit, const char *field, const char *why)
{
	edit->field = field;
	edit->why = why;
	return stop(edit, EDIT_BAD_QUOTA, -EINVAL);
}

/* The file is read again: whoever edits it by hand loses nothing. */
static bool read_rules(struct quota_edit *edit, const char *path, struct quota_rules *rules)
{
	int r = config_load_quotas(path, rules, &edit->config_error);

	return !r || stop(edit, r == -ENOMEM ? EDIT_FAILED : EDIT_BAD_FILE, r);
}

static bool change_rules(struct quota_edit *edit, struct quota_rules *rules)
{
	struct quota_rule *rule;
	const char *why;
	int r;

	if (!edit->has_scope) {
		quota_rules_done(rules);
		quota_rules_init(rules);
		return true;
	}
	r = config_rule(rules, edit->scope, edit->has_name ? edit->name : "", &rule, &why);
	if (r == -ENOMEM)
		return stop(edit, EDIT_FAILED, r);
	if (r < 0)
		return bad_quota(edit, r == -ENOTUNIQ || !edit->has_name ? "scope" : "name", why);
	for (unsigned int i = 0; i < QUOTA_NR_RESOURCES; i++) {
		if (edit->reset)
			rule->values[i] = (struct quota_value){ .maximum = QUOTA_UNSET };
		if (edit->maximum[i] != QUOTA_UNSET)
			rule->values[i] = (struct quota_value){ .maximum = edit->maximum[i],
								.file = CONFIG_RUNTIME };
	}
	return true;
}

/* Before they are saved: what could not be in force must not be in the file. */
static bool merge_rules(struct quota_edit *edit, const struct settings *settings,
			const struct quota_rules *rules)
{
	int r = config_merge(&settings->configured, rules, &edit->quotas);

	if (r == -E2BIG)
		return bad_quota(edit, "name", "is one rule too many");
	return !r || stop(edit, EDIT_FAILED, r);
}

static bool save_rules(struct quota_edit *edit, const char *path, const struct quota_rules *rules)
{
	size_t used = strlen(header);
	char *text = malloc(CONFIG_MAX_FILE);
	int r;

	if (!text)
		return stop(edit, EDIT_FAILED, -ENOMEM);
	strcpy(text, header);
	r = config_format_quotas(rules, text + used, CONFIG_MAX_FILE - used);
	if (r >= 0)
		r = state_write(path, text, used + (size_t)r, &edit->unsure);
	free(text);
	return r >= 0 || stop(edit, EDIT_NOT_SAVED, r);
}

void quota_edit_run(const struct settings *settings, struct quota_edit *edit)
{
	const char *path = settings->source.quotas;
	struct quota_rules rules;

	quota_rules_init(&rules);
	quota_rules_init(&edit->quotas);
	if (read_rules(edit, path, &rules) && change_rules(edit, &rules) &&
	    merge_rules(edit, settings, &rules) && save_rules(edit, path, &rules))
		edit->outcome = EDIT_SAVED;
	quota_rules_done(&rules);
}
