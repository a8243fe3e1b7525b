/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What dunectl's files share: the verbs' shape, exit statuses, the option tables and the one place
 * that reports an error. A verb returns an exit status and reports through here, never both twice.
 */
#ifndef DUNECTL_DUNECTL_H
#define DUNECTL_DUNECTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <dune/client.h>

#include "dunectl/output.h"

/* Exit statuses beside EXIT_SUCCESS and EXIT_FAILURE; documented in dunectl(1). */
enum {
	STATUS_USAGE = 2,
	STATUS_NO_OBJECT = 4,
	STATUS_DENIED = 77,
	STATUS_LAUNCH = 125, /* launch: could not start the program, our doing */
	STATUS_NOT_EXECUTABLE = 126, /* launch: found, but can't be executed */
	STATUS_NOT_FOUND = 127, /* launch: no such program */
	STATUS_SIGNAL = 128, /* launch: + the signal that ended the program */
};

struct dunectl;

/* One option. A table of them ends with a row without a name. */
struct dunectl_option {
	const char *name;
	char letter; /* 0: long only */
	const char *argument; /* what --help calls the value; NULL: takes none */
	bool optional; /* --name and --name=VALUE are both right */
	const char *help;
	int (*set)(struct dunectl *ctl, const char *value); /* 0, or -EINVAL after reporting */
};

/* One verb; main.c has the table. */
struct dunectl_command {
	const char *name;
	const char *arguments; /* for the usage line */
	const char *summary;
	const struct dunectl_option *options; /* beside the global ones; may be NULL */
	int min_arguments;
	int max_arguments; /* -1: any number */
	bool program_follows; /* options end at the first argument */
	int usage_status; /* exit status of a usage error; 0: STATUS_USAGE */
	int (*run)(struct dunectl *ctl, int argc, char **argv);
};

/* One invocation. */
struct dunectl {
	const struct dunectl_command *command;
	struct output output;
	const char *socket; /* --socket, NULL: the library's choice */
	uint64_t timeout_ms; /* --timeout, 0: the library's choice */
	bool show_help;
	bool show_version;
};

extern const struct dunectl_command command_launch;
extern const struct dunectl_command command_list;
extern const struct dunectl_command command_inspect;
extern const struct dunectl_command command_stats;
extern const struct dunectl_command command_totals;
extern const struct dunectl_command command_top;
extern const struct dunectl_command command_events;
extern const struct dunectl_command command_kill;
extern const struct dunectl_command command_limit;
extern const struct dunectl_command command_quota;
extern const struct dunectl_command command_reload;
extern const struct dunectl_command command_info;
extern const struct dunectl_command command_doctor;
extern const struct dunectl_command command_version;
extern const struct dunectl_command command_help;

/* option.c: reads options from argv[1] on; *ret_first is the index of the first argument. */
extern const struct dunectl_option dunectl_options[];
int dunectl_parse(struct dunectl *ctl, const struct dunectl_option *own, bool stop_at_argument,
		  int argc, char **argv, int *ret_first);

/* parse.c: pure; 0 or -EINVAL, -ERANGE. A size takes the suffixes K, M, G, T (powers of 1024). */
int parse_u64(const char *text, uint64_t *ret_value);
int parse_size(const char *text, uint64_t *ret_bytes);
int parse_seconds(const char *text, uint64_t *ret_ms);

/* cmd_help.c */
const struct dunectl_command *dunectl_find_command(const char *name);
void dunectl_print_help(const struct dunectl_command *command);
/* main.c */
void dunectl_print_commands(void);
/* The hint after a usage error that was reported; the exit status. */
int dunectl_usage(const struct dunectl *ctl);

/*
 * error.c: one line on stderr, "dunectl: " first, and a hint line where there is one (not with -q).
 * dunectl_fail() reports what a libdune call on `client` returned and gives the exit status for it;
 * `client` is NULL when there is no connection yet.
 */
__attribute__((format(printf, 1, 2))) void dunectl_error(const char *format, ...);
__attribute__((format(printf, 2, 3))) void dunectl_hint(const struct dunectl *ctl,
							const char *format, ...);
int dunectl_fail(const struct dunectl *ctl, const struct dune_client *client, int error,
		 const char *doing);

/* connect.c: 0, or an exit status after reporting. */
int dunectl_connect(const struct dunectl *ctl, struct dune_client **ret_client);

/* A number names a context by its id, anything else by its name. */
void dunectl_name_context(const char *text, uint64_t *ret_id, const char **ret_name);

/* Cleanup functions. */
void dunectl_client_free(struct dune_client **client);
#define CLIENT_CLEANUP __attribute__((cleanup(dunectl_client_free)))

#endif
