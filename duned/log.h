/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Lines on stderr, with journald's priority prefix when stderr is the journal. Owns the rate limit
 * of messages that clients can cause; must never block the service on anything but stderr.
 */
#ifndef DUNED_LOG_H
#define DUNED_LOG_H

#include <stdbool.h>
#include <stdint.h>

#define LOG_CLIENT_BURST	20	/* messages caused by clients ... */
#define LOG_CLIENT_WINDOW_MS	10000	/* ... in this time; the rest is dropped */

/* Reads the environment; debug messages are dropped unless debug is set. */
void log_init(bool debug);

void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A warning that a client can cause at will: rate-limited for all clients together. */
void log_client(uint32_t uid, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
