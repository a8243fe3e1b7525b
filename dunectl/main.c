// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * dunectl: the verb table, and the way from a command line to a verb. Does no work of its own.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dunectl/dunectl.h"

/* The first one is what a bare `dunectl` does. */
static const struct dunectl_command *const commands[] = {
	&command_list,	 &command_launch, &command_inspect, &command_stats,   &command_top,
	&command_totals, &command_events, &command_kill,    &command_limit,   &command_quota,
	&command_reload, &command_info,	  &command_doctor,  &command_version, &command_help,
};

#define NR_COMMANDS (sizeof(commands) / sizeof(commands[0]))

const struct dunectl_command *dunectl_find_command(const char *name)
{
	for (size_t i = 0; i < NR_COMMANDS; i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

void dunectl_print_commands(void)
{
	char left[80];

	for (size_t i = 0; i < NR_COMMANDS; i++) {
		snprintf(left, sizeof(left), "%s %s", commands[i]->name, commands[i]->arguments);
		printf("  %-26s %s\n", left, commands[i]->summary);
	}
}

int dunectl_usage(const struct dunectl *ctl)
{
	const struct dunectl_command *command = ctl->command;

	if (command)
		dunectl_hint(ctl, "dunectl help %s", command->name);
	else
		dunectl_hint(ctl, "dunectl help");
	return command && command->usage_status ? command->usage_status : STATUS_USAGE;
}

static int run(struct dunectl *ctl, int argc, char **argv)
{
	const struct dunectl_command *command = ctl->command;
	int first;

	if (dunectl_parse(ctl, command->options, command->program_follows, argc, argv, &first) < 0)
		return dunectl_usage(ctl);
	if (ctl->show_version)
		return command_version.run(ctl, 0, NULL);
	if (ctl->show_help) {
		dunectl_print_help(command);
		return 0;
	}
	argc -= first;
	argv += first;
	if (argc < command->min_arguments) {
		dunectl_error("%s needs %s", command->name, command->arguments);
		return dunectl_usage(ctl);
	}
	if (command->max_arguments >= 0 && argc > command->max_arguments) {
		dunectl_error("%s: too many arguments, first '%s'", command->name,
			      argv[command->max_arguments]);
		return dunectl_usage(ctl);
	}
	return command->run(ctl, argc, argv);
}

static int dispatch(struct dunectl *ctl, int argc, char **argv)
{
	char *no_arguments[] = { argv[0], NULL };
	int first;

	if (dunectl_parse(ctl, NULL, true, argc, argv, &first) < 0)
		return dunectl_usage(ctl);
	if (ctl->show_version)
		return command_version.run(ctl, 0, NULL);
	if (first >= argc) {
		if (ctl->show_help) {
			dunectl_print_help(NULL);
			return 0;
		}
		ctl->command = commands[0];
		return run(ctl, 1, no_arguments);
	}
	ctl->command = dunectl_find_command(argv[first]);
	if (!ctl->command) {
		dunectl_error("unknown verb '%s'", argv[first]);
		return dunectl_usage(ctl);
	}
	return run(ctl, argc - first, argv + first);
}

int main(int argc, char **argv)
{
	struct dunectl ctl = { 0 };
	int status, r;

	if (argc < 1)
		return STATUS_USAGE;
	output_init(&ctl.output);
	status = dispatch(&ctl, argc, argv);
	r = output_finish();
	if (r < 0) {
		dunectl_error("cannot write the result: %s", strerror(-r));
		if (status == 0)
			status = EXIT_FAILURE;
	}
	return status;
}
