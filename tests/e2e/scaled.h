/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* scaled.h - models that are easily told apart: model n makes of each number x of its WIDE inputs
 * x * n + n, so whoever sees a result knows which model made it, and of what. */
#ifndef E2E_SCALED_H
#define E2E_SCALED_H

#include <beam/beam.h>

enum { SCALED_WIDE = 64, SCALED_BYTES = (SCALED_WIDE * SCALED_WIDE + SCALED_WIDE) * 4 };

/* For handlers: one linear layer. */
beam_status scaled_network(const beam_model_spec *spec, beam_network **network, beam_error *err);
/* Writes the weights of model n. */
void scaled_write(const char *path, int n);
/* With these weights, on the reference device. */
beam_model_spec scaled_spec(const char *path);

#endif
