/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* curl_library.h - libcurl, opened by the first request: see base/library.h. */
#ifndef NET_CURL_LIBRARY_H
#define NET_CURL_LIBRARY_H

#include <curl/curl.h>

#include "base/library.h"

#define BEAM_CURL_FUNCTIONS(X) \
    X(curl_easy_cleanup)       \
    X(curl_easy_getinfo)       \
    X(curl_easy_init)          \
    X(curl_easy_perform)       \
    X(curl_easy_reset)         \
    X(curl_easy_setopt)        \
    X(curl_easy_strerror)      \
    X(curl_global_init)        \
    X(curl_slist_append)       \
    X(curl_slist_free_all)
BEAM_LIBRARY_DECLARE(beam_curl, BEAM_CURL_FUNCTIONS);

/* Opens and starts it, before any of the functions is called; any thread.  UNAVAILABLE: it is not
 * there.  INTERNAL: it does not start. */
beam_status beam_curl_open(beam_error *err);

#undef curl_easy_getinfo /* macros that check types, and call what they are named after */
#undef curl_easy_setopt
#define curl_easy_cleanup beam_curl_functions.curl_easy_cleanup
#define curl_easy_getinfo beam_curl_functions.curl_easy_getinfo
#define curl_easy_init beam_curl_functions.curl_easy_init
#define curl_easy_perform beam_curl_functions.curl_easy_perform
#define curl_easy_reset beam_curl_functions.curl_easy_reset
#define curl_easy_setopt beam_curl_functions.curl_easy_setopt
#define curl_easy_strerror beam_curl_functions.curl_easy_strerror
#define curl_global_init beam_curl_functions.curl_global_init
#define curl_slist_append beam_curl_functions.curl_slist_append
#define curl_slist_free_all beam_curl_functions.curl_slist_free_all

#endif
