/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Lines on stderr, with journald's priority prefix when stderr is the journal. What can happen at every
 * scrape is said when it changes, never each time.
 */
#ifndef DUNED_EXPORTER_NOTE_H
#define DUNED_EXPORTER_NOTE_H

#include <stdbool.h>

void note_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void note_info(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The service's condition: a line when it is another than at the last call. */
void note_change(bool up, bool module, const char *problem);

/* A sentence for -errno of a connection to the service; valid until the next call in this thread. */
const char *note_connect_error(int error);

#endif
