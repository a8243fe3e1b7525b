// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The doctor on what makes a kernel, or the module, refuse: versions, signatures, mitigations, ceilings,
 * and what the kernel log says about the last attempt. Reads only.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>

#include "dunectl/doctor.h"

/* Whole of the kernel log that is looked through. */
#define KERNEL_LOG_MAX (1 << 20)

/* The first kernel that the module builds for; it was tried on this one and on another. */
#define KERNEL_FIRST 601
#define KERNEL_OTHER 612

#define SECURE_BOOT "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"

static bool is_loaded(const struct doctor *doctor)
{
	char text[8];

	return doctor_read(doctor, "/sys/module/dune/parameters/max_contexts", text, sizeof(text)) >
	       0;
}

static bool file_starts(const struct doctor *doctor, const char *path, const char *text)
{
	char buffer[256];

	return doctor_read(doctor, path, buffer, sizeof(buffer)) > 0 &&
	       strncmp(buffer, text, strlen(text)) == 0;
}

char *doctor_kernel_log(const struct doctor *doctor)
{
	const int read_all = 3;
	char *log = malloc(KERNEL_LOG_MAX);
	int length;

	if (!log)
		return NULL;
	if (doctor->root[0])
		length = doctor_read(doctor, "/dev/kmsg", log, KERNEL_LOG_MAX);
	else
		length = klogctl(read_all, log, KERNEL_LOG_MAX - 1);
	if (length < 0) {
		free(log);
		return NULL;
	}
	log[length] = '\0';
	return log;
}

static void check_kernel(const struct doctor *doctor, struct doctor_finding *finding)
{
	char release[128] = "";
	int major = 0, minor = 0, number;

	if (doctor_read(doctor, "/proc/sys/kernel/osrelease", release, sizeof(release)) <= 0 ||
	    sscanf(release, "%d.%d", &major, &minor) != 2) {
		doctor_note(finding, DOCTOR_WARN, "can't tell which kernel this is");
		return;
	}
	release[strcspn(release, "\n")] = '\0';
	doctor_note(finding, DOCTOR_OK, "%s", release);
	number = major * 100 + minor;
	if (number < KERNEL_FIRST) {
		doctor_note(finding, DOCTOR_FAIL, "%s is older than 6.1", release);
		doctor_hint(finding, "boot a kernel from 6.1 on (Debian 12's)");
	} else if (number != KERNEL_FIRST && number != KERNEL_OTHER && !is_loaded(doctor)) {
		doctor_note(finding, DOCTOR_WARN, "%s: the module was tried on 6.1 and 6.12",
			    release);
		doctor_hint(finding,
			    "if the module does not build, boot a kernel of Debian 12 or 13");
	}
}

/* The byte after four of attributes is the variable (UEFI 2.10, 3.3). */
static bool has_secure_boot(const struct doctor *doctor)
{
	char value[8];

	return doctor_read(doctor, SECURE_BOOT, value, sizeof(value)) == 5 && value[4] == 1;
}

/* Secure Boot, lockdown or module.sig_enforce: the kernel takes signed modules only. */
static void check_signing(const struct doctor *doctor, struct doctor_finding *finding)
{
	char lockdown[128] = "";
	const char *why = NULL;

	doctor_read(doctor, "/sys/kernel/security/lockdown", lockdown, sizeof(lockdown));
	if (strstr(lockdown, "[integrity]") || strstr(lockdown, "[confidentiality]"))
		why = "the kernel is locked down";
	else if (file_starts(doctor, "/sys/module/module/parameters/sig_enforce", "Y"))
		why = "module.sig_enforce is set";
	else if (has_secure_boot(doctor))
		why = "Secure Boot is on";
	if (!why) {
		doctor_note(finding, DOCTOR_OK, "unsigned modules can be loaded");
	} else if (is_loaded(doctor)) {
		doctor_note(finding, DOCTOR_OK, "%s, and the module is loaded", why);
	} else {
		doctor_note(finding, DOCTOR_WARN, "%s: the module must bear an enrolled signature",
			    why);
		doctor_hint(finding, "as root: make dkms-install signs it; mokutil --import "
				     "/var/lib/dkms/mok.pub, reboot, and enroll the key (dune(4))");
	}
}

static bool mitigations_are_off(const struct doctor *doctor)
{
	char line[4096] = "";

	doctor_read(doctor, "/proc/cmdline", line, sizeof(line));
	return strstr(line, "mitigations=off");
}

/* As the module decides at load. */
static void check_l1tf(const struct doctor *doctor, struct doctor_finding *finding)
{
	char text[128] = "";
	bool known;

	if (doctor_read(doctor, "/sys/devices/system/cpu/vulnerabilities/l1tf", text,
			sizeof(text)) <= 0) {
		doctor_note(finding, DOCTOR_WARN, "can't tell: sysfs does not say");
		return;
	}
	text[strcspn(text, "\n")] = '\0';
	doctor_note(finding, DOCTOR_OK, "%s", text);
	if (strcmp(text, "Not affected") == 0 || is_loaded(doctor) || mitigations_are_off(doctor))
		return;
	if (!doctor_cpu_has(doctor, "flush_l1d", &known)) {
		doctor_note(finding, DOCTOR_FAIL,
			    "the processor has the L1TF bug, and microcode that can't flush L1D");
		doctor_hint(finding, "update the microcode (Debian: intel-microcode); where all "
				     "users are trusted, as root: modprobe dune force_l1tf=1");
	} else if (file_starts(doctor, "/sys/devices/system/cpu/smt/active", "1")) {
		doctor_note(finding, DOCTOR_FAIL, "the processor has the L1TF bug, and SMT is on");
		doctor_hint(finding, "as root: echo off >/sys/devices/system/cpu/smt/control; "
				     "where all users are trusted: modprobe dune force_l1tf=1");
	}
}

static void check_xen(const struct doctor *doctor, struct doctor_finding *finding)
{
	if (!file_starts(doctor, "/sys/hypervisor/guest_type", "PV\n")) {
		doctor_note(finding, DOCTOR_OK, "not a Xen PV guest");
		return;
	}
	doctor_note(finding, DOCTOR_FAIL, "a Xen PV guest can't have VT-x");
	doctor_hint(finding, "start this machine as a Xen HVM guest with nestedhvm=1");
}

/* What the log says after a failed load or a failed creation. */
static const struct {
	const char *text;
	bool of_load; /* no longer true once the module is loaded */
	const char *hint;
} complaints[] = {
	{ "dune: this machine lacks ", true,
	  "the processor or hypervisor does not offer it: another machine, or newer firmware" },
	{ "dune: the CPUs do not agree on their system call MSRs", true,
	  "as root, when no virtual machine runs: modprobe dune" },
	{ " invalid for parameter ", true,
	  "modinfo dune names what a parameter takes; see /etc/modprobe.d" },
	{ "dune: version magic ", true,
	  "the module was built for another kernel: make dkms-install, or make modules_install" },
	{ "dune: disagrees about version of symbol ", true,
	  "the module was built for another kernel: make dkms-install, or make modules_install" },
	{ "dune: Unknown symbol ", true,
	  "the module was built for another kernel: make dkms-install, or make modules_install" },
	{ "Loading of unsigned module is rejected", true,
	  "make dkms-install signs it; then mokutil --import /var/lib/dkms/mok.pub (dune(4))" },
	{ "unsigned module loading is restricted", true,
	  "make dkms-install signs it; then mokutil --import /var/lib/dkms/mok.pub (dune(4))" },
	{ "Loading of module with unavailable key is rejected", true,
	  "enroll the key: mokutil --import /var/lib/dkms/mok.pub, reboot (dune(4))" },
	{ "dune: VMX is held by somebody else", false,
	  "let the service open /dev/kvm (as root: usermod -aG kvm duned), or, when no virtual "
	  "machine runs: modprobe -r kvm_intel" },
	{ "dune: VMXON failed", false, "the firmware lets not every CPU use VT-x: update it" },
	{ " shares a core that has the L1TF bug", false,
	  "a second thread of a core comes online without the module only: modprobe -r dune" },
	{ "dune: VMX is not on again after resume", false,
	  "as root: systemctl stop duned.service, end the contexts, modprobe -r dune && modprobe dune" },
};

/* The last complaint; a line about a parameter or a symbol counts when it speaks of the module. */
static const char *last_complaint(const char *log, bool loaded, size_t *ret_row)
{
	const char *last = NULL;

	for (size_t i = 0; i < sizeof(complaints) / sizeof(complaints[0]); i++) {
		const char *at = log;

		if (loaded && complaints[i].of_load)
			continue;
		while ((at = strstr(at, complaints[i].text))) {
			const char *line = at;

			while (line > log && line[-1] != '\n')
				line--;
			if (complaints[i].text[0] != ' ' ||
			    memmem(line, (size_t)(at - line), "dune: ", strlen("dune: "))) {
				if (!last || line > last) {
					last = line;
					*ret_row = i;
				}
			}
			at++;
		}
	}
	return last;
}

static void check_log(const struct doctor *doctor, struct doctor_finding *finding)
{
	char *log = doctor_kernel_log(doctor);
	const char *line;
	size_t row = 0;

	if (!log) {
		if (is_loaded(doctor)) {
			doctor_note(finding, DOCTOR_OK, "not readable; the module is there");
			return;
		}
		doctor_note(finding, DOCTOR_WARN,
			    "not readable: it may say why there is no module");
		doctor_hint(finding, "run it as root: sudo dunectl doctor");
		return;
	}
	line = last_complaint(log, is_loaded(doctor), &row);
	if (line) {
		const char *start = strstr(line, "dune: ");
		size_t length = strcspn(line, "\n");

		if (!start || start > line + length)
			start = line;
		doctor_note(finding, complaints[row].of_load ? DOCTOR_FAIL : DOCTOR_WARN, "%.*s",
			    (int)(line + length - start), start);
		doctor_hint(finding, "%s", complaints[row].hint);
	} else {
		doctor_note(finding, DOCTOR_OK, "no complaint of the module");
	}
	free(log);
}

/* A ceiling of nothing means that nobody gets a context. */
static void check_ceilings(const struct doctor *doctor, struct doctor_finding *finding)
{
	static const struct {
		const char *name;
		unsigned long least; /* what one program needs */
	} ceilings[] = { { "max_contexts", 1 }, { "max_vcpus", 1 }, { "max_private", 32 } };

	if (!is_loaded(doctor)) {
		doctor_note(finding, DOCTOR_WARN, "can't tell without the module");
		return;
	}
	for (size_t i = 0; i < sizeof(ceilings) / sizeof(ceilings[0]); i++) {
		char path[128], text[32] = "";

		snprintf(path, sizeof(path), "/sys/module/dune/parameters/%s", ceilings[i].name);
		if (doctor_read(doctor, path, text, sizeof(text)) <= 0 ||
		    strtoul(text, NULL, 10) >= ceilings[i].least)
			continue;
		text[strcspn(text, "\n")] = '\0';
		doctor_note(finding, DOCTOR_FAIL, "%s is %s: too little for any context",
			    ceilings[i].name, text);
		doctor_hint(finding, "as root: raise %s, and the line in /etc/modprobe.d", path);
		return;
	}
	doctor_note(finding, DOCTOR_OK, "the module's parameters leave room");
}

/* clang-format off */
const struct doctor_check doctor_kernel_checks[] = {
	{ "kernel", check_kernel },
	{ "xen", check_xen },
	{ "l1tf", check_l1tf },
	{ "signing", check_signing },
	{ "kernel-log", check_log },
	{ "ceilings", check_ceilings },
	{ NULL, NULL },
};
/* clang-format on */
