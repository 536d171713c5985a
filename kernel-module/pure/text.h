/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Puts a record together in a buffer of known size: literals and numbers, several times cheaper than one seq_file call
 * for each. No kernel header is included: see json.h.
 */
#ifndef GESTOR_PURE_TEXT_H
#define GESTOR_PURE_TEXT_H

#ifdef __KERNEL__
#include <linux/string.h>
#include <linux/types.h>
#else
#include <stddef.h>
#include <string.h>
#endif

/**
 * struct text - a record that is being written
 * @at: the buffer
 * @len: bytes written
 * @cap: room in @at
 * @overflow: something did not fit; the record must not be used
 */
struct text {
	char *at;
	size_t len;
	size_t cap;
	int overflow;
};

/*
 * Appends @len bytes as they are. Always inline: with a length that the compiler knows, the copy is a few moves instead
 * of a call.
 */
static __always_inline void text_bytes(struct text *t, const char *bytes, size_t len)
{
	if (len > t->cap - t->len) {
		t->overflow = 1;
		return;
	}
	memcpy(t->at + t->len, bytes, len);
	t->len += len;
}

/* Appends a string constant, whose length the compiler knows. */
#define text_literal(t, literal) text_bytes(t, "" literal "", sizeof(literal) - 1)

void text_number(struct text *t, unsigned long long value);
void text_string(struct text *t, const char *src, size_t len);

/* A literal and the number after it: one field. */
#define text_field(t, literal, value)            \
	do {                                     \
		struct text *field_text = (t);   \
						 \
		text_literal(field_text, literal); \
		text_number(field_text, value);  \
	} while (0)

#endif
