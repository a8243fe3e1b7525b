// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The methods on any sequence of calls, against the device made of paper: every call gets an answer that
 * can be encoded and passes the codec's own checks, a stranger never sees a context, and an observer
 * changes none.
 */
#include <json-c/json.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "duned/config.h"
#include "duned/context.h"
#include "duned/manager.h"
#include "duned/methods.h"
#include "proto/varlink.h"
#include "tests/fuzz/answer.h"
#include "tests/fuzz/require.h"

#define KEPT  4 /* contexts kept alive by a "client" */
#define OWNER 1000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void keep(int *kept, int fd)
{
	static unsigned int next;

	if (kept[next % KEPT] >= 0)
		close(kept[next % KEPT]);
	/* A context that runs, one that is new, one that faulted. */
	if (next % 3)
		require(write(fd, "rp", next % 3) > 0);
	kept[next++ % KEPT] = fd;
}

/* What others could do to the owner's contexts, as one number. */
static uint64_t state_of_all(struct manager *manager)
{
	struct context_list list;
	uint64_t sum = manager->generation;

	require(context_list_read(&manager->device, &list) == 0);
	for (size_t i = 0; i < list.count; i++) {
		const struct dune_stats *stats = &list.entries[i];

		if (stats->owner != OWNER)
			continue;
		sum = (sum + stats->id) * 31 + stats->state;
		for (unsigned int limit = 0; limit < DUNE_NR_LIMITS; limit++)
			sum = sum * 31 + stats->limits[limit];
	}
	context_list_done(&list);
	return sum;
}

/* Names are looked up for those who see all; without a loop that is done already. */
static void finish_job(struct manager *manager, const struct peer *peer, struct varlink_call *call,
		       struct answer *answer)
{
	struct job *job = answer->job;

	if (!job)
		return;
	require(peer->observer && job_finished(job) &&
		methods_finish(manager, peer, call, job, answer) == 0);
	job_release(job);
}

static void call_one(struct manager *manager, const char *message, size_t size, int *kept)
{
	static const struct peer peers[] = {
		{ .uid = 4000, .identified = true }, /* a stranger */
		{ .uid = 4001, .identified = true, .observer = true },
		{ .uid = OWNER, .identified = true },
		{ .uid = OWNER, .identified = true },
	};
	const struct peer *peer = &peers[size % 4];
	struct varlink_call call;
	struct answer answer;
	uint64_t before;
	char *bytes;

	if (varlink_call_decode(message, size, &call, NULL) < 0)
		return;
	before = peer->observer ? state_of_all(manager) : 0;
	require(methods_answer(manager, peer, &call, &answer) == 0);
	finish_job(manager, peer, &call, &answer);
	bytes = answer_check(&answer, peer);
	if (peer == &peers[0])
		require(!strstr(bytes, "\"owner\":1000"));
	if (peer->observer)
		require(state_of_all(manager) == before);
	free(bytes);
	if (answer.fd >= 0) {
		keep(kept, answer.fd);
		answer.fd = -1;
	}
	answer_done(&answer);
	varlink_call_done(&call);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct varlink_input input = { .max_bytes = VARLINK_MAX_CALL };
	int kept[KEPT] = { -1, -1, -1, -1 };
	static struct manager manager;
	struct config config;
	const char *message;
	size_t length;

	if (!manager.device.path) {
		config_defaults(&config);
		require(manager_init(&manager, NULL, &config, "fake") == 0);
		require(manager_device(&manager) == 0);
	}
	require(varlink_input_feed(&input, data, size) == 0);
	while (varlink_input_take(&input, &message, &length) == 1)
		call_one(&manager, message, length, kept);
	varlink_input_done(&input);
	for (int i = 0; i < KEPT; i++) {
		if (kept[i] >= 0)
			close(kept[i]);
	}
	return 0;
}
