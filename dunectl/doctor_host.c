// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The doctor on the host: module, device, service user, KVM, dune-exec, and settings of the kernel that
 * stand in the way.
 */
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include <dune/dune_abi.h>

#include "dunectl/doctor.h"
#include "dunectl/program.h"

#ifndef PR_GET_MDWE
#define PR_GET_MDWE 66 /* Linux 6.3 */
#endif

#define SERVICE_USER "duned"
#define DEVICE	     "/dev/dune"
#define KVM_DEVICE   "/dev/kvm"
#define NR_GROUPS    64 /* of the service user */

static bool exists(const struct doctor *doctor, const char *path)
{
	struct stat status;
	char full[4096];

	return doctor_path(doctor, path, full, sizeof(full)) == 0 && stat(full, &status) == 0;
}

/* A line of modules.dep names the module when it is installed for this kernel. */
static bool is_installed(const struct doctor *doctor, const char *release)
{
	char path[512], full[4096], *line = NULL;
	bool found = false;
	size_t size = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/lib/modules/%s/modules.dep", release);
	if (doctor_path(doctor, path, full, sizeof(full)) < 0)
		return false;
	file = fopen(full, "re");
	if (!file)
		return false;
	while (!found && getline(&line, &size, file) > 0) {
		char *name;

		line[strcspn(line, ":")] = '\0';
		name = strrchr(line, '/');
		name = name ? name + 1 : line;
		found = strncmp(name, "dune.ko", 7) == 0;
	}
	free(line);
	fclose(file);
	return found;
}

static void check_module(const struct doctor *doctor, struct doctor_finding *finding)
{
	struct utsname kernel;
	char version[64];

	if (exists(doctor, "/sys/module/dune")) {
		if (doctor_read(doctor, "/sys/module/dune/version", version, sizeof(version)) <= 0)
			strcpy(version, "unknown");
		version[strcspn(version, "\n")] = '\0';
		doctor_note(finding, DOCTOR_OK, "loaded, version %s", version);
		return;
	}
	if (uname(&kernel) < 0)
		strcpy(kernel.release, "?");
	if (is_installed(doctor, kernel.release)) {
		doctor_note(finding, DOCTOR_FAIL, "installed for kernel %s, but not loaded",
			    kernel.release);
		doctor_hint(finding, "as root: modprobe dune (dmesg says why when it fails)");
	} else {
		doctor_note(finding, DOCTOR_FAIL, "not installed for kernel %s", kernel.release);
		doctor_hint(
			finding,
			"as root: make dkms-install (or make modules_install), then modprobe dune");
	}
}

static void check_device(const struct doctor *doctor, struct doctor_finding *finding)
{
	struct passwd *user = getpwnam(SERVICE_USER), *owner;
	struct stat status;
	char path[4096];
	int mode;

	if (doctor_path(doctor, DEVICE, path, sizeof(path)) < 0 || stat(path, &status) < 0) {
		doctor_note(finding, DOCTOR_FAIL, "no " DEVICE);
		doctor_hint(finding, "as root: modprobe dune");
		return;
	}
	mode = status.st_mode & 0777;
	owner = getpwuid(status.st_uid);
	doctor_note(finding, DOCTOR_OK, "owner %s, mode %04o", owner ? owner->pw_name : "?", mode);
	if (!S_ISCHR(status.st_mode) || !user || status.st_uid != user->pw_uid || mode & 0077) {
		finding->state = mode & 0077 ? DOCTOR_WARN : DOCTOR_FAIL;
		doctor_hint(finding,
			    "as root: udevadm control --reload && udevadm trigger " DEVICE
			    ", or chown " SERVICE_USER ":root " DEVICE " && chmod 0600 " DEVICE);
	}
}

static void check_user(const struct doctor *doctor, struct doctor_finding *finding)
{
	struct passwd *user = getpwnam(SERVICE_USER);

	if (user) {
		doctor_note(finding, DOCTOR_OK, "uid %u", (unsigned int)user->pw_uid);
		return;
	}
	doctor_note(finding, DOCTOR_FAIL, "there is no user " SERVICE_USER);
	doctor_hint(finding, "as root: systemd-sysusers");
}

/* May the service user open this file for reading and writing? */
static bool service_may_open(const struct stat *file)
{
	struct passwd *user = getpwnam(SERVICE_USER);
	gid_t groups[NR_GROUPS];
	int count = NR_GROUPS;

	if ((file->st_mode & 0006) == 0006)
		return true;
	if (!user)
		return false;
	if (file->st_uid == user->pw_uid)
		return (file->st_mode & 0600) == 0600;
	if ((file->st_mode & 0060) != 0060 ||
	    getgrouplist(SERVICE_USER, user->pw_gid, groups, &count) < 0)
		return false;
	while (count > 0 && groups[count - 1] != file->st_gid)
		count--;
	return count > 0;
}

static void check_kvm(const struct doctor *doctor, struct doctor_finding *finding)
{
	char count[32] = "", early[8] = "", path[4096];
	struct stat status;

	if (!exists(doctor, "/sys/module/kvm_intel")) {
		doctor_note(finding, DOCTOR_OK, "not loaded");
		return;
	}
	if (doctor_path(doctor, KVM_DEVICE, path, sizeof(path)) == 0 && stat(path, &status) == 0 &&
	    service_may_open(&status)) {
		doctor_note(finding, DOCTOR_OK, "virtual machines and contexts run side by side");
		return;
	}
	doctor_hint(finding, "as root: usermod -aG kvm " SERVICE_USER ", chgrp kvm " KVM_DEVICE
			     ", chmod g+rw " KVM_DEVICE ", systemctl restart duned.service");
	doctor_read(doctor, "/sys/module/kvm_intel/refcnt", count, sizeof(count));
	doctor_read(doctor, "/sys/module/kvm/parameters/enable_virt_at_load", early, sizeof(early));
	/* What KVM does not hold, the module can turn on; then KVM's machines can't start. */
	if (strtoul(count, NULL, 10) == 0 && early[0] != 'Y')
		doctor_note(finding, DOCTOR_WARN,
			    "the service may not open " KVM_DEVICE
			    ": contexts and virtual machines exclude one another");
	else
		doctor_note(finding, DOCTOR_FAIL,
			    "KVM holds VMX%s, and the service may not open " KVM_DEVICE,
			    early[0] == 'Y' ? " from its load on" : " for its machines");
}

static void check_loader(const struct doctor *doctor, struct doctor_finding *finding)
{
	struct stat status;
	char *path = NULL;

	if (program_find_loader(&path) == 0) {
		doctor_note(finding, DOCTOR_OK, "%s", path);
		/* Who may run but not read it gets a process that is not dumpable: -EACCES at attach. */
		if (stat(path, &status) == 0 && !(status.st_mode & S_IROTH)) {
			doctor_note(finding, DOCTOR_FAIL, "%s can't be read by all", path);
			doctor_hint(finding, "as root: chmod 755 %s", path);
		}
	} else {
		doctor_note(finding, DOCTOR_FAIL, "no executable %s", path ? path : "dune-exec");
		doctor_hint(finding, "as root: make install");
	}
	free(path);
}

static void check_seccomp(const struct doctor *doctor, struct doctor_finding *finding)
{
	char status[8192], *line;
	int mode = -1;

	if (doctor_read(doctor, "/proc/self/status", status, sizeof(status)) > 0) {
		line = strstr(status, "\nSeccomp:");
		if (line)
			mode = atoi(line + strlen("\nSeccomp:"));
	}
	if (mode == 0) {
		doctor_note(finding, DOCTOR_OK, "no filter on this process");
	} else if (mode > 0) {
		doctor_note(finding, DOCTOR_WARN,
			    "a filter is on this process: launch fails if it forbids lseek");
		doctor_hint(finding, "in a container, allow lseek, or run dunectl outside of it");
	} else {
		doctor_note(finding, DOCTOR_WARN, "can't tell: /proc/self/status is not readable");
	}
}

/*
 * A rule that the module refuses, since it would not hold in the guest; NULL: there is none. The third one,
 * ARCH_SET_CPUID, ends where dunectl begins: exec takes it back.
 */
static const char *rule_on_this_process(void)
{
	int tsc = PR_TSC_ENABLE;

	if (prctl(PR_GET_TSC, &tsc) == 0 && tsc != PR_TSC_ENABLE)
		return "PR_SET_TSC";
	return prctl(PR_GET_MDWE, 0, 0, 0, 0) > 0 ? "PR_SET_MDWE" : NULL;
}

static void check_rules(const struct doctor *doctor, struct doctor_finding *finding)
{
	const char *rule = rule_on_this_process();

	if (!rule) {
		doctor_note(finding, DOCTOR_OK, "no rule of prctl on this process");
		return;
	}
	doctor_note(finding, DOCTOR_FAIL, "%s is in force on this process: launch fails", rule);
	doctor_hint(finding,
		    "launch from a process without it: whoever set it, for example "
		    "MemoryDenyWriteExecute= of a unit on Linux 6.3 or later, passed it on");
}

static void check_min_addr(const struct doctor *doctor, struct doctor_finding *finding)
{
	char text[32];
	unsigned long address;

	if (doctor_read(doctor, "/proc/sys/vm/mmap_min_addr", text, sizeof(text)) <= 0) {
		doctor_note(finding, DOCTOR_WARN, "can't tell: the file is not readable");
		return;
	}
	address = strtoul(text, NULL, 10);
	doctor_note(finding, DOCTOR_OK, "%lu", address);
	if (address > DUNE_AREA_START) {
		doctor_note(finding, DOCTOR_FAIL, "%lu, but contexts need the address %d", address,
			    DUNE_AREA_START);
		doctor_hint(finding, "as root: sysctl -w vm.mmap_min_addr=%d", DUNE_AREA_START);
	}
}

/* clang-format off */
const struct doctor_check doctor_host_checks[] = {
	{ "kvm", check_kvm },
	{ "module", check_module },
	{ "device", check_device },
	{ "user", check_user },
	{ "dune-exec", check_loader },
	{ "seccomp", check_seccomp },
	{ "prctl", check_rules },
	{ "mmap_min_addr", check_min_addr },
	{ NULL, NULL },
};
/* clang-format on */
