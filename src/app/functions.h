/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* functions.h - what a program's workers can run. */
#ifndef APP_FUNCTIONS_H
#define APP_FUNCTIONS_H

#include "model/registry.h"

/* Adds the functions given and all of the library's own. */
beam_status beam_app_registry(const beam_functions *functions, beam_registry *registry,
                              beam_error *err);

#endif
