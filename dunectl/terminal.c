// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The terminal; see terminal.h.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "dunectl/terminal.h"

/* The other screen, no cursor, no wrapping; and back. */
#define ENTER "\033[?1049h\033[?25l\033[?7l"
#define LEAVE "\033[?7h\033[?25h\033[?1049l"

/* Signals that end the program by themselves, on a bug of ours. */
static const int fatal_signals[] = { SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL };

static struct termios saved;
static volatile sig_atomic_t entered;

/* Only what a signal handler may do. */
void terminal_leave(void)
{
	ssize_t n;

	if (!entered)
		return;
	entered = 0;
	n = write(STDOUT_FILENO, LEAVE, sizeof(LEAVE) - 1);
	(void)n;
	tcsetattr(STDIN_FILENO, TCSANOW, &saved);
}

static void on_fatal(int number)
{
	terminal_leave();
	raise(number); /* SA_RESETHAND: now as it would have been */
}

static void prepare_once(void)
{
	struct sigaction action = { .sa_handler = on_fatal, .sa_flags = (int)SA_RESETHAND };
	static bool done;

	if (done)
		return;
	done = true;
	atexit(terminal_leave);
	for (size_t i = 0; i < sizeof(fatal_signals) / sizeof(fatal_signals[0]); i++)
		sigaction(fatal_signals[i], &action, NULL);
}

int terminal_enter(void)
{
	struct termios raw;

	if (!isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, &saved) < 0)
		return -ENOTTY;
	prepare_once();
	raw = saved;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) < 0)
		return -errno;
	entered = 1;
	return terminal_write(ENTER, sizeof(ENTER) - 1);
}

void terminal_size(int *ret_rows, int *ret_columns)
{
	struct winsize size = { 0 };

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || !size.ws_row || !size.ws_col) {
		size.ws_row = TERMINAL_ROWS;
		size.ws_col = TERMINAL_COLUMNS;
	}
	*ret_rows = size.ws_row;
	*ret_columns = size.ws_col > TERMINAL_MAX_COLUMNS ? TERMINAL_MAX_COLUMNS : size.ws_col;
}

/* ---- keys ---- */

enum { PLAIN, ESCAPE, BRACKET };

static int letter_key(unsigned char byte)
{
	switch (byte) {
	case 'A':
		return KEY_UP;
	case 'B':
		return KEY_DOWN;
	case 'C':
		return KEY_RIGHT;
	case 'D':
		return KEY_LEFT;
	case 'H':
		return KEY_HOME;
	case 'F':
		return KEY_END;
	}
	return KEY_NONE;
}

static int number_key(unsigned int number)
{
	switch (number) {
	case 1:
	case 7:
		return KEY_HOME;
	case 4:
	case 8:
		return KEY_END;
	case 5:
		return KEY_PAGE_UP;
	case 6:
		return KEY_PAGE_DOWN;
	}
	return KEY_NONE;
}

int terminal_key(struct terminal_keys *keys, unsigned char byte)
{
	if (byte == '\033') {
		*keys = (struct terminal_keys){ .state = ESCAPE };
		return KEY_NONE;
	}
	switch (keys->state) {
	case ESCAPE:
		keys->state = byte == '[' || byte == 'O' ? BRACKET : PLAIN;
		return KEY_NONE;
	case BRACKET:
		if (byte >= '0' && byte <= '9') {
			keys->number = (keys->number * 10 + byte - '0') % 1000;
			return KEY_NONE;
		}
		/* Parameters and what goes before the last byte of a sequence. */
		if (byte < '@')
			return KEY_NONE;
		keys->state = PLAIN;
		return byte == '~' ? number_key(keys->number) : letter_key(byte);
	}
	return byte;
}

int terminal_write(const char *bytes, size_t size)
{
	struct pollfd poller = { .fd = STDOUT_FILENO, .events = POLLOUT };

	while (size > 0) {
		ssize_t n = write(STDOUT_FILENO, bytes, size);

		if (n < 0 && errno == EAGAIN)
			poll(&poller, 1, -1);
		else if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			bytes += n;
			size -= (size_t)n;
		}
	}
	return 0;
}
