/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* readable.h - numbers as people are to read them. */
#ifndef BASE_READABLE_H
#define BASE_READABLE_H

#include <math.h>

/* The same number, but a NaN is "nan" to printf: the sign bit that arithmetic gave it tells
 * nothing, and is another on another processor. */
static inline double beam_readable(double number)
{
    return isnan(number) ? fabs(number) : number;
}

#endif
