/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The contexts of a device made of paper: rows of a table, each with a pipe whose write end is the context's
 * descriptor. What a test writes into it moves the context on: 'a' attached, 'r' running, 'x' process gone,
 * 'p' ended by a panic with a report, 'l' meets its limit of private pages, 'f' uses all that it may, 'g'
 * gives the tables of EPT back, 'L' loses an event of another context. When nobody holds the write end any
 * more the context is freed, as the module does; so a copy forgotten by the service shows. Must never answer
 * as the module would not.
 */
#ifndef TEST_FAKE_TABLE_H
#define TEST_FAKE_TABLE_H

#include "duned/device.h"

#define FAKE_CONTEXTS	    1024
#define FAKE_CONTEXTS_LARGE 16384
#define FAKE_EVENTS	    4096

/*
 * What the path of the device says: "fake:small" has a ceiling of 3 contexts that the service's configuration does
 * not know, "fake:none" allows no vcpu, "fake:large" and others have room for 16384 contexts. The descriptor is
 * readable when there are events or will be; it stays the table's. -errno.
 */
int fake_table_open(const char *path, int *ret_fd);

/* Takes what the tests did into account; the other calls do so by themselves. */
void fake_table_settle(void);

/* Drops what events there are: nobody has the device open any more. */
void fake_table_forget_events(void);

/* As the functions of duned/device.h */
void fake_table_info(struct dune_info *ret_info);
int fake_table_create(const struct device_creation *creation, int *ret_fd, uint64_t *ret_id);
int fake_table_stats(uint64_t after_id, struct dune_stats *buffer, uint32_t capacity);
void fake_table_totals(struct dune_totals *ret_totals);
int fake_table_set_limits(uint64_t id, const uint64_t limits[DUNE_NR_LIMITS]);
int fake_table_report(uint64_t id, struct dune_report *ret_report);
int fake_table_kill(uint64_t id);
int fake_table_events(struct dune_event *buffer, size_t capacity);

#endif
