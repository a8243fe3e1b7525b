/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A change of the quotas set at run time, from the file to the file: read, changed, checked,
 * saved. Runs in the worker; must never look at anything of the loop's, nor write over a file
 * that it can't read.
 */
#ifndef DUNED_QUOTA_EDIT_H
#define DUNED_QUOTA_EDIT_H

#include <stdbool.h>

#include "duned/config.h"
#include "duned/quota.h"

#define QUOTA_SCOPE_MAX 16 /* bytes of a scope's name, the NUL included */

struct settings;

enum quota_edit_outcome {
	EDIT_SAVED,
	EDIT_BAD_QUOTA, /* field, why */
	EDIT_BAD_FILE, /* config_error */
	EDIT_NOT_SAVED, /* error */
	EDIT_FAILED, /* error: of the service itself */
};

struct quota_edit {
	/* What is wanted. Longer texts than fit are cut, which leaves them too long to be valid. */
	bool has_scope, has_name;
	char scope[QUOTA_SCOPE_MAX];
	char name[QUOTA_NAME_MAX + 1];
	bool reset; /* first; without a scope: of everybody */
	int64_t maximum[QUOTA_NR_RESOURCES]; /* QUOTA_UNSET: stays */
	/* What came of it. */
	enum quota_edit_outcome outcome;
	int error;
	const char *field, *why;
	struct config_error config_error;
	int unsure; /* EDIT_SAVED: see state_write() */
	struct quota_rules quotas; /* EDIT_SAVED: all that are to be in force now */
};

/* The rules are to be ended whatever came of it. */
void quota_edit_run(const struct settings *settings, struct quota_edit *edit);

#endif
