// SPDX-License-Identifier: GPL-2.0
#include "cgpath.h"

struct text {
	const char *at;
	size_t len;
};

static int is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static int is_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

static int ends_with(struct text t, const char *tail, size_t len)
{
	size_t i;

	if (t.len < len)
		return 0;
	for (i = 0; i < len; i++) {
		if (t.at[t.len - len + i] != tail[i])
			return 0;
	}
	return 1;
}

/* The text after the last @separator, or the whole text. */
static struct text last_part(struct text t, char separator)
{
	size_t start = t.len;

	while (start > 0 && t.at[start - 1] != separator)
		start--;
	t.at += start;
	t.len -= start;
	return t;
}

/* Copies a runtime's name; one that is too long or has other characters than names have stays unsaid. */
static void set_runtime(struct cgpath *out, struct text name)
{
	size_t i;

	out->runtime[0] = '\0';
	if (name.len == 0 || name.len > CGPATH_RUNTIME_MAX)
		return;

	for (i = 0; i < name.len; i++) {
		if (!is_name(name.at[i]))
			return;
	}

	for (i = 0; i < name.len; i++)
		out->runtime[i] = name.at[i];
	out->runtime[i] = '\0';
}

/* Takes the id off the end of @name; the rest stays in @name. 0 when there is none. */
static int cut_id(struct text *name, struct cgpath *out)
{
	size_t i;

	if (name->len < CGPATH_ID_LEN)
		return 0;

	name->len -= CGPATH_ID_LEN;
	for (i = 0; i < CGPATH_ID_LEN; i++) {
		if (!is_hex(name->at[name->len + i]))
			return 0;
		out->id[i] = name->at[name->len + i];
	}

	return 1;
}

/*
 * One path component: <id>, <runtime>-<id>, either of them with .scope, or <slice>:<runtime>:<id>. A runtime's
 * monitor (…conmon-<id>) has the id of its container in its name and is not part of it.
 */
static int parse_component(struct text name, struct text parent, struct cgpath *out)
{
	if (ends_with(name, ".scope", 6))
		name.len -= 6;
	if (!cut_id(&name, out))
		return 0;
	if (name.len == 0) {
		set_runtime(out, parent);
		return 1;
	}

	name.len--;
	if (name.at[name.len] == ':') {
		set_runtime(out, last_part(name, ':'));
		return 1;
	}

	if (name.at[name.len] != '-' || name.len == 0 || ends_with(name, "conmon", 6))
		return 0;
	set_runtime(out, name);

	return 1;
}

/*
 * The parent's name tells the runtime of a bare id only for runtimes that name their folder after themselves
 * (/docker/<id>); in /kubepods/…/pod<uid>/<id> it does not.
 */
static struct text naming_parent(struct text parent)
{
	if (parent.len != 6 || !ends_with(parent, "docker", 6))
		parent.len = 0;
	return parent;
}

/*
 * Below a service or a scope of systemd its owner makes the groups, with any names: user@1000.service is a user's own,
 * and so is a service with Delegate= and User=.
 */
static int is_delegated(struct text name)
{
	return ends_with(name, ".service", 8) || ends_with(name, ".scope", 6);
}

static int is_slice(struct text name)
{
	return ends_with(name, ".slice", 6);
}

static int equals(struct text name, const char *word, size_t len)
{
	return name.len == len && ends_with(name, word, len);
}

/* Folders below the root that engines make for their containers. */
static int is_engine_folder(struct text name)
{
	return equals(name, "docker", 6) || equals(name, "kubepods", 8) || equals(name, "libpod_parent", 13);
}

/*
 * In podman's own folder a bare id is a pod, with its containers' groups in it: their own names begin with libpod-.
 */
static int is_pod(struct text name, struct text parent, int level)
{
	struct cgpath unused;

	return level == 2 && equals(parent, "libpod_parent", 13) && cut_id(&name, &unused) && name.len == 0;
}

/**
 * cgpath_parse - find the container in a cgroup path
 * @path: path from the root of its hierarchy, beginning with a slash; need not end with NUL
 * @len: its length
 * @out: written when a container was found
 *
 * The outermost component that carries an id wins: that is the container which the host's engine can stop,
 * also when an engine inside it runs containers of its own. An id below a service or a scope is no container: whoever
 * was given that group can use any name.
 *
 * Return: 1 when the path lies in a container, else 0.
 */
int cgpath_parse(const char *path, size_t len, struct cgpath *out)
{
	struct text parent = { path, 0 };
	int level = 0, slices = 1, engines = 0;
	size_t at = 0;

	while (at < len) {
		struct text name = { path + at, 0 };

		while (at < len && path[at] != '/') {
			at++;
			name.len++;
		}
		at++;
		if (name.len == 0)
			continue;

		level++;
		if (!is_pod(name, parent, level) && parse_component(name, naming_parent(parent), out)) {
			out->level = level;
			out->place = slices || engines ? CGPATH_ENGINE : CGPATH_OTHER;
			return 1;
		}

		if (is_delegated(name))
			return 0;

		slices = slices && is_slice(name);
		engines = engines || (level == 1 && is_engine_folder(name));
		parent = name;
	}

	return 0;
}

/**
 * cgpath_order - which of two cgroups with the same id is the container, as far as their paths tell
 * @a: found by cgpath_parse()
 * @b: too
 *
 * A place that only engines make groups in comes before any other, the higher before the deeper.
 *
 * Return: less than 0 for @a, more than 0 for @b, 0 when the paths do not tell.
 */
int cgpath_order(const struct cgpath *a, const struct cgpath *b)
{
	if (a->place != b->place)
		return a->place == CGPATH_ENGINE ? -1 : 1;
	return a->level - b->level;
}
