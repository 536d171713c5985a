// SPDX-License-Identifier: GPL-2.0
#include "procname.h"

static int is_allowed(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-' || c == '.';
}

/**
 * procname_fault - why a name cannot be that of the module's file
 * @name: ended by NUL
 *
 * Return: the end of a sentence that begins "proc_name must", or a null pointer when the name is good.
 */
const char *procname_fault(const char *name)
{
	static const char prefix[] = PROCNAME_PREFIX;
	int len = 0;

	while (prefix[len]) {
		if (name[len] != prefix[len])
			return "begin with " PROCNAME_PREFIX;
		len++;
	}

	if (!name[len])
		return "have something after " PROCNAME_PREFIX;

	for (; name[len]; len++) {
		if (len == PROCNAME_MAX)
			return "have at most 64 characters";
		if (!is_allowed(name[len]))
			return "be of letters, digits and _ - . alone";
	}

	return (const char *)0;
}
