/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "net/curl_library.h"

BEAM_LIBRARY_DEFINE(beam_curl, BEAM_CURL_FUNCTIONS, "libcurl.so.4", "libcurl, Debian's libcurl4");
