/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* build.h - the two steps of opening a plan. */
#ifndef PLAN_BUILD_H
#define PLAN_BUILD_H

#include "plan/node.h"

/* Makes a node of each transform of the descriptor. */
beam_status beam_plan_read(beam_plan *plan, beam_error *err);
/* Orders the nodes, producers first, and connects them. */
beam_status beam_plan_wire(beam_plan *plan, beam_error *err);

#endif
