/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Strict RFC 8259 check that every JSON text passes before a parser sees it. json-c accepts much
 * that is not JSON and resolves ambiguities silently; what passes here has exactly one meaning.
 * Owns no memory, does no I/O and must never change the text.
 */
#ifndef DUNE_PROTO_JSON_GATE_H
#define DUNE_PROTO_JSON_GATE_H

#include <stddef.h>
#include <stdint.h>

#define JSON_GATE_MAX_DEPTH	16	/* arrays and objects inside one another */
#define JSON_GATE_MAX_KEYS	256	/* members of an object: bounds the duplicate check */
#define JSON_GATE_MAX_NUMBER	64	/* characters of one number */
#define JSON_GATE_MAX_EXPONENT	200	/* so every accepted number is finite */
#define JSON_GATE_ANY_VALUES	SIZE_MAX

struct json_gate_error {
	size_t offset;		/* of the byte that is wrong */
	const char *reason;	/* static text */
};

/*
 * Checks that text is one JSON value and nothing else but white space: UTF-8 without overlong forms
 * and surrogates, no NUL, neither raw nor as \u0000, no duplicate keys (compared after unescaping),
 * integers within int64_t; fractions and exponents are accepted within the limits above. At most
 * max_values values, containers and what is in them counted alike: an object of three bytes takes
 * hundreds once it is read. 0, or -EBADMSG with the place and the reason in *ret_error (which may be
 * NULL).
 */
int json_gate(const char *text, size_t size_bytes, size_t max_values,
	      struct json_gate_error *ret_error);

#endif
