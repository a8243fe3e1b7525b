// SPDX-License-Identifier: LGPL-2.1-or-later
/* The thread for what may block: in which order it does what waits for it. */
#include <check.h>
#include <ev.h>
#include <semaphore.h>
#include <string.h>

#include "duned/worker.h"
#include "tests/unit/suite.h"

struct named_job {
	struct job job;
	char name;
};

static sem_t begun, go_on;
static char worked[32], finished[32]; /* names in order; of the worker, of the loop */

static void append(char *text, char name)
{
	text[strlen(text)] = name;
}

/* The first one lasts. */
static void work(struct job *job)
{
	if (!worked[0]) {
		sem_post(&begun);
		sem_wait(&go_on);
	}
	append(worked, ((struct named_job *)job)->name);
}

static void done(struct job *job)
{
	append(finished, ((struct named_job *)job)->name);
}

static void release(struct job *job)
{
}

static const struct job_kind kind = { .work = work, .done = done, .free = release };

/* Small letters are onlookers', capital ones administrators', the digit is the service's own. */
static void submit(struct worker *worker, struct named_job *job, char name)
{
	*job = (struct named_job){ .name = name };
	job->job.kind = &kind;
	job->job.of_onlooker = name >= 'a';
	job->job.of_service = name < 'A';
	ck_assert_int_eq(worker_submit(worker, &job->job), 0);
	job_release(&job->job);
}

START_TEST(onlookers_come_last)
{
	static const struct {
		const char *submitted, *order;
	} rows[] = {
		{ "abAcB1d", "aAB1bcd" },
		{ "AabB", "ABab" },
		{ "abc", "abc" },
		{ "ABC", "ABC" },
	};
	struct named_job jobs[16];
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
	struct worker *worker = worker_new(loop);
	const char *name = rows[_i].submitted;

	ck_assert_ptr_nonnull(worker);
	sem_init(&begun, 0, 0);
	sem_init(&go_on, 0, 0);
	submit(worker, &jobs[0], *name);
	sem_wait(&begun);
	for (int i = 1; name[i]; i++)
		submit(worker, &jobs[i], name[i]);
	sem_post(&go_on);
	/* The end waits for all that was queued. */
	ck_assert(worker_free(worker));
	ck_assert_str_eq(worked, rows[_i].order);
	ck_assert_str_eq(finished, rows[_i].order);
	ev_loop_destroy(loop);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("worker");
	TCase *tests = tcase_create("worker");

	tcase_set_timeout(tests, 30);
	tcase_add_loop_test(tests, onlookers_come_last, 0, 4);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
