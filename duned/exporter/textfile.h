/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Metrics into a file, for the textfile collector of Prometheus' node_exporter. Readers see the old file or
 * the new one, never a part.
 */
#ifndef DUNED_EXPORTER_TEXTFILE_H
#define DUNED_EXPORTER_TEXTFILE_H

#include <stddef.h>

/* Replaces the file, mode 0644. -errno; on failure the old file stays and nothing is left over. */
int textfile_write(const char *path, const char *text, size_t size);

#endif
