// SPDX-License-Identifier: LGPL-2.1-or-later
/* The ioctls of /dev/dune; see device.h. */
#include "duned/device.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

void device_init(struct device *device, const char *path)
{
	*device = (struct device){ .path = path, .fd = -1 };
}

void device_done(struct device *device)
{
	if (device->fd >= 0)
		close(device->fd);
	device->fd = -1;
}

static int device_call(int fd, unsigned long request, void *argument)
{
	int r;

	do {
		r = ioctl(fd, request, argument);
	} while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

/* -EPROTONOSUPPORT for a module of another version, or for something that is no module. */
static int device_verify(int fd, uint32_t *ret_abi)
{
	struct dune_info info = { .abi = DUNE_ABI_VERSION };
	int r = device_call(fd, DUNE_INFO, &info);

	*ret_abi = 0;
	if (r == -ENOTTY || r == -EINVAL)
		return -EPROTONOSUPPORT;
	if (r < 0 && r != -EPROTONOSUPPORT)
		return r;
	*ret_abi = info.abi;
	return info.abi == DUNE_ABI_VERSION ? r : -EPROTONOSUPPORT;
}

int device_ready(struct device *device)
{
	int fd, r;

	if (device->fd >= 0)
		return 0;
	fd = open(device->path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	r = device_verify(fd, &device->abi);
	if (r < 0) {
		close(fd);
		return r;
	}
	device->fd = fd;
	return 0;
}

int device_info(struct device *device, struct dune_info *ret_info)
{
	struct dune_info info = { .abi = DUNE_ABI_VERSION };
	int r = device_call(device->fd, DUNE_INFO, &info);

	if (r < 0)
		return r;
	info.version[sizeof(info.version) - 1] = '\0';
	*ret_info = info;
	return 0;
}

/*
 * KVM has to hold VMX, where it is, or its machines couldn't run beside contexts: the first context comes with
 * a KVM machine that is never run, and that the module keeps. Its descriptor, or 0: without KVM the module turns
 * VMX on itself.
 */
static int kvm_machine(const struct device *device)
{
	struct dune_info info = { .abi = DUNE_ABI_VERSION };
	int kvm, machine;

	if (device_call(device->fd, DUNE_INFO, &info) < 0 || info.vmx_holder != DUNE_VMX_OFF)
		return 0;
	/* Where KVM is not loaded, opening its node would load half of it. */
	if (access(KVM_MODULE, F_OK) < 0)
		return 0;
	kvm = open(KVM_PATH, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (kvm < 0)
		return 0;
	machine = ioctl(kvm, KVM_CREATE_VM, 0);
	close(kvm);
	return machine > 0 ? machine : 0;
}

int device_create(struct device *device, const struct device_creation *creation, int *ret_fd,
		  uint64_t *ret_id)
{
	struct dune_create create = {
		.abi = DUNE_ABI_VERSION,
		.owner = creation->owner,
		.ret_fd = -1,
		.labels = creation->labels,
	};
	int machine = kvm_machine(device), r;

	for (int i = 0; i < DUNE_NR_LIMITS; i++)
		create.limits[i] = creation->limits[i];
	memcpy(create.name, creation->name, sizeof(create.name));
	create.kvm_fd = (uint32_t)machine;
	r = device_call(device->fd, DUNE_CREATE, &create);
	if (machine) {
		close(machine);
		/* Not one that the module can use: by itself, then. */
		create.kvm_fd = 0;
		if (r == -EINVAL)
			r = device_call(device->fd, DUNE_CREATE, &create);
	}
	if (r < 0)
		return r;
	*ret_fd = create.ret_fd;
	*ret_id = create.ret_id;
	return 0;
}

int device_stats(struct device *device, uint64_t after_id, struct dune_stats *buffer,
		 uint32_t capacity)
{
	struct dune_stats_call call = {
		.abi = DUNE_ABI_VERSION,
		.after_id = after_id,
		.buffer = (uintptr_t)buffer,
		.capacity = capacity,
	};
	int r = device_call(device->fd, DUNE_STATS, &call);

	if (r < 0)
		return r;
	if (call.ret_count > capacity)
		return -EIO;
	for (uint32_t i = 0; i < call.ret_count; i++) {
		buffer[i].name[sizeof(buffer[i].name) - 1] = '\0';
		buffer[i].comm[sizeof(buffer[i].comm) - 1] = '\0';
		buffer[i].labels.cgroup[sizeof(buffer[i].labels.cgroup) - 1] = '\0';
	}
	return (int)call.ret_count;
}

int device_totals(struct device *device, struct dune_totals *ret_totals)
{
	struct dune_totals totals;
	struct dune_totals_call call = { .abi = DUNE_ABI_VERSION, .buffer = (uintptr_t)&totals };
	int r = device_call(device->fd, DUNE_TOTALS, &call);

	if (r < 0)
		return r;
	*ret_totals = totals;
	return 0;
}

int device_set_limits(struct device *device, uint64_t id, const uint64_t limits[DUNE_NR_LIMITS])
{
	struct dune_set_limits call = { .abi = DUNE_ABI_VERSION, .id = id };

	for (int i = 0; i < DUNE_NR_LIMITS; i++)
		call.limits[i] = limits[i];
	return device_call(device->fd, DUNE_SET_LIMITS, &call);
}

int device_report(struct device *device, uint64_t id, struct dune_report *ret_report)
{
	struct dune_report report = { .abi = DUNE_ABI_VERSION, .id = id };
	int r = device_call(device->fd, DUNE_REPORT, &report);

	if (r < 0)
		return r;
	*ret_report = report;
	return 0;
}

int device_kill(struct device *device, uint64_t id)
{
	struct dune_kill call = { .abi = DUNE_ABI_VERSION, .id = id };

	return device_call(device->fd, DUNE_KILL, &call);
}

int device_events(struct device *device, struct dune_event *buffer, size_t capacity)
{
	ssize_t n = read(device->fd, buffer, capacity * sizeof(*buffer));

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	for (size_t i = 0; i < (size_t)n / sizeof(*buffer); i++)
		buffer[i].name[sizeof(buffer[i].name) - 1] = '\0';
	return (int)((size_t)n / sizeof(*buffer));
}
