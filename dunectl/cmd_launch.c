// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * dunectl launch: a program in a new context. The exit status is the program's; what is this command's own
 * doing is 125 to 127. Keeps the context's descriptor until the program ended, so that how it ended can
 * still be asked for.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dunectl/dunectl.h"
#include "dunectl/program.h"
#include "dunectl/scope.h"

#define PAGE_BYTES 4096

static struct launch_options {
	const char *name;
	struct dune_client_limits limits;
	struct scope scope;
} options;

static void string_free(char **string)
{
	free(*string);
}
#define STRING_CLEANUP __attribute__((cleanup(string_free)))

static int set_name(struct dunectl *ctl, const char *value)
{
	options.name = value;
	return 0;
}

/* One "key=value" of --limit. */
static int set_one_limit(const char *key, const char *value)
{
	uint64_t number;
	int r;

	if (strcmp(key, "vcpus") == 0) {
		r = parse_u64(value, &number);
		if (r == 0 && number > 0)
			options.limits.vcpus = number;
	} else if (strcmp(key, "private") == 0) {
		r = parse_size(value, &number);
		if (r == 0 && number > 0)
			options.limits.private_pages =
				number / PAGE_BYTES + (number % PAGE_BYTES != 0);
	} else {
		dunectl_error("--limit knows vcpus and private, not '%s'", key);
		return -EINVAL;
	}
	if (r < 0 || number == 0) {
		dunectl_error("--limit: '%s' is not a right value for %s", value, key);
		return -EINVAL;
	}
	return 0;
}

static int set_limit(struct dunectl *ctl, const char *value)
{
	STRING_CLEANUP char *copy = strdup(value);
	char *rest = copy, *item, *equals;
	int r;

	if (!copy)
		return -ENOMEM;
	while ((item = strsep(&rest, ","))) {
		equals = strchr(item, '=');
		if (!equals) {
			dunectl_error("--limit needs vcpus=N or private=SIZE, not '%s'", item);
			return -EINVAL;
		}
		*equals = '\0';
		r = set_one_limit(item, equals + 1);
		if (r < 0)
			return r;
	}
	return 0;
}

static int set_scope(struct dunectl *ctl, const char *value)
{
	options.scope.wanted = true;
	return 0;
}

static int set_slice(struct dunectl *ctl, const char *value)
{
	if (!value[0] || strlen(value) > SCOPE_SLICE_MAX) {
		dunectl_error("--slice needs the name of a slice, of 1 to %d characters",
			      SCOPE_SLICE_MAX);
		return -EINVAL;
	}
	options.scope.wanted = true;
	options.scope.slice = value;
	return 0;
}

static int set_scope_property(struct dunectl *ctl, const char *value)
{
	struct scope *scope = &options.scope;
	const char *wanted;
	int r;

	if (scope->nr_properties == SCOPE_PROPERTIES_MAX) {
		dunectl_error("--scope-property: at most %d of them", SCOPE_PROPERTIES_MAX);
		return -EINVAL;
	}
	r = scope_property_parse(value, &scope->properties[scope->nr_properties], &wanted);
	if (r == -ENOENT)
		dunectl_error("--scope-property: no property '%.*s' of scopes is known",
			      (int)strcspn(value, "="), value);
	else if (r < 0)
		dunectl_error("--scope-property: %.*s needs =VALUE: %s", (int)strcspn(value, "="),
			      value, wanted);
	if (r < 0)
		return -EINVAL;
	scope->nr_properties++;
	scope->wanted = true;
	return 0;
}

static const struct dunectl_option option_rows[] = {
	{ "name", 0, "NAME", false, "name of the context (default: made up)", set_name },
	{ "limit", 0, "LIMITS", false, "vcpus=N,private=SIZE: at most the maximum of info",
	  set_limit },
	{ "scope", 0, NULL, false, "in a transient scope of systemd, in " SCOPE_SLICE, set_scope },
	{ "slice", 0, "SLICE", false, "the scope's slice; implies --scope", set_slice },
	{ "scope-property", 0, "NAME=VALUE", false,
	  "a property of the scope, such as MemoryMax=1G; implies --scope", set_scope_property },
	{ 0 },
};

static int find(struct dunectl *ctl, const char *command, char **ret_path, char **ret_loader)
{
	int r;

	r = program_find(command, ret_path);
	if (r == -EACCES) {
		dunectl_error("%s: not an executable file", command);
		return STATUS_NOT_EXECUTABLE;
	}
	if (r < 0) {
		dunectl_error("%s: %s", command, r == -ENOENT ? "command not found" : strerror(-r));
		return STATUS_NOT_FOUND;
	}
	r = program_find_loader(ret_loader);
	if (r < 0) {
		dunectl_error("no executable dune-exec at %s", *ret_loader ? *ret_loader : "?");
		dunectl_hint(ctl, "install all of Dune, or set DUNE_EXEC to the path of dune-exec");
		return STATUS_LAUNCH;
	}
	return 0;
}

/* Before the context is made, so that the service, too, finds this process in the scope. */
static int enter_scope(struct dunectl *ctl, const char *command)
{
	char reason[SCOPE_REASON_MAX] = "";
	int r;

	if (!options.scope.wanted)
		return 0;
	r = scope_enter(&options.scope, command, ctl->timeout_ms, reason);
	if (r == 0)
		return 0;
	dunectl_error("cannot make a scope: %s", reason);
	if (r == -ENOTCONN)
		dunectl_hint(ctl, geteuid() == 0 ? "scopes need systemd and D-Bus on this host" :
						   "log in anew, or: loginctl enable-linger; then "
						   "XDG_RUNTIME_DIR=/run/user/$(id -u)");
	return STATUS_LAUNCH;
}

static int create(struct dunectl *ctl, uint64_t *ret_id, int *ret_fd)
{
	CLIENT_CLEANUP struct dune_client *client = NULL;
	int r;

	r = dunectl_connect(ctl, &client);
	if (r)
		return STATUS_LAUNCH;
	r = dune_client_create(client, options.name, &options.limits, ret_id, ret_fd);
	if (r < 0) {
		dunectl_fail(ctl, client, r, "create a context");
		return STATUS_LAUNCH;
	}
	return 0;
}

static void print_fault(const struct dune_client_context *context,
			const struct dune_client_report *report)
{
	const struct dune_client_registers *registers = &report->registers;

	dunectl_error("context %" PRIu64 " (%s) ended by a guest fault: %s: %s; exit %s, cpl %u, "
		      "vector %u, error %#" PRIx64 ", rip %#" PRIx64 ", rsp %#" PRIx64
		      ", rflags %#" PRIx64 ", cr2 %#" PRIx64 ", cr3 %#" PRIx64 ", address %#" PRIx64
		      ", physical %#" PRIx64,
		      context->id, context->name, report->cause,
		      dune_client_cause_text(report->cause), report->exit_reason, report->cpl,
		      report->vector, report->error_code, registers->rip, registers->rsp,
		      registers->rflags, registers->cr2, registers->cr3, report->guest_linear,
		      report->guest_physical);
}

/*
 * A program that a signal ended: was it the module, because of the guest? Silent when it was not, and
 * when that can't be asked, unless the signal is the one that the module sends.
 */
static void report_fault(struct dunectl *ctl, uint64_t id, int signal_number)
{
	CLIENT_CLEANUP struct dune_client *client = NULL;
	struct dune_client_inspection *inspection;
	int r;

	r = dune_client_new(ctl->socket, &client);
	if (r == 0) {
		dune_client_set_timeout(client, ctl->timeout_ms);
		r = dune_client_inspect(client, id, NULL, &inspection);
	}
	if (r < 0) {
		if (signal_number == SIGKILL)
			dunectl_fail(ctl, client, r, "ask how the context ended");
		return;
	}
	if (inspection->report) {
		print_fault(inspection->context, inspection->report);
		dunectl_hint(ctl, "the kernel log has the same under dune: dmesg");
	}
	dune_client_inspection_free(inspection);
}

/*
 * The exit status for a program that a signal ended. SIGINT ends this process likewise, which a shell
 * shows as the same 130, and which tells it to end a script or loop around it as well.
 */
static int signal_status(int signal_number)
{
	if (signal_number == SIGINT) {
		signal(SIGINT, SIG_DFL);
		raise(SIGINT);
	}
	return STATUS_SIGNAL + signal_number;
}

static int launch_run(struct dunectl *ctl, int argc, char **argv)
{
	STRING_CLEANUP char *path = NULL, *loader = NULL;
	int context_fd, status, r;
	char number[16], **arguments;
	uint64_t id;

	r = find(ctl, argv[0], &path, &loader);
	if (r)
		return r;
	r = enter_scope(ctl, argv[0]);
	if (r)
		return r;
	r = create(ctl, &id, &context_fd);
	if (r)
		return r;
	arguments = calloc((size_t)argc + 4, sizeof(*arguments));
	if (!arguments) {
		dunectl_error("out of memory");
		return STATUS_LAUNCH;
	}
	snprintf(number, sizeof(number), "%d", context_fd);
	arguments[0] = loader;
	arguments[1] = number;
	arguments[2] = path;
	memcpy(arguments + 3, argv, (size_t)argc * sizeof(*argv));
	r = program_run(loader, arguments, context_fd, &status);
	free(arguments);
	if (r < 0) {
		dunectl_error("cannot start the program: %s", strerror(-r));
		return STATUS_LAUNCH;
	}
	if (WIFSIGNALED(status))
		report_fault(ctl, id, WTERMSIG(status));
	close(context_fd);
	return WIFSIGNALED(status) ? signal_status(WTERMSIG(status)) : WEXITSTATUS(status);
}

const struct dunectl_command command_launch = {
	.name = "launch",
	.arguments = "[--] CMD [ARGS]",
	.summary = "Run a program in a new context",
	.options = option_rows,
	.min_arguments = 1,
	.max_arguments = -1,
	.program_follows = true,
	.usage_status = STATUS_LAUNCH,
	.run = launch_run,
};
