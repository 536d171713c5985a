/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GESTOR_DUPLICATES_H
#define GESTOR_DUPLICATES_H

#include "snapshot.h"

int duplicates_drop(struct gestor_snapshot *snap);

#endif
