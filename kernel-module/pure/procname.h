/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which names the module's files in /proc may have. No kernel header is included: see json.h.
 */
#ifndef GESTOR_PURE_PROCNAME_H
#define GESTOR_PURE_PROCNAME_H

/* What every name begins with, so that no file of the kernel's own or of another module can be meant. */
#define PROCNAME_PREFIX "sysinfo_"

/* Longest name, prefix included. */
#define PROCNAME_MAX 64

const char *procname_fault(const char *name);

#endif
