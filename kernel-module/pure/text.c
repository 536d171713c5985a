// SPDX-License-Identifier: GPL-2.0
#include "json.h"
#include "text.h"

static size_t count_digits(unsigned long long value)
{
	size_t count = 1;

	for (; value >= 1000; value /= 1000)
		count += 3;
	if (value >= 100)
		return count + 2;
	return value >= 10 ? count + 1 : count;
}

/* Writes the two digits of a value below 100. */
static void put_pair(char *at, unsigned int value)
{
	at[0] = (char)('0' + value / 10);
	at[1] = (char)('0' + value % 10);
}

/* Writes the digits so that the last one stands before @end. */
static void put_digits(char *end, unsigned long long value)
{
	while (value >= 100) {
		unsigned long long rest = value / 100;

		end -= 2;
		put_pair(end, (unsigned int)(value - rest * 100));
		value = rest;
	}
	if (value >= 10)
		put_pair(end - 2, (unsigned int)value);
	else
		end[-1] = (char)('0' + value);
}

/**
 * text_number - append a number in decimal digits
 * @t: the record
 * @value: the number
 */
void text_number(struct text *t, unsigned long long value)
{
	size_t len = count_digits(value);

	if (len > t->cap - t->len) {
		t->overflow = 1;
		return;
	}
	put_digits(t->at + t->len + len, value);
	t->len += len;
}

/**
 * text_string - append a JSON string of any bytes, with its quotes
 * @t: the record
 * @src: the bytes
 * @len: how many; all of them must fit, escaped, or the record overflows
 */
void text_string(struct text *t, const char *src, size_t len)
{
	size_t used = 0;

	text_literal(t, "\"");
	t->len += json_escape(t->at + t->len, t->cap - t->len, src, len, &used);
	if (used < len)
		t->overflow = 1;
	text_literal(t, "\"");
}
