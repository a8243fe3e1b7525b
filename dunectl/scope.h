/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Transient scopes of systemd for programs that are launched: what the command line asks for, and this
 * process's way into one. Whose systemd: root asks the system's manager, anybody else their own.
 */
#ifndef DUNECTL_SCOPE_H
#define DUNECTL_SCOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCOPE_SLICE		"dune.slice"
#define SCOPE_PROPERTIES_MAX	32
#define SCOPE_NAME_MAX		255	/* systemd's own limit for the name of a unit */
#define SCOPE_SLICE_MAX		(SCOPE_NAME_MAX - 6)	/* ".slice" may have to be added */
#define SCOPE_REASON_MAX	256

/* A property of the unit as it goes over the bus: its D-Bus type says which value counts. */
struct scope_property {
	const char *name;
	char type; /* b, t, u or s */
	uint64_t number;
	const char *text;
};

struct scope {
	bool wanted;
	const char *slice; /* NULL: SCOPE_SLICE */
	struct scope_property properties[SCOPE_PROPERTIES_MAX];
	size_t nr_properties;
};

/*
 * scope_property.c, pure: reads "NAME=VALUE"; text values point into `text`. -ENOENT: no such property,
 * -EINVAL: not a value for it; *ret_expected then tells what is.
 */
int scope_property_parse(const char *text, struct scope_property *ret_property,
			 const char **ret_expected);

/*
 * scope.c: makes a scope with this process in it, and waits until systemd has done so. `what` goes into
 * its description. 0; or -errno with the reason in words: -ENOTCONN when there is no manager to ask.
 */
int scope_enter(const struct scope *scope, const char *what, uint64_t timeout_ms,
		char reason[SCOPE_REASON_MAX]);

#endif
