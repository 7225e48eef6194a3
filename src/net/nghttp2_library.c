/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "net/nghttp2_library.h"

BEAM_LIBRARY_DEFINE(beam_nghttp2, BEAM_NGHTTP2_FUNCTIONS, "libnghttp2.so.14",
                    "nghttp2, Debian's libnghttp2-14");
