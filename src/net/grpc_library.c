/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "net/grpc_library.h"

/* Its number changes with every minor version: the build says which it found. */
BEAM_LIBRARY_DEFINE(beam_grpc, BEAM_GRPC_FUNCTIONS, BEAM_GRPC_SONAME,
                    "gRPC core, Debian's libgrpc29");
