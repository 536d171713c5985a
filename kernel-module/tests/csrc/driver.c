// SPDX-License-Identifier: GPL-2.0
/*
 * Runs the module's pure code in user space, compiled with sanitizers.
 *
 * Input, repeated: one letter (e: escape, w: whole, n: number, p: path, o: order of two
 * paths with a line feed between them, f: file name), cap and length as 32-bit
 * little-endian numbers, the bytes.
 * Output, for each: length as a 32-bit number, the bytes. Every buffer has exactly the size that was promised, so that
 * one byte too many is an error of the address sanitizer.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../pure/cgpath.h"
#include "../../pure/json.h"
#include "../../pure/procname.h"
#include "../../pure/text.h"

static void reply(const char *text, size_t len)
{
	uint32_t n = (uint32_t)len;

	fwrite(&n, sizeof(n), 1, stdout);
	fwrite(text, 1, len, stdout);
	fflush(stdout);
}

/* In pieces of at most @cap bytes, as the module does. */
static void escape(const char *in, size_t len, size_t cap)
{
	char *all = malloc(len * JSON_UNIT_MAX + 1), *piece = malloc(cap);
	size_t out = 0;

	while (len) {
		size_t used, size = json_escape(piece, cap, in, len, &used);

		if (!used || size > cap || used > len)
			abort();
		memcpy(all + out, piece, size);
		out += size;
		in += used;
		len -= used;
	}
	reply(all, out);
	free(piece);
	free(all);
}

static void whole(const char *in, size_t len)
{
	char text[24];

	reply(text, (size_t)snprintf(text, sizeof(text), "%zu", json_whole_utf8(in, len)));
}

static void path(const char *in, size_t len)
{
	struct cgpath found;
	char text[256];

	if (!cgpath_parse(in, len, &found)) {
		reply("", 0);
		return;
	}
	reply(text, (size_t)snprintf(text, sizeof(text), "%.*s %d %s %s", CGPATH_ID_LEN, found.id, found.level,
				     found.place == CGPATH_ENGINE ? "engine" : "other", found.runtime));
}

/* Which of two paths comes first, "first" or "second"; "equal" where they do not tell, "none" where one has no container. */
static void order(const char *in, size_t len)
{
	const char *line = memchr(in, '\n', len), *answer = "equal";
	struct cgpath a, b;
	int by_path;

	if (!line || !cgpath_parse(in, (size_t)(line - in), &a) || !cgpath_parse(line + 1, len - 1 - (size_t)(line - in), &b)) {
		reply("none", 4);
		return;
	}
	by_path = cgpath_order(&a, &b);
	if (by_path)
		answer = by_path < 0 ? "first" : "second";
	reply(answer, strlen(answer));
}

/* What is wrong with the name of a file. It gets a NUL at its end, as a parameter has. */
static void file_name(const char *in, size_t len)
{
	char *name = malloc(len + 1);
	const char *fault;

	memcpy(name, in, len);
	name[len] = '\0';
	fault = procname_fault(name);
	reply(fault ? fault : "", fault ? strlen(fault) : 0);
	free(name);
}

/* The number in eight bytes, into room for @cap bytes; "overflow" when it does not fit. */
static void number(const char *in, size_t cap)
{
	struct text t = { .at = malloc(cap), .cap = cap };
	uint64_t value;

	memcpy(&value, in, sizeof(value));
	text_number(&t, value);
	if (t.overflow)
		reply("overflow", 8);
	else
		reply(t.at, t.len);
	free(t.at);
}

int main(void)
{
	uint32_t head[2];
	int kind;

	while ((kind = getchar()) != EOF) {
		char *in;

		if (fread(head, sizeof(head), 1, stdin) != 1)
			return 1;
		in = malloc(head[1] ? head[1] : 1);
		if (fread(in, 1, head[1], stdin) != head[1])
			return 1;
		if (kind == 'e')
			escape(in, head[1], head[0]);
		else if (kind == 'n')
			number(in, head[0]);
		else if (kind == 'w')
			whole(in, head[1]);
		else if (kind == 'o')
			order(in, head[1]);
		else if (kind == 'f')
			file_name(in, head[1]);
		else
			path(in, head[1]);
		free(in);
	}
	return 0;
}
