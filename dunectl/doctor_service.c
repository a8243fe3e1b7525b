// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The doctor on the service: its socket, whether it answers, and what it says about the module.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <dune/dune_abi.h>

#include "dunectl/doctor.h"
#include "dunectl/dunectl.h"

static const char *socket_path(const struct doctor *doctor)
{
	const char *path = doctor->ctl->socket;

	if (!path)
		path = secure_getenv("DUNE_SOCKET");
	if (!path || !path[0])
		path = DUNE_CLIENT_SOCKET;
	return strncmp(path, "unix:", 5) == 0 ? path + 5 : path;
}

static void check_socket(const struct doctor *doctor, struct doctor_finding *finding)
{
	const char *path = socket_path(doctor);
	struct stat status;

	if (stat(path, &status) == 0 && S_ISSOCK(status.st_mode)) {
		if (access(path, W_OK) < 0) {
			doctor_note(finding, DOCTOR_FAIL, "%s, mode %04o: not for this user", path,
				    status.st_mode & 0777);
			doctor_hint(finding, "as root: systemctl restart duned.socket (mode 0666)");
			return;
		}
		doctor_note(finding, DOCTOR_OK, "%s, mode %04o", path, status.st_mode & 0777);
		return;
	}
	doctor_note(finding, DOCTOR_FAIL, "no socket at %s", path);
	doctor_hint(finding, "as root: systemctl enable --now duned.socket");
}

static void check_service(const struct doctor *doctor, struct doctor_finding *finding)
{
	if (!doctor->info) {
		doctor_note(finding, DOCTOR_FAIL, "does not answer: %s", doctor->service_problem);
		doctor_hint(finding, "systemctl status duned.service duned.socket");
		return;
	}
	doctor_note(finding, DOCTOR_OK, "answers, version %s", doctor->info->version);
	if (strcmp(doctor->info->version, DUNE_VERSION) != 0) {
		doctor_note(finding, DOCTOR_WARN, "answers, version %s; this is %s",
			    doctor->info->version, DUNE_VERSION);
		doctor_hint(finding, "as root: systemctl restart duned.service");
	}
}

/* Why the service can't open or use the device, by the errno it reports. */
static const struct {
	const char *problem, *hint;
} problems[] = {
	{ "ENOENT", "as root: modprobe dune" },
	{ "ENXIO", "as root: modprobe -r dune; modprobe dune (the node is stale)" },
	{ "ENODEV", "as root: modprobe -r dune; modprobe dune (the node is stale)" },
	{ "EACCES", "as root: chown duned:root /dev/dune && chmod 0600 /dev/dune" },
	{ "EPERM", "the service's cgroup forbids the device: DeviceAllow=/dev/dune rw in "
		   "duned.service, or the container's device list" },
	{ "EPROTONOSUPPORT", "install module and service of one version" },
	{ "EMFILE", "as root: raise LimitNOFILE= of duned.service" },
	{ "ENFILE", "as root: raise the sysctl fs.file-max" },
	{ "ENOMEM", "the kernel has no memory left for the service: free some" },
};

static void check_access(const struct doctor *doctor, struct doctor_finding *finding)
{
	const char *problem = doctor->info ? doctor->info->module.problem : NULL;

	if (!doctor->info) {
		doctor_note(finding, DOCTOR_WARN, "can't tell without the service");
		return;
	}
	if (!problem) {
		doctor_note(finding, DOCTOR_OK, "the service has the module");
		return;
	}
	doctor_note(finding, DOCTOR_FAIL, "the service can't use the module (%s)", problem);
	doctor_hint(finding, "as root: modprobe dune && systemctl restart duned.service");
	for (size_t i = 0; i < sizeof(problems) / sizeof(problems[0]); i++)
		if (strcmp(problems[i].problem, problem) == 0)
			doctor_hint(finding, "%s", problems[i].hint);
}

static void check_quotas(const struct doctor *doctor, struct doctor_finding *finding)
{
	const struct dune_client_info *info = doctor->info;

	if (!info) {
		doctor_note(finding, DOCTOR_WARN, "can't tell without the service");
		return;
	}
	doctor_note(finding, DOCTOR_OK, "%" PRIu64 " contexts for a user, %" PRIu64 " in all",
		    info->quotas.contexts_per_user, info->quotas.contexts_per_host);
	if (info->quotas.contexts_per_user && info->quotas.contexts_per_host)
		return;
	finding->state = DOCTOR_FAIL;
	doctor_hint(finding,
		    "as root: raise per-user and per-host in duned.conf(5), or the module's "
		    "max_contexts, and systemctl restart duned.service");
}

static void check_abi(const struct doctor *doctor, struct doctor_finding *finding)
{
	const struct dune_client_module *module = doctor->info ? &doctor->info->module : NULL;

	if (!module || !module->abi) {
		doctor_note(finding, DOCTOR_WARN, "can't tell without service and module");
		return;
	}
	doctor_note(finding, DOCTOR_OK, "module %" PRIu64 ", service %" PRIu64 ", this build %d",
		    module->abi, module->abi_expected, DUNE_ABI_VERSION);
	if (module->abi != DUNE_ABI_VERSION || module->abi_expected != DUNE_ABI_VERSION) {
		finding->state = DOCTOR_FAIL;
		doctor_hint(finding,
			    "install all of one version, then as root: modprobe -r dune && "
			    "modprobe dune && systemctl restart duned.service");
	}
}

static void check_assertions(const struct doctor *doctor, struct doctor_finding *finding)
{
	if (!doctor->info || doctor->info->module.problem) {
		doctor_note(finding, DOCTOR_WARN, "can't tell without service and module");
		return;
	}
	doctor_note(finding, DOCTOR_OK, "none of the module's own checks failed");
	if (doctor->info->module.assertions) {
		doctor_note(finding, DOCTOR_WARN, "%" PRIu64 " of the module's own checks failed",
			    doctor->info->module.assertions);
		doctor_hint(finding, "this is a bug: please report it with the output of dmesg");
	}
}

/* clang-format off */
const struct doctor_check doctor_service_checks[] = {
	{ "socket", check_socket },
	{ "service", check_service },
	{ "module-access", check_access },
	{ "abi", check_abi },
	{ "quotas", check_quotas },
	{ "assertions", check_assertions },
	{ NULL, NULL },
};
/* clang-format on */
