/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GESTOR_DOUBLES_H
#define GESTOR_DOUBLES_H

#include "snapshot.h"

int doubles_refuse(struct gestor_snapshot *snap);

#endif
