/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* fraction.h - parts of whole numbers that come as a double, which may be rounded up to more than
 * an int64 holds. */
#ifndef BASE_FRACTION_H
#define BASE_FRACTION_H

#include <stdint.h>

/* The fraction of `whole`, rounded down; `whole` when it is not less. */
static inline int64_t beam_fraction_of(int64_t whole, double fraction)
{
    double part = (double)whole * fraction;
    return part < (double)whole ? (int64_t)part : whole;
}

#endif
