/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which container a cgroup path belongs to. No kernel header is included: see json.h.
 */
#ifndef GESTOR_PURE_CGPATH_H
#define GESTOR_PURE_CGPATH_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stddef.h>
#endif

#define CGPATH_ID_LEN 64
#define CGPATH_RUNTIME_MAX 23

/* Whose place the container's cgroup stands in. */
enum cgpath_place {
	CGPATH_OTHER, /* an engine's with a cgroup-parent of its own, or that of a user who was given a group */
	CGPATH_ENGINE, /* one that only the system's manager or an engine makes groups in */
};

/**
 * struct cgpath - what a cgroup path says about its container
 * @id: 64 lower-case hexadecimal digits; no NUL follows
 * @runtime: who made it, as its cgroup's name says ("docker", "libpod", "crio"); empty when the name does not say
 * @level: depth of the container's own cgroup; a child of the root has level 1
 * @place: how far the id can be believed when two cgroups have the same
 */
struct cgpath {
	char id[CGPATH_ID_LEN];
	char runtime[CGPATH_RUNTIME_MAX + 1];
	int level;
	enum cgpath_place place;
};

int cgpath_parse(const char *path, size_t len, struct cgpath *out);
int cgpath_order(const struct cgpath *a, const struct cgpath *b);

#endif
