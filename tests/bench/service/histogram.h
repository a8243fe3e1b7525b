/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Durations by size: 64 buckets for every power of two, so that a percentile is off by less than 2 %. Owns
 * nothing; must never lose a value: what is too large counts in the last bucket and in max.
 */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BITS	  6	/* of precision */
#define HISTOGRAM_BUCKETS \
	((40 - HISTOGRAM_BITS) << HISTOGRAM_BITS) /* up to 2^39 ns, nine minutes */

struct histogram {
	uint64_t count, max;
	uint64_t buckets[HISTOGRAM_BUCKETS];
};

static inline unsigned int histogram_bucket(uint64_t value)
{
	unsigned int shift, bucket;

	if (value < 1u << HISTOGRAM_BITS)
		return (unsigned int)value;
	shift = 63 - (unsigned int)__builtin_clzll(value) - HISTOGRAM_BITS;
	bucket = ((shift + 1) << HISTOGRAM_BITS) + (unsigned int)(value >> shift) -
		 (1u << HISTOGRAM_BITS);
	return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

static inline void histogram_add(struct histogram *histogram, uint64_t value)
{
	histogram->buckets[histogram_bucket(value)]++;
	histogram->count++;
	if (value > histogram->max)
		histogram->max = value;
}

/* The value below which this part (0 to 1) of all lies; 0 when there is none. */
static inline double histogram_at(const struct histogram *histogram, double part)
{
	uint64_t wanted = (uint64_t)(part * (double)histogram->count), seen = 0;

	for (unsigned int i = 0; i < HISTOGRAM_BUCKETS; i++) {
		unsigned int shift = i >> HISTOGRAM_BITS, low = i & ((1u << HISTOGRAM_BITS) - 1);

		seen += histogram->buckets[i];
		if (!histogram->buckets[i] || seen < wanted)
			continue;
		return shift ? (double)((uint64_t)(low + (1u << HISTOGRAM_BITS)) << (shift - 1)) :
			       (double)low;
	}
	return 0;
}

#endif
