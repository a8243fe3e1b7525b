/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The terminal as a full-screen program uses it: the other screen, keys as they are typed, its size. Gives
 * back everything on terminal_leave(), at exit() and when a signal kills the program. Knows ANSI's
 * sequences only, which every terminal of today does.
 */
#ifndef DUNECTL_TERMINAL_H
#define DUNECTL_TERMINAL_H

#include <stddef.h>

/* Keys beside characters. */
enum terminal_key {
	KEY_NONE = 0,
	KEY_UP = 0x100,
	KEY_DOWN,
	KEY_LEFT,
	KEY_RIGHT,
	KEY_PAGE_UP,
	KEY_PAGE_DOWN,
	KEY_HOME,
	KEY_END,
};

/* Sizes that make no sense are taken for this. */
#define TERMINAL_ROWS	 24
#define TERMINAL_COLUMNS 80

/* What terminal_write() draws at most, in columns. */
#define TERMINAL_MAX_COLUMNS 512

/* -ENOTTY when stdin or stdout is none. */
int terminal_enter(void);
void terminal_leave(void);

void terminal_size(int *ret_rows, int *ret_columns);

/* A sequence of keys on its way; zero-initialize. */
struct terminal_keys {
	unsigned int state;
	unsigned int number;
};

/* Takes one byte of input: a key, or KEY_NONE when there is none yet. */
int terminal_key(struct terminal_keys *keys, unsigned char byte);

/* Writes a whole frame, however long that takes. -errno. */
int terminal_write(const char *bytes, size_t size);

#endif
