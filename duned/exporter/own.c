// SPDX-License-Identifier: LGPL-2.1-or-later
/* The exporter's own figures; see own.h. */
#include "duned/exporter/own.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

static const unsigned int codes[] = {
#define OWN_STATUS(code) code,
	OWN_STATUSES(OWN_STATUS)
#undef OWN_STATUS
};

static const char *const names[] = {
#define OWN_STATUS(code) #code,
	OWN_STATUSES(OWN_STATUS)
#undef OWN_STATUS
		"other",
};

void own_respond(struct own *own, unsigned int status)
{
	unsigned int i = 0;

	while (i < OWN_STATUS_OTHER && codes[i] != status)
		i++;
	own->responses[i]++;
}

const char *own_status_name(unsigned int status)
{
	return names[status];
}

static uint64_t count_fds(void)
{
	DIR *folder = opendir("/proc/self/fd");
	uint64_t nr = 0;

	if (!folder)
		return 0;
	for (struct dirent *entry; (entry = readdir(folder));)
		nr += entry->d_name[0] != '.';
	closedir(folder);
	return nr > 0 ? nr - 1 : 0; /* one of them is the folder itself */
}

void own_update(struct own *own)
{
	unsigned long long pages, resident;
	struct rlimit files;
	struct rusage usage;
	FILE *statm;

	if (getrusage(RUSAGE_SELF, &usage) == 0)
		own->cpu_s = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
			     (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0)
		own->max_fds = files.rlim_cur;
	own->open_fds = count_fds();
	statm = fopen("/proc/self/statm", "re");
	if (!statm)
		return;
	if (fscanf(statm, "%llu %llu", &pages, &resident) == 2)
		own->resident_bytes = resident * (uint64_t)sysconf(_SC_PAGESIZE);
	fclose(statm);
}
