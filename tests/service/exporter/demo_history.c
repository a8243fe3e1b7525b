// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Documents for tests of the page, made by the real history from made-up samples: an hour of two kinds of
 * load, with what can go wrong named by the argument. The same output every time but for the clock.
 *
 * Usage: demo_history busy|gap|start|quiet|down|nomodule|uncounted|full|markup
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "duned/exporter/history.h"

#define REASON_EXCEPTION 0
#define REASON_INTERRUPT 1
#define REASON_WINDOW	 7
#define REASON_CPUID	 10
#define REASON_VMCALL	 18
#define REASON_CR	 28
#define REASON_MSR	 31
#define REASON_EPT	 48
#define REASON_TIMER	 52
#define REASON_XSETBV	 55

static const struct {
	unsigned int reason;
	double rate; /* per running context and second */
	double period_s, phase;
} loads[] = {
	{ REASON_EPT, 52, 1900, 0.3 },	   { REASON_VMCALL, 38, 1400, 1.9 },
	{ REASON_INTERRUPT, 21, 5000, 0 }, { REASON_CPUID, 9, 800, 2.5 },
	{ REASON_TIMER, 12, 2400, 4 },	   { REASON_EXCEPTION, 6, 700, 1 },
	{ REASON_WINDOW, 2.5, 1000, 0.5 }, { REASON_MSR, 1.2, 900, 3 },
	{ REASON_CR, 0.7, 600, 0 },	   { REASON_XSETBV, 0.3, 1200, 1.1 },
};

static unsigned int seed = 1;

/* 0 to 1, the same sequence everywhere. */
static double chance(void)
{
	seed = seed * 1103515245u + 12345u;
	return (double)(seed >> 16 & 0x7fff) / 0x7fff;
}

/* A daily job between the 20th and the 35th minute, over a steady few. */
static uint64_t running_at(int second)
{
	double job = second > 1200 && second < 2100 ? 9 * sin((second - 1200) / 900. * M_PI) : 0;

	return (uint64_t)(7 + 2 * sin(second / 500.) + job);
}

static void advance(struct sample *sample, int second, const char *kind)
{
	uint64_t running = running_at(second);

	if (strcmp(kind, "quiet") == 0)
		return;
	for (size_t i = 0; i < sizeof(loads) / sizeof(loads[0]); i++) {
		double wave =
			1 + 0.45 * sin(second * 2 * M_PI / loads[i].period_s + loads[i].phase);
		double noise = 0.92 + 0.16 * chance();

		sample->exits[loads[i].reason] +=
			(uint64_t)(loads[i].rate * wave * noise * (double)running * HISTORY_STEP_S);
	}
	sample->states[DUNE_STATE_RUNNING] = running;
	sample->states[DUNE_STATE_NEW] = second % 300 < 40;
	sample->states[DUNE_STATE_ATTACHED] = second % 420 < 60;
	sample->states[DUNE_STATE_ENDED] = second > 2000 && second < 2500 ? 2 : 0;
	sample->contexts = running + sample->states[DUNE_STATE_NEW] +
			   sample->states[DUNE_STATE_ATTACHED] + sample->states[DUNE_STATE_ENDED];
	sample->vcpus = running + sample->states[DUNE_STATE_ATTACHED];
	sample->created += second % 40 == 0;
	sample->ends[DUNE_END_EXIT] += second % 40 == 0;
	sample->ends[DUNE_END_KILL] += second % 600 == 0;
	sample->ends[DUNE_END_PANIC] += second == 2700;
	sample->refused += second > 1500 && second < 1800 ? 3 : 0;
	sample->counters[DUNE_COUNT_LIMIT_HITS] += second % 900 == 300 ? 14 : 0;
	snprintf(sample->errors.rows[0].name, SAMPLE_MAX_NAME, "QuotaExceeded");
	snprintf(sample->errors.rows[1].name, SAMPLE_MAX_NAME, "InvalidName");
	sample->errors.nr = 2;
	sample->errors.rows[0].value += second > 2400 && second < 3000 ? second % 30 / 10 : 0;
	sample->ept_pages = 300 + running * 210;
	sample->private_pages = running * 37;
	sample->run_pages = sample->vcpus * 2;
	sample->vmcs_pages = sample->vcpus;
}

static void set_known(struct sample *sample, const char *kind)
{
	bool full = strcmp(kind, "full") == 0;

	sample->up = sample->module = sample->counted = sample->has_states = true;
	snprintf(sample->service_version, SAMPLE_MAX_TEXT, "0.1.0");
	snprintf(sample->module_version, SAMPLE_MAX_TEXT, "0.1.0");
	snprintf(sample->vmx_holder, SAMPLE_MAX_TEXT, "kvm");
	sample->abi = DUNE_ABI_VERSION;
	sample->quotas[DUNE_LIMIT_CONTEXTS] =
		(struct sample_quota){ true, sample->contexts, full ? sample->contexts : 1024 };
	sample->quotas[DUNE_LIMIT_VCPUS] =
		(struct sample_quota){ true, sample->contexts * 64, full ? 510 : 4096 };
	sample->quotas[DUNE_LIMIT_PRIVATE] =
		(struct sample_quota){ true, sample->contexts * 4096, 262144 };
	sample->quotas[DUNE_LIMIT_EPT] =
		(struct sample_quota){ true, sample->contexts * 16384, 1048576 };
}

static void add(struct history *history, const struct sample *sample, int second, const char *kind)
{
	struct sample shown = *sample;

	if (strcmp(kind, "gap") == 0 && second > 1000 && second < 1500)
		sample_set_down(&shown, "duned is not running (No such file or directory)");
	history_add(history, &shown);
}

/* How things stand at the end. */
static void finish(struct sample *sample, const char *kind)
{
	if (strcmp(kind, "down") == 0)
		sample_set_down(sample, "duned is not running (No such file or directory)");
	if (strcmp(kind, "nomodule") == 0) {
		sample_set_down(sample, "duned can't use the kernel module (ENOENT)");
		sample->up = true;
		snprintf(sample->service_version, SAMPLE_MAX_TEXT, "0.1.0");
	}
	if (strcmp(kind, "uncounted") == 0) {
		sample->counted = sample->has_states = false;
		memset(sample->exits, 0, sizeof(sample->exits));
		memset(sample->ends, 0, sizeof(sample->ends));
		snprintf(sample->problem, SAMPLE_MAX_PROBLEM,
			 "no counters: the service does not have the method "
			 "io.dune.Manager.Totals");
	}
	if (strcmp(kind, "markup") == 0)
		snprintf(sample->service_version, SAMPLE_MAX_TEXT,
			 "<img src=x onerror=alert(1)>\"'&");
}

int main(int argc, char **argv)
{
	const char *kind = argc > 1 ? argv[1] : "busy";
	int seconds = strcmp(kind, "start") == 0 ? 0 : 3600;
	struct sample *sample = calloc(1, sizeof(*sample));
	struct history *history;
	char *text;
	size_t size;

	if (!sample || history_new(&history) < 0)
		return 1;
	for (int second = 0; second <= seconds; second += HISTORY_STEP_S) {
		sample->time_ms = ((int64_t)time(NULL) - seconds + second) * 1000;
		sample->clock_usec = (uint64_t)(second + 1) * 1000000;
		advance(sample, second, kind);
		set_known(sample, kind);
		if (second == seconds)
			finish(sample, kind);
		add(history, sample, second, kind);
	}
	if (history_json(history, sample, &text, &size) < 0)
		return 1;
	puts(text);
	free(text);
	history_free(history);
	free(sample);
	return 0;
}
