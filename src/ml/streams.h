/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* streams.h - which streams of random numbers (nn/random.h) training draws from, besides those
 * below 2^63, which initial weights and dropout use. */
#ifndef ML_STREAMS_H
#define ML_STREAMS_H

#include <stdint.h>

/* Plus the epoch. */
#define BEAM_STREAM_SHUFFLE (UINT64_C(8) << 60)
#define BEAM_STREAM_AUGMENT (UINT64_C(9) << 60)
/* Counter: the image. */
#define BEAM_STREAM_ALTERNATE (UINT64_C(10) << 60)

#endif
