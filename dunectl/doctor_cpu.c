// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The doctor on the processor: what /proc/cpuinfo and the feature-control MSR tell.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dunectl/doctor.h"

/* The first processors' paragraphs are enough. */
#define CPUINFO_MAX 65536

/* Of IA32_FEATURE_CONTROL (Intel SDM, volume 4, table 2-2). */
#define MSR_FEATURE_CONTROL	0x3a
#define FEATURE_LOCKED		(1u << 0)
#define FEATURE_VMX_OUTSIDE_SMX (1u << 2)

/* Whether the word stands in the first line of the file that starts with `key`. */
static bool line_has_word(const char *text, const char *key, const char *word)
{
	size_t key_length = strlen(key), length = strlen(word);
	const char *end;

	while (text) {
		if (strncmp(text, key, key_length) == 0 && strchr("\t :", text[key_length]))
			break;
		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
	}
	if (!text)
		return false;
	end = strchrnul(text, '\n');
	for (text = strstr(text, word); text && text < end; text = strstr(text + 1, word))
		if (strchr(" \t", text[-1]) && strchr(" \t\n", text[length]))
			return true;
	return false;
}

/* Since Linux 5.7 the features of VT-x have a line of their own. */
bool doctor_cpu_has(const struct doctor *doctor, const char *flag, bool *ret_known)
{
	static char cpuinfo[CPUINFO_MAX];

	*ret_known = doctor_read(doctor, "/proc/cpuinfo", cpuinfo, sizeof(cpuinfo)) > 0;
	return *ret_known &&
	       (line_has_word(cpuinfo, "flags", flag) || line_has_word(cpuinfo, "vmx flags", flag));
}

static void check_flag(const struct doctor *doctor, const char *flag, const char *meaning,
		       struct doctor_finding *finding)
{
	bool known;

	if (doctor_cpu_has(doctor, flag, &known))
		doctor_note(finding, DOCTOR_OK, "%s", meaning);
	else if (!known)
		doctor_note(finding, DOCTOR_WARN, "can't tell: /proc/cpuinfo is not readable");
	else
		doctor_note(finding, DOCTOR_FAIL, "the processor does not show %s", meaning);
}

/* A part of VT-x is missing: why, and what can be done. */
static void check_vtx(const struct doctor *doctor, const char *flag, const char *meaning,
		      struct doctor_finding *finding)
{
	bool known;

	check_flag(doctor, flag, meaning, finding);
	if (finding->state != DOCTOR_FAIL)
		return;
	if (doctor_cpu_has(doctor, "svm", &known))
		doctor_hint(finding, "this is an AMD processor with SVM: contexts need VT-x");
	else if (doctor_cpu_has(doctor, "hypervisor", &known))
		doctor_hint(finding,
			    "this is a virtual machine: switch on nested virtualization on "
			    "its host (modprobe kvm_intel nested=1; qemu -cpu host)");
	else if (doctor_cpu_has(doctor, "vmx", &known))
		doctor_hint(finding, "this processor's VT-x is too old for contexts");
	else
		doctor_hint(finding, "switch on Intel Virtualization Technology in the firmware");
}

static void check_vmx(const struct doctor *doctor, struct doctor_finding *finding)
{
	check_vtx(doctor, "vmx", "VT-x", finding);
}

static void check_ept(const struct doctor *doctor, struct doctor_finding *finding)
{
	check_vtx(doctor, "ept", "extended page tables", finding);
}

static void check_vpid(const struct doctor *doctor, struct doctor_finding *finding)
{
	check_vtx(doctor, "vpid", "virtual processor ids", finding);
}

static void check_fsgsbase(const struct doctor *doctor, struct doctor_finding *finding)
{
	check_flag(doctor, "fsgsbase", "FSGSBASE", finding);
	if (finding->state == DOCTOR_FAIL)
		doctor_hint(finding,
			    "remove nofsgsbase from the kernel's command line, if it is there");
}

static void check_nx(const struct doctor *doctor, struct doctor_finding *finding)
{
	check_flag(doctor, "nx", "NX", finding);
	if (finding->state == DOCTOR_FAIL)
		doctor_hint(finding, "switch on Execute Disable (XD) in the firmware");
}

/* FRED leaves no IDT to take an NMI through. The flag goes away with fred=off. */
static void check_fred(const struct doctor *doctor, struct doctor_finding *finding)
{
	bool known;

	if (!doctor_cpu_has(doctor, "fred", &known)) {
		doctor_note(finding, DOCTOR_OK, "the kernel does not use FRED");
		return;
	}
	doctor_note(finding, DOCTOR_FAIL, "the kernel uses FRED, and the module refuses");
	doctor_hint(finding, "add fred=off to the kernel's command line and boot again");
}

static void check_nested(const struct doctor *doctor, struct doctor_finding *finding)
{
	bool known;

	doctor_note(finding, DOCTOR_OK, "not in a virtual machine");
	if (!doctor_cpu_has(doctor, "hypervisor", &known))
		return;
	if (doctor_cpu_has(doctor, "vmx", &known))
		doctor_note(finding, DOCTOR_OK,
			    "in a virtual machine with nested VT-x: every exit costs more");
	else
		doctor_note(finding, DOCTOR_FAIL, "in a virtual machine without nested VT-x");
	if (finding->state == DOCTOR_FAIL)
		doctor_hint(finding,
			    "on its host: modprobe kvm_intel nested=1, and qemu -cpu host");
}

static bool read_feature_control(const struct doctor *doctor, uint64_t *ret_value)
{
	char path[4096];
	bool done;
	int fd;

	if (doctor_path(doctor, "/dev/cpu/0/msr", path, sizeof(path)) < 0)
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	done = pread(fd, ret_value, sizeof(*ret_value), MSR_FEATURE_CONTROL) == sizeof(*ret_value);
	close(fd);
	return done;
}

/* Whether the kernel said that the firmware disabled VT-x; false when its log can't be read. */
static bool log_has_disabled(const struct doctor *doctor)
{
	char *log = doctor_kernel_log(doctor);
	bool found;

	found = log && (strstr(log, "VMX (outside TXT) disabled by BIOS") ||
			strstr(log, "disabled by bios"));
	free(log);
	return found;
}

static void check_firmware(const struct doctor *doctor, struct doctor_finding *finding)
{
	uint64_t control;
	bool known;

	/* The kernel takes the flag away when the firmware locked VT-x out. */
	if (doctor_cpu_has(doctor, "vmx", &known)) {
		doctor_note(finding, DOCTOR_OK, "VT-x is not locked out");
		return;
	}
	if (read_feature_control(doctor, &control)) {
		if (control & FEATURE_LOCKED && control & FEATURE_VMX_OUTSIDE_SMX)
			doctor_note(finding, DOCTOR_OK, "VT-x is not locked out");
		else
			doctor_note(finding, DOCTOR_FAIL, "VT-x is not enabled by the firmware");
	} else if (log_has_disabled(doctor)) {
		doctor_note(finding, DOCTOR_FAIL, "the kernel log says: disabled by the firmware");
	} else {
		doctor_note(finding, DOCTOR_WARN,
			    "can't tell whether the firmware locked VT-x out");
		doctor_hint(finding, "as root: modprobe msr, then dunectl doctor");
	}
	if (finding->state == DOCTOR_FAIL)
		doctor_hint(finding,
			    "switch on Intel Virtualization Technology in the firmware and "
			    "turn the power off and on");
}

/* clang-format off */
const struct doctor_check doctor_cpu_checks[] = {
	{ "cpu-vmx", check_vmx },
	{ "cpu-ept", check_ept },
	{ "cpu-vpid", check_vpid },
	{ "cpu-fsgsbase", check_fsgsbase },
	{ "cpu-nx", check_nx },
	{ "cpu-fred", check_fred },
	{ "nested", check_nested },
	{ "firmware", check_firmware },
	{ NULL, NULL },
};
/* clang-format on */
