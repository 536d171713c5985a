/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GESTOR_MAIN_H
#define GESTOR_MAIN_H

#include "snapshot.h"

void gestor_limits_now(struct gestor_limits *limits);

#endif
