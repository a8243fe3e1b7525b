// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The methods on any sequence of calls, against the device made of paper: every call gets an answer that
 * can be encoded and passes the codec's own checks, and a stranger never sees a context.
 */
#include <json-c/json.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "duned/config.h"
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

static void call_one(struct manager *manager, const char *message, size_t size, int *kept)
{
	const struct peer stranger = { .uid = 4000, .identified = true };
	const struct peer owner = { .uid = OWNER, .identified = true };
	const struct peer *peer = size % 4 ? &owner : &stranger;
	struct varlink_call call;
	struct answer answer;
	char *bytes;

	if (varlink_call_decode(message, size, &call, NULL) < 0)
		return;
	require(methods_answer(manager, peer, &call, &answer) == 0);
	/* Only what administrators ask takes its time. */
	require(!answer.job);
	bytes = answer_check(&answer);
	if (peer == &stranger)
		require(!strstr(bytes, "\"owner\":1000"));
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
