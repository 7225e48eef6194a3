/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Weights that mean nothing, for programs of which only the speed counts. */
#ifndef BENCH_WEIGHTS_H
#define BENCH_WEIGHTS_H

#include <stdint.h>

/* The path of a safetensors file in the cache with ResNet-18's weights for 1000 classes, made from
 * a seed and written anew.  Ends the program when that fails.  The caller frees it. */
char *bench_weights_file(void);
/* The same in eight bits, for images of this size. */
char *bench_int8_weights_file(int64_t image_size);

#endif
