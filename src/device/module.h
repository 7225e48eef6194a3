/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* module.h - what StableHLO modules made elsewhere share, models (module.c) and training steps
 * (module_train.c). */
#ifndef DEVICE_MODULE_H
#define DEVICE_MODULE_H

#include "device/foreign.h"
#include "device/pjrt.h"

/* "f32{8, 10}" */
typedef struct beam_module_words {
    char text[160];
} beam_module_words;
const char *beam_module_say(const beam_tensor *tensor, beam_module_words *out);

/* The shape on a chip. */
beam_hlo_value beam_module_value(const beam_tensor *tensor);

/* The next line of a list of names, or NULL; `*list` may be NULL. */
const char *beam_module_line(const char **list, size_t *len);

#endif
