// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * --help, from the same tables that parse the command line, so that it can't say anything else.
 */
#include <stdio.h>

#include "dunectl/dunectl.h"

/* Column at which explanations start. */
#define HELP_COLUMN 30

static void print_row(const char *left, const char *right)
{
	printf("  %-*s %s\n", HELP_COLUMN - 3, left, right);
}

static void print_options(const struct dunectl_option *rows)
{
	char left[80], letter[8], argument[40];

	for (; rows && rows->name; rows++) {
		letter[0] = argument[0] = '\0';
		if (rows->letter)
			snprintf(letter, sizeof(letter), "-%c, ", rows->letter);
		if (rows->argument)
			snprintf(argument, sizeof(argument), rows->optional ? "[=%s]" : "=%s",
				 rows->argument);
		snprintf(left, sizeof(left), "%4s--%s%s", letter, rows->name, argument);
		print_row(left, rows->help);
	}
}

void dunectl_print_help(const struct dunectl_command *command)
{
	if (command) {
		printf("Usage: dunectl %s [OPTIONS]%s%s\n\n%s.\n", command->name,
		       command->arguments[0] ? " " : "", command->arguments, command->summary);
		if (command->options) {
			printf("\nOptions of %s:\n", command->name);
			print_options(command->options);
		}
	} else {
		printf("Usage: dunectl [OPTIONS] [VERB] [ARGUMENTS]\n\n"
		       "Run programs in Dune contexts and look after them. Without a verb: list.\n\n"
		       "Verbs:\n");
		dunectl_print_commands();
	}
	printf("\nOptions:\n");
	print_options(dunectl_options);
	printf("\nSee dunectl(1).\n");
}

static int help_run(struct dunectl *ctl, int argc, char **argv)
{
	const struct dunectl_command *command = NULL;

	if (argc > 0) {
		command = dunectl_find_command(argv[0]);
		if (!command) {
			dunectl_error("unknown verb '%s'", argv[0]);
			return STATUS_USAGE;
		}
	}
	dunectl_print_help(command);
	return 0;
}

const struct dunectl_command command_help = {
	.name = "help",
	.arguments = "[VERB]",
	.summary = "Show help, of a verb when one is named",
	.max_arguments = 1,
	.run = help_run,
};
