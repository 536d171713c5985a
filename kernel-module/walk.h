/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GESTOR_WALK_H
#define GESTOR_WALK_H

#include "snapshot.h"

int walk_tasks(struct gestor_snapshot *snap);

#endif
