/* SPDX-License-Identifier: GPL-2.0 */
/*
 * JSON text from bytes that nobody may trust: process names and arguments.
 *
 * No kernel header is included here, so that the same object is tested and fuzzed in user space (tests/user).
 */
#ifndef GESTOR_PURE_JSON_H
#define GESTOR_PURE_JSON_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stddef.h>
#endif

/* The longest text that one input byte can become: an escape of the form \u00XX. */
#define JSON_UNIT_MAX 6

size_t json_escape(char *dst, size_t cap, const char *src, size_t len, size_t *used);
size_t json_whole_utf8(const char *src, size_t len);

#endif
