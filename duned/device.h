/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * /dev/dune: the only part that opens it. Every function is one call of the module; must never cache
 * what that says about contexts.
 */
#ifndef DUNED_DEVICE_H
#define DUNED_DEVICE_H

#include <stddef.h>
#include <stdint.h>

#include "proto/dune_abi.h"

#define DEVICE_PATH "/dev/dune"
#define KVM_PATH    "/dev/kvm"
#define KVM_MODULE  "/sys/module/kvm_intel"

struct device {
	const char *path;
	int fd;			/* -1 while it can't be used */
	uint32_t abi;		/* what the module speaks; 0 when not known */
};

void device_init(struct device *device, const char *path);
void device_done(struct device *device);

/*
 * Opens the device unless it is open. 0; -EPROTONOSUPPORT when the module speaks another ABI
 * version (device->abi tells which, 0 for one too different to ask); else -errno of open.
 */
int device_ready(struct device *device);

int device_info(struct device *device, struct dune_info *ret_info);

/* What a new context is to be. */
struct device_creation {
	uint32_t owner;
	uint64_t limits[DUNE_NR_LIMITS];
	char name[DUNE_NAME_MAX];
	struct dune_labels labels;
};

/* The context's descriptor goes to the caller. -ERANGE, -EDQUOT, -ENOSPC, -ENOMEM, ... */
int device_create(struct device *device, const struct device_creation *creation, int *ret_fd,
		  uint64_t *ret_id);

/* Contexts with ids above after_id, ascending; returns how many, fewer than capacity at the end. */
int device_stats(struct device *device, uint64_t after_id, struct dune_stats *buffer,
		 uint32_t capacity);

/* Sums over all contexts that there ever were. */
int device_totals(struct device *device, struct dune_totals *ret_totals);

/* 0 is the host's ceiling. -ENOENT, -ERANGE. */
int device_set_limits(struct device *device, uint64_t id, const uint64_t limits[DUNE_NR_LIMITS]);

int device_report(struct device *device, uint64_t id, struct dune_report *ret_report);
int device_kill(struct device *device, uint64_t id);

/* Reads what events there are, up to capacity; returns how many, 0 for none. */
int device_events(struct device *device, struct dune_event *buffer, size_t capacity);

#endif
