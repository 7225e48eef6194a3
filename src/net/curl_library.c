/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "net/curl_library.h"

#include <pthread.h>

BEAM_LIBRARY_DEFINE(beam_curl, BEAM_CURL_FUNCTIONS, "libcurl.so.4", "libcurl, Debian's libcurl4");

static pthread_once_t once = PTHREAD_ONCE_INIT;
static CURLcode started;

static void start(void)
{
    started = curl_global_init(CURL_GLOBAL_DEFAULT);
}

beam_status beam_curl_open(beam_error *err)
{
    BEAM_TRY(beam_library_open(&beam_curl_library, err));
    if (pthread_once(&once, start) != 0 || started != CURLE_OK)
        return beam_error_set(err, BEAM_INTERNAL, "libcurl does not start");
    return BEAM_OK;
}
