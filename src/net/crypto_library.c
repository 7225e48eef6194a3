/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "net/crypto_library.h"

BEAM_LIBRARY_DEFINE(beam_crypto, BEAM_CRYPTO_FUNCTIONS, "libcrypto.so.3",
                    "OpenSSL 3, Debian's libssl3");
