// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * duned/device.h without a module, for tests of the service. The contexts are fake_table.c's, in this process or,
 * so that they outlive the service, in one of their own (fake_module.c).
 *
 * Device paths: "fake"; "fake:absent" can't be opened; "fake:abi" speaks version 9; "fake:module=SOCKET" is the
 * table of the process that listens there; others see fake_table.h.
 */
#include "duned/device.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/unit/fake_module.h"
#include "tests/unit/fake_table.h"

#define MODULE_PREFIX "fake:module="

static int module = -1;	/* the connection; -1: the table is in this process */

void device_init(struct device *device, const char *path)
{
	*device = (struct device){ .path = path, .fd = -1 };
}

void device_done(struct device *device)
{
	if (device->fd >= 0)
		close(device->fd);
	device->fd = -1;
	if (module >= 0)
		close(module);
	module = -1;
}

/* ---- the table of another process ---- */

static int receive_all(void *bytes, size_t size, int *ret_fd)
{
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
	struct iovec vector = { bytes, size };
	struct msghdr message = {
		.msg_iov = &vector,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(module, &message, MSG_CMSG_CLOEXEC | MSG_WAITALL);

	if (n != (ssize_t)size)
		return n < 0 ? -errno : -EIO;
	if (ret_fd && CMSG_FIRSTHDR(&message))
		memcpy(ret_fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
	return 0;
}

/* What the call returned there; its payload is `size` bytes at most. */
static int module_call(const struct fake_call *call, void *payload, size_t size, int *ret_fd)
{
	struct fake_answer answer;
	int r;

	if (send(module, call, sizeof(*call), MSG_NOSIGNAL) != sizeof(*call))
		return -EIO;
	r = receive_all(&answer, sizeof(answer), ret_fd);
	if (r < 0)
		return r;
	if (answer.size > size)
		return -EIO;
	r = answer.size ? receive_all(payload, answer.size, NULL) : 0;
	return r < 0 ? r : answer.result;
}

static int module_open(const char *path, int *ret_fd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const struct fake_call call = { .operation = FAKE_OPEN };
	int r;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	module = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (module < 0)
		return -errno;
	r = connect(module, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
	if (!r)
		r = module_call(&call, NULL, 0, ret_fd);
	if (r < 0) {
		close(module);
		module = -1;
	}
	return r;
}

/* ---- duned/device.h ---- */

int device_ready(struct device *device)
{
	size_t prefix = strlen(MODULE_PREFIX);
	int r, fd;

	if (!strcmp(device->path, "fake:absent"))
		return -ENOENT;
	if (!strcmp(device->path, "fake:abi")) {
		device->abi = 9;
		return -EPROTONOSUPPORT;
	}
	if (device->fd >= 0)
		return 0;
	if (!strncmp(device->path, MODULE_PREFIX, prefix))
		return module_open(device->path + prefix, &device->fd);
	r = fake_table_open(device->path, &fd);
	if (r < 0)
		return r;
	device->fd = dup(fd);
	return device->fd < 0 ? -errno : 0;
}

int device_info(struct device *device, struct dune_info *ret_info)
{
	const struct fake_call call = { .operation = FAKE_INFO };

	if (module >= 0)
		return module_call(&call, ret_info, sizeof(*ret_info), NULL);
	fake_table_info(ret_info);
	return 0;
}

int device_create(struct device *device, const struct device_creation *creation, int *ret_fd,
		  uint64_t *ret_id)
{
	const struct fake_call call = { .operation = FAKE_CREATE, .creation = *creation };

	if (module >= 0)
		return module_call(&call, ret_id, sizeof(*ret_id), ret_fd);
	return fake_table_create(creation, ret_fd, ret_id);
}

int device_stats(struct device *device, uint64_t after_id, struct dune_stats *buffer,
		 uint32_t capacity)
{
	const struct fake_call call = {
		.operation = FAKE_STATS,
		.id = after_id,
		.capacity = capacity,
	};

	if (module >= 0)
		return module_call(&call, buffer, capacity * sizeof(*buffer), NULL);
	return fake_table_stats(after_id, buffer, capacity);
}

int device_totals(struct device *device, struct dune_totals *ret_totals)
{
	const struct fake_call call = { .operation = FAKE_TOTALS };

	if (module >= 0)
		return module_call(&call, ret_totals, sizeof(*ret_totals), NULL);
	fake_table_totals(ret_totals);
	return 0;
}

int device_set_limits(struct device *device, uint64_t id, const uint64_t limits[DUNE_NR_LIMITS])
{
	struct fake_call call = { .operation = FAKE_SET_LIMITS, .id = id };

	if (module < 0)
		return fake_table_set_limits(id, limits);
	memcpy(call.creation.limits, limits, sizeof(call.creation.limits));
	return module_call(&call, NULL, 0, NULL);
}

int device_report(struct device *device, uint64_t id, struct dune_report *ret_report)
{
	const struct fake_call call = { .operation = FAKE_REPORT, .id = id };

	if (module >= 0)
		return module_call(&call, ret_report, sizeof(*ret_report), NULL);
	return fake_table_report(id, ret_report);
}

int device_kill(struct device *device, uint64_t id)
{
	const struct fake_call call = { .operation = FAKE_KILL, .id = id };

	return module >= 0 ? module_call(&call, NULL, 0, NULL) : fake_table_kill(id);
}

int device_events(struct device *device, struct dune_event *buffer, size_t capacity)
{
	const struct fake_call call = { .operation = FAKE_EVENTS_READ,
					.capacity = (uint32_t)capacity };

	if (module >= 0)
		return module_call(&call, buffer, capacity * sizeof(*buffer), NULL);
	return fake_table_events(buffer, capacity);
}
