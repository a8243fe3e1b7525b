// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * raw_msrs FILE: what every MSR of every CPU is natively (by /dev/cpu/N/msr) goes into FILE. raw_msrs FILE compare:
 * whatever is different now is told, and an error. Left out are those that change by themselves: some known ones, and
 * what two looks in a row find different, of which there may be few.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CPUS_MAX     2
#define RANGE	     0x2000u /* of each of the two ranges */
#define CHANGING_MAX 8

#define die(...) (fprintf(stderr, __VA_ARGS__), fputc('\n', stderr), exit(1))

struct look {
	uint64_t value[CPUS_MAX][2 * RANGE];
	uint8_t there[CPUS_MAX][2 * RANGE], changing[2 * RANGE];
};

static struct look before, now;

static uint32_t number(unsigned int i)
{
	return i < RANGE ? i : 0xc0000000 + i - RANGE;
}

/* Counters of time, the deadline timer, the local APIC's registers (x2APIC), the reader's own FS base. */
static int changes_by_itself(uint32_t msr)
{
	return msr == 0x10 || msr == 0xe7 || msr == 0xe8 || msr == 0x6e0 || msr == 0xc0000100 ||
	       (msr >= 0x800 && msr < 0x900);
}

static void take(struct look *look)
{
	char path[32];
	int fd, cpus = 0;

	for (int cpu = 0; cpu < CPUS_MAX; cpu++) {
		snprintf(path, sizeof(path), "/dev/cpu/%d/msr", cpu);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		cpus++;
		for (unsigned int i = 0; i < 2 * RANGE; i++)
			look->there[cpu][i] = !changes_by_itself(number(i)) &&
					      pread(fd, &look->value[cpu][i], 8, number(i)) == 8;
		close(fd);
	}
	if (!cpus)
		die("/dev/cpu: %s", strerror(errno));
}

/* The number of MSRs that are not what they were. */
static unsigned int compare(const struct look *a, const struct look *b, uint8_t *changing)
{
	unsigned int different = 0;

	for (unsigned int i = 0; i < 2 * RANGE; i++)
		for (int cpu = 0; cpu < CPUS_MAX; cpu++) {
			if (a->changing[i] || (a->there[cpu][i] == b->there[cpu][i] &&
					       a->value[cpu][i] == b->value[cpu][i]))
				continue;
			different++;
			if (changing)
				changing[i] = 1;
			printf("CPU %d, MSR %#x: %#lx, then %#lx\n", cpu, number(i),
			       a->value[cpu][i], b->value[cpu][i]);
		}
	return different;
}

static void save(const char *path)
{
	FILE *file = fopen(path, "we");
	unsigned int there = 0, changing;

	take(&now);
	take(&before);
	changing = compare(&now, &before, before.changing);
	for (unsigned int i = 0; i < 2 * RANGE; i++)
		there += before.there[0][i] && !before.changing[i];
	printf("%u MSRs, %u change by themselves\n", there, changing);
	if (changing > CHANGING_MAX || there < 50)
		die("that can't be");
	if (!file || fwrite(&before, sizeof(before), 1, file) != 1 || fclose(file))
		die("%s: %s", path, strerror(errno));
}

int main(int argc, char **argv)
{
	FILE *file;

	if (argc == 2) {
		save(argv[1]);
		return 0;
	}
	if (argc != 3 || strcmp(argv[2], "compare"))
		die("raw_msrs FILE [compare]");
	file = fopen(argv[1], "re");
	if (!file || fread(&before, sizeof(before), 1, file) != 1)
		die("%s: %s", argv[1], strerror(errno));
	take(&now);
	return !!compare(&before, &now, NULL);
}
