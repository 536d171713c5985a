// SPDX-License-Identifier: GPL-2.0
#include "json.h"

/* Length of the UTF-8 sequence that starts with @lead by RFC 3629, 0 when no sequence does. */
static size_t utf8_length(unsigned char lead)
{
	if (lead < 0x80)
		return 1;
	if (lead >= 0xc2 && lead <= 0xdf)
		return 2;
	if (lead >= 0xe0 && lead <= 0xef)
		return 3;
	if (lead >= 0xf0 && lead <= 0xf4)
		return 4;
	return 0;
}

/*
 * The second byte is restricted after four leads: no over-long form (e0, f0), no surrogate (ed), nothing
 * past U+10FFFF (f4).
 */
static int utf8_second_ok(unsigned char lead, unsigned char second)
{
	if (second < 0x80 || second > 0xbf)
		return 0;
	switch (lead) {
	case 0xe0:
		return second >= 0xa0;
	case 0xed:
		return second <= 0x9f;
	case 0xf0:
		return second >= 0x90;
	case 0xf4:
		return second <= 0x8f;
	}
	return 1;
}

/* Length of the valid UTF-8 sequence at @s, at most @len bytes long; 0 when there is none. */
static size_t utf8_valid(const unsigned char *s, size_t len)
{
	size_t i, need = utf8_length(s[0]);

	if (!need || need > len)
		return 0;
	if (need > 1 && !utf8_second_ok(s[0], s[1]))
		return 0;

	for (i = 2; i < need; i++) {
		if (s[i] < 0x80 || s[i] > 0xbf)
			return 0;
	}

	return need;
}

static size_t put_hex_escape(char *unit, unsigned char c)
{
	static const char digits[] = "0123456789abcdef";

	unit[0] = '\\';
	unit[1] = 'u';
	unit[2] = '0';
	unit[3] = '0';
	unit[4] = digits[c >> 4];
	unit[5] = digits[c & 15];
	return 6;
}

/* Writes the text of one byte that may not stand for itself to @unit; returns its length. */
static size_t put_escape(char *unit, unsigned char c)
{
	static const char replacement[] = "\\ufffd";
	size_t i;

	if (c >= 0x80) {
		for (i = 0; i < sizeof(replacement) - 1; i++)
			unit[i] = replacement[i];
		return i;
	}

	if (c == '"' || c == '\\') {
		unit[0] = '\\';
		unit[1] = (char)c;
		return 2;
	}

	return put_hex_escape(unit, c);
}

static int plain(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/**
 * json_escape - the inside of a JSON string for any bytes
 * @dst: where the text goes; no NUL is added
 * @cap: room in @dst; with JSON_UNIT_MAX or more at least one input unit is taken
 * @src: input, any bytes
 * @len: length of @src
 * @used: out: how many input bytes the text stands for; call again with the rest when less than @len
 *
 * Valid UTF-8 passes unchanged; control characters and DEL become \u00XX; quote and backslash are escaped; each
 * byte that belongs to no valid sequence becomes \ufffd. A sequence is never split over two calls.
 *
 * Return: bytes written to @dst, at most @cap.
 */
size_t json_escape(char *dst, size_t cap, const char *src, size_t len, size_t *used)
{
	const unsigned char *s = (const unsigned char *)src;
	size_t in = 0, out = 0, i;

	while (in < len) {
		char unit[JSON_UNIT_MAX];
		size_t take = 1, size;

		if (plain(s[in])) {
			if (out == cap)
				break;
			dst[out++] = (char)s[in++];
			continue;
		}

		if (s[in] >= 0x80 && utf8_valid(s + in, len - in)) {
			take = utf8_valid(s + in, len - in);
			for (size = 0; size < take; size++)
				unit[size] = (char)s[in + size];
		} else {
			size = put_escape(unit, s[in]);
		}

		/* Never half an escape or half a sequence: what does not fit waits for the next call. */
		if (size > cap - out)
			break;
		for (i = 0; i < size; i++)
			dst[out++] = unit[i];
		in += take;
	}

	*used = in;
	return out;
}

/**
 * json_whole_utf8 - where to cut text that was capped in the middle of a sequence
 * @src: text that was cut after @len bytes
 * @len: its length
 *
 * Return: @len without the beginning of a valid sequence whose rest was cut away.
 */
size_t json_whole_utf8(const char *src, size_t len)
{
	const unsigned char *s = (const unsigned char *)src;
	size_t back, i;

	for (back = 1; back <= 3 && back <= len; back++) {
		size_t at = len - back, need = utf8_length(s[at]);

		if (s[at] >= 0x80 && s[at] <= 0xbf)
			continue;
		if (need <= back)
			return len;
		if (back > 1 && !utf8_second_ok(s[at], s[at + 1]))
			return len;

		for (i = 2; i < back; i++) {
			if (s[at + i] < 0x80 || s[at + i] > 0xbf)
				return len;
		}

		return at;
	}

	return len;
}
