// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * dunectl doctor: what this host lacks, and the command that mends it. Changes nothing itself.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dunectl/doctor.h"
#include "dunectl/dunectl.h"
#include "dunectl/json.h"

static const char *const state_names[] = {
	[DOCTOR_OK] = "ok",
	[DOCTOR_WARN] = "warn",
	[DOCTOR_FAIL] = "fail",
};

static const struct output_column columns[] = {
	{ "", "state", OUTPUT_STATE },
	{ "", "check", OUTPUT_TEXT },
	{ "", "detail", OUTPUT_TEXT },
};

/* Runs a table of checks; true when one of them failed. */
static bool run_checks(const struct doctor *doctor, const struct doctor_check *checks,
		       struct json_object *rows)
{
	bool failed = false;

	for (; checks->what; checks++) {
		struct doctor_finding finding = { 0 };
		struct json_object *row = json_new();

		checks->run(doctor, &finding);
		json_put_text(row, "state", state_names[finding.state]);
		json_put_text(row, "check", checks->what);
		json_put_text(row, "detail", finding.detail);
		json_put_text(row, "hint", finding.hint[0] ? finding.hint : NULL);
		json_append(rows, row);
		failed |= finding.state == DOCTOR_FAIL;
	}
	return failed;
}

/* Asks the service; a failure is a finding, not an error of this command. */
static struct dune_client_info *ask(const struct dunectl *ctl, struct doctor *doctor)
{
	CLIENT_CLEANUP struct dune_client *client = NULL;
	struct dune_client_info *info = NULL;
	int r;

	r = dune_client_new(ctl->socket, &client);
	if (r < 0) {
		snprintf(doctor->service_problem, sizeof(doctor->service_problem), "%s",
			 strerror(-r));
		return NULL;
	}
	dune_client_set_timeout(client, ctl->timeout_ms);
	if (dune_client_info(client, &info) < 0) {
		snprintf(doctor->service_problem, sizeof(doctor->service_problem), "%s",
			 dune_client_error_text(client));
		return NULL;
	}
	return info;
}

static void print_hints(struct json_object *rows)
{
	for (size_t i = 0; i < json_object_array_length(rows); i++) {
		struct json_object *row = json_object_array_get_idx(rows, i), *hint;

		hint = json_object_object_get(row, "hint");
		if (hint)
			printf("hint: %s: %s\n",
			       json_object_get_string(json_object_object_get(row, "check")),
			       json_object_get_string(hint));
	}
}

static int doctor_run(struct dunectl *ctl, int argc, char **argv)
{
	JSON_CLEANUP struct json_object *rows = json_new_array();
	struct doctor doctor = { .ctl = ctl, .root = "" };
	struct dune_client_info *info = ask(ctl, &doctor);
	bool failed;

	doctor.info = info;
	failed = run_checks(&doctor, doctor_cpu_checks, rows);
	failed |= run_checks(&doctor, doctor_kernel_checks, rows);
	failed |= run_checks(&doctor, doctor_host_checks, rows);
	failed |= run_checks(&doctor, doctor_service_checks, rows);
	dune_client_info_free(info);
	if (!output_as_json(&ctl->output, rows)) {
		ctl->output.no_legend = true;
		output_table(&ctl->output, columns, sizeof(columns) / sizeof(columns[0]), rows,
			     NULL);
		if (!ctl->output.quiet)
			print_hints(rows);
	}
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

const struct dunectl_command command_doctor = {
	.name = "doctor",
	.arguments = "",
	.summary = "Say what this host lacks for contexts, and what mends it",
	.run = doctor_run,
};
