// SPDX-License-Identifier: LGPL-2.1-or-later
/* Keys and their hashes; see charge.h. */
#include "duned/charge.h"

#include <string.h>
#include <sys/random.h>

#include "duned/subids.h"

struct charge charge_to(const struct subids *subids, uint32_t uid, const struct dune_labels *labels)
{
	return (struct charge){
		.uid = uid,
		.superior = subids_superior(subids, uid),
		.labels = *labels,
	};
}

bool quota_key_equal(const struct quota_key *one, const struct quota_key *other)
{
	return one->scope == other->scope && one->id == other->id && one->start == other->start &&
	       !strcmp(one->path, other->path);
}

uint64_t hash_word(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15;
	return hash ^ hash >> 32;
}

uint64_t hash_text(uint64_t hash, const char *text)
{
	size_t length = strlen(text);

	for (size_t i = 0; i < length; i += sizeof(uint64_t)) {
		size_t rest = length - i;
		uint64_t word = 0;

		memcpy(&word, text + i, rest < sizeof(word) ? rest : sizeof(word));
		hash = hash_word(hash, word);
	}
	return hash_word(hash, length);
}

uint64_t quota_key_hash(uint64_t seed, const struct quota_key *key)
{
	uint64_t hash = hash_word(seed, (uint64_t)key->scope << 32 | key->id);

	return hash_text(hash_word(hash, key->start), key->path);
}

uint64_t hash_seed(void)
{
	uint64_t seed;

	/* Early at boot there may be none; then where things lie in memory has to do. */
	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != sizeof(seed))
		seed = (uintptr_t)&seed;
	return seed;
}
