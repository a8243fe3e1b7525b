/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The text of the interfaces that the service has, embedded from proto/ when it is built. */
#ifndef DUNED_INTERFACES_H
#define DUNED_INTERFACES_H

#include <stddef.h>

struct interface {
	const char *name;
	const char *text;
};

extern const struct interface interfaces[];
extern const size_t nr_interfaces;

#endif
