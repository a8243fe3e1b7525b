// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The strict JSON check: a recursive descent over the grammar of RFC 8259 with bounded depth. Owns
 * nothing but its stack; must never accept what another reader could understand differently.
 */
#include "proto/json_gate.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct gate_key {
	uint32_t hash;		/* of the decoded key */
	uint32_t start;		/* offset of its first byte after the quote */
};

struct gate {
	const unsigned char *text;
	size_t size;
	size_t at;
	unsigned int depth;
	size_t values_left;
	const char *reason;	/* set once, with `at` on the byte to blame */
	size_t nr_keys;
	struct gate_key keys[JSON_GATE_MAX_DEPTH * JSON_GATE_MAX_KEYS];
};

static bool gate_value(struct gate *gate);

static bool gate_refuse(struct gate *gate, size_t at, const char *reason)
{
	gate->at = at;
	gate->reason = reason;
	return false;
}

/* The byte at the cursor, -1 at the end. */
static int gate_peek(const struct gate *gate)
{
	return gate->at < gate->size ? gate->text[gate->at] : -1;
}

static void gate_skip_space(struct gate *gate)
{
	for (;;) {
		int c = gate_peek(gate);

		if (c != ' ' && c != '\t' && c != '\n' && c != '\r')
			return;
		gate->at++;
	}
}

static int hex_digit(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The four digits of a \u escape. */
static bool gate_hex4(struct gate *gate, uint32_t *ret_unit)
{
	uint32_t unit = 0;

	for (int i = 0; i < 4; i++) {
		int digit = hex_digit(gate_peek(gate));

		if (digit < 0)
			return gate_refuse(gate, gate->at, "four hexadecimal digits expected");
		unit = unit << 4 | (uint32_t)digit;
		gate->at++;
	}
	*ret_unit = unit;
	return true;
}

static bool gate_unicode_escape(struct gate *gate, size_t start, uint32_t *ret_code)
{
	uint32_t high, low;

	if (!gate_hex4(gate, &high))
		return false;
	if (high == 0)
		return gate_refuse(gate, start, "NUL in a string");
	if (high >= 0xdc00 && high <= 0xdfff)
		return gate_refuse(gate, start, "low surrogate without a high one");
	if (high < 0xd800 || high > 0xdbff) {
		*ret_code = high;
		return true;
	}
	if (gate->size - gate->at < 2 || memcmp(gate->text + gate->at, "\\u", 2) != 0)
		return gate_refuse(gate, start, "high surrogate without a low one");
	gate->at += 2;
	if (!gate_hex4(gate, &low))
		return false;
	if (low < 0xdc00 || low > 0xdfff)
		return gate_refuse(gate, start, "high surrogate without a low one");
	*ret_code = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
	return true;
}

static bool gate_escape(struct gate *gate, uint32_t *ret_code)
{
	static const char plain[] = "\"\\/bfnrt", meaning[] = "\"\\/\b\f\n\r\t";
	size_t start = gate->at++;
	int c = gate_peek(gate);
	const char *found;

	if (c == 'u') {
		gate->at++;
		return gate_unicode_escape(gate, start, ret_code);
	}
	found = c > 0 ? strchr(plain, c) : NULL;
	if (!found)
		return gate_refuse(gate, start, "unknown escape");
	gate->at++;
	*ret_code = (unsigned char)meaning[found - plain];
	return true;
}

/* One UTF-8 sequence, shortest form only, surrogates excluded (Unicode, table 3-7). */
static bool gate_utf8(struct gate *gate, uint32_t *ret_code)
{
	size_t start = gate->at;
	uint32_t lead = gate->text[start], code, least;
	unsigned int more;

	if (lead >= 0xc2 && lead <= 0xdf) {
		more = 1;
		code = lead & 0x1f;
		least = 0x80;
	} else if (lead >= 0xe0 && lead <= 0xef) {
		more = 2;
		code = lead & 0x0f;
		least = 0x800;
	} else if (lead >= 0xf0 && lead <= 0xf4) {
		more = 3;
		code = lead & 0x07;
		least = 0x10000;
	} else {
		return gate_refuse(gate, start, "not UTF-8");
	}
	gate->at++;
	for (; more; more--) {
		int c = gate_peek(gate);

		if (c < 0 || (c & 0xc0) != 0x80)
			return gate_refuse(gate, start, "not UTF-8");
		code = code << 6 | (c & 0x3f);
		gate->at++;
	}
	if (code < least || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return gate_refuse(gate, start, "not UTF-8");
	*ret_code = code;
	return true;
}

/* One character of a string, decoded; the cursor is not on the closing quote. */
static bool gate_character(struct gate *gate, uint32_t *ret_code)
{
	int c = gate_peek(gate);

	if (c < 0)
		return gate_refuse(gate, gate->at, "unfinished string");
	if (c < 0x20)
		return gate_refuse(gate, gate->at, "raw control character in a string");
	if (c == '\\')
		return gate_escape(gate, ret_code);
	if (c >= 0x80)
		return gate_utf8(gate, ret_code);
	gate->at++;
	*ret_code = (uint32_t)c;
	return true;
}

/* A string; the hash of its decoded characters goes to *ret_hash. */
static bool gate_string(struct gate *gate, uint32_t *ret_hash)
{
	uint32_t hash = 2166136261u, code;

	gate->at++;
	while (gate_peek(gate) != '"') {
		if (!gate_character(gate, &code))
			return false;
		hash = (hash ^ code) * 16777619u;
	}
	gate->at++;
	*ret_hash = hash;
	return true;
}

/* Compares two keys that have passed gate_string(), by their decoded characters. */
static bool gate_same_key(struct gate *gate, size_t first, size_t second)
{
	size_t saved = gate->at;
	bool same = true;

	while (same) {
		bool first_ends = gate->text[first] == '"';
		bool second_ends = gate->text[second] == '"';
		uint32_t a = 0, b = 0;

		if (first_ends || second_ends) {
			same = first_ends && second_ends;
			break;
		}
		gate->at = first;
		gate_character(gate, &a);
		first = gate->at;
		gate->at = second;
		gate_character(gate, &b);
		second = gate->at;
		same = a == b;
	}
	gate->at = saved;
	return same;
}

/* Remembers a key of the object whose keys begin at index `first`. */
static bool gate_add_key(struct gate *gate, size_t first, size_t start, uint32_t hash)
{
	if (gate->nr_keys - first == JSON_GATE_MAX_KEYS)
		return gate_refuse(gate, start - 1, "too many members in an object");
	for (size_t i = first; i < gate->nr_keys; i++) {
		if (gate->keys[i].hash == hash && gate_same_key(gate, gate->keys[i].start, start))
			return gate_refuse(gate, start - 1, "duplicate key");
	}
	gate->keys[gate->nr_keys++] = (struct gate_key){ .hash = hash, .start = (uint32_t)start };
	return true;
}

static bool gate_member(struct gate *gate, size_t first)
{
	size_t start;
	uint32_t hash;

	gate_skip_space(gate);
	if (gate_peek(gate) != '"')
		return gate_refuse(gate, gate->at, "key expected");
	start = gate->at + 1;
	if (!gate_string(gate, &hash) || !gate_add_key(gate, first, start, hash))
		return false;
	gate_skip_space(gate);
	if (gate_peek(gate) != ':')
		return gate_refuse(gate, gate->at, "colon expected");
	gate->at++;
	return gate_value(gate);
}

/* An object or array, the cursor on its opening bracket. */
static bool gate_container(struct gate *gate, bool object)
{
	const int close = object ? '}' : ']';
	const size_t first = gate->nr_keys;

	if (gate->depth == JSON_GATE_MAX_DEPTH)
		return gate_refuse(gate, gate->at, "too deep");
	gate->depth++;
	gate->at++;
	gate_skip_space(gate);
	if (gate_peek(gate) != close) {
		for (;;) {
			if (object ? !gate_member(gate, first) : !gate_value(gate))
				return false;
			gate_skip_space(gate);
			if (gate_peek(gate) != ',')
				break;
			gate->at++;
		}
		if (gate_peek(gate) != close)
			return gate_refuse(gate, gate->at,
					   object ? "comma or } expected" : "comma or ] expected");
	}
	gate->at++;
	gate->depth--;
	gate->nr_keys = first;
	return true;
}

static bool is_digit(int c)
{
	return c >= '0' && c <= '9';
}

/* Fraction and exponent after the integer part. */
static bool gate_real(struct gate *gate, size_t start)
{
	unsigned int exponent = 0;

	if (gate_peek(gate) == '.') {
		gate->at++;
		if (!is_digit(gate_peek(gate)))
			return gate_refuse(gate, gate->at, "digit expected");
		while (is_digit(gate_peek(gate)))
			gate->at++;
	}
	if (gate_peek(gate) == 'e' || gate_peek(gate) == 'E') {
		gate->at++;
		if (gate_peek(gate) == '+' || gate_peek(gate) == '-')
			gate->at++;
		if (!is_digit(gate_peek(gate)))
			return gate_refuse(gate, gate->at, "digit expected");
		for (; is_digit(gate_peek(gate)); gate->at++) {
			exponent = exponent * 10 + (unsigned int)(gate_peek(gate) - '0');
			if (exponent > JSON_GATE_MAX_EXPONENT)
				return gate_refuse(gate, start, "number out of range");
		}
	}
	return true;
}

static bool gate_number(struct gate *gate)
{
	size_t start = gate->at;
	bool negative = gate_peek(gate) == '-', overflow = false;
	uint64_t value = 0, limit;
	int c;

	if (negative)
		gate->at++;
	if (!is_digit(gate_peek(gate)))
		return gate_refuse(gate, gate->at, "digit expected");
	limit = negative ? (uint64_t)INT64_MAX + 1 : INT64_MAX;
	for (; is_digit(c = gate_peek(gate)); gate->at++) {
		overflow |= value > (limit - (uint64_t)(c - '0')) / 10;
		value = value * 10 + (uint64_t)(c - '0');
		if (gate->at > start + negative && gate->text[start + negative] == '0')
			return gate_refuse(gate, start, "leading zero");
	}
	if (c == '.' || c == 'e' || c == 'E') {
		if (!gate_real(gate, start))
			return false;
	} else if (overflow) {
		return gate_refuse(gate, start, "integer out of range");
	}
	if (gate->at - start > JSON_GATE_MAX_NUMBER)
		return gate_refuse(gate, start, "number too long");
	return true;
}

static bool gate_word(struct gate *gate, const char *word)
{
	size_t length = strlen(word);

	if (gate->size - gate->at < length || memcmp(gate->text + gate->at, word, length) != 0)
		return gate_refuse(gate, gate->at, "value expected");
	gate->at += length;
	return true;
}

static bool gate_value(struct gate *gate)
{
	uint32_t hash;
	int c;

	gate_skip_space(gate);
	if (!gate->values_left)
		return gate_refuse(gate, gate->at, "too many values");
	gate->values_left--;
	c = gate_peek(gate);
	switch (c) {
	case '{':
		return gate_container(gate, true);
	case '[':
		return gate_container(gate, false);
	case '"':
		return gate_string(gate, &hash);
	case 't':
		return gate_word(gate, "true");
	case 'f':
		return gate_word(gate, "false");
	case 'n':
		return gate_word(gate, "null");
	default:
		if (c == '-' || is_digit(c))
			return gate_number(gate);
		return gate_refuse(gate, gate->at, "value expected");
	}
}

int json_gate(const char *text, size_t size_bytes, size_t max_values,
	      struct json_gate_error *ret_error)
{
	struct gate gate;

	gate.text = (const unsigned char *)text;
	gate.size = size_bytes;
	gate.at = 0;
	gate.depth = 0;
	gate.values_left = max_values;
	gate.reason = NULL;
	gate.nr_keys = 0;
	if (size_bytes > UINT32_MAX) {
		gate_refuse(&gate, 0, "too long");
	} else if (gate_value(&gate)) {
		gate_skip_space(&gate);
		if (gate.at == size_bytes)
			return 0;
		gate_refuse(&gate, gate.at, "text after the value");
	}
	if (ret_error)
		*ret_error = (struct json_gate_error){ .offset = gate.at, .reason = gate.reason };
	return -EBADMSG;
}
