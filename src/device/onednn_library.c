/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "device/onednn_library.h"

BEAM_LIBRARY_DEFINE(beam_onednn, BEAM_ONEDNN_FUNCTIONS, "libdnnl.so.3",
                    "oneDNN 3, which scripts/deps gets; images for GPUs and TPUs have it only "
                    "when tools/build-container made them with --with-cpu");
