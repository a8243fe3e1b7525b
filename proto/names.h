/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names of the numbers in dune_abi.h, as Varlink and people see them, in one place for the service
 * and its clients. Every function returns static text, or NULL for a number without a name.
 */
#ifndef DUNE_PROTO_NAMES_H
#define DUNE_PROTO_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/dune_abi.h"

const char *dune_exit_name(unsigned int reason);	/* basic, Intel SDM appendix C */
const char *dune_counter_name(unsigned int counter);	/* DUNE_COUNT_* */
const char *dune_limit_name(unsigned int limit);	/* DUNE_LIMIT_* */
const char *dune_state_name(unsigned int state);	/* DUNE_STATE_* */
const char *dune_cause_name(unsigned int cause);	/* DUNE_END_*; NULL for DUNE_END_NONE too */
const char *dune_event_name(unsigned int type);		/* DUNE_EVENT_* */
const char *dune_vmx_holder_name(unsigned int holder);	/* DUNE_VMX_* */
const char *dune_feature_name(unsigned int bit);	/* DUNE_FEATURE_*, by bit number */

/* A sentence for people about a cause by its name; "ended" for names that are not known. */
const char *dune_cause_text(const char *cause_name);

/* Counters that show a present amount (DUNE_COUNT_*_NOW), in contrast to those that only grow. */
bool dune_counter_is_gauge(unsigned int counter);

/* The name, else prefix_number ("reason_77"), in the caller's buffer, which is returned. */
#define DUNE_NAME_BUFFER 48
const char *dune_name_or_number(const char *name, const char *prefix, unsigned int number,
				char buffer[DUNE_NAME_BUFFER]);

/* 1 to DUNE_NAME_MAX - 1 characters of A-Z a-z 0-9 . _ - */
bool dune_name_is_valid(const char *name);

/* The name of an errno ("ENOENT"), "E?" for an unknown one. */
const char *dune_errno_name(int error);

#endif
