/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* download.c - downloads by libcurl. */
#include "net/download.h"

#include <string.h>
#include <strings.h>

#include "net/curl_library.h"
#include "net/digest.h"

enum { CONNECT_SECONDS = 20, STALL_SECONDS = 60, MAX_REDIRECTS = 10 };

typedef struct transfer {
    const beam_download_request *request;
    const beam_download_options *options;
    beam_new_file file;
    beam_digest *digest;
    uint64_t done;
    beam_status status; /* why a callback ended the transfer */
    beam_error *err;
    char words[CURL_ERROR_SIZE];
} transfer;

static size_t on_data(char *data, size_t one, size_t count, void *user)
{
    transfer *t = user;
    size_t size = one * count;
    if (t->done + size > t->request->max_size)
        t->status = beam_error_set(t->err, BEAM_DATA_LOSS, "%s sends more than %llu bytes",
                                   t->request->address, (unsigned long long)t->request->max_size);
    if (t->status == BEAM_OK)
        t->status = beam_new_file_write(&t->file, data, size, t->err);
    if (t->status == BEAM_OK && t->digest)
        t->status = beam_digest_add(t->digest, data, size);
    t->done += size;
    return t->status == BEAM_OK ? size : 0;
}

static int on_progress(void *user, curl_off_t total, curl_off_t now, curl_off_t up_total,
                       curl_off_t up_now)
{
    transfer *t = user;
    (void)up_total;
    (void)up_now;
    if (!t->options || !t->options->progress || t->status != BEAM_OK)
        return t->status != BEAM_OK;
    t->status =
        t->options->progress(t->options->user, t->request->address, (uint64_t)now, (uint64_t)total);
    if (t->status != BEAM_OK)
        (void)beam_error_set(t->err, t->status, "the download of %s was stopped",
                             t->request->address);
    return t->status != BEAM_OK;
}

static beam_status status_of_answer(long code)
{
    if (code == 401)
        return BEAM_UNAUTHENTICATED;
    if (code == 403)
        return BEAM_PERMISSION_DENIED;
    if (code == 404 || code == 410)
        return BEAM_NOT_FOUND;
    return BEAM_UNAVAILABLE;
}

static beam_status explain(transfer *t, CURL *curl, CURLcode code)
{
    if (t->status != BEAM_OK)
        return t->status;
    long answer = 0;
    (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer);
    const char *words = t->words[0] ? t->words : curl_easy_strerror(code);
    switch (code) {
    case CURLE_HTTP_RETURNED_ERROR:
        return beam_error_set(t->err, status_of_answer(answer),
                              "cannot download %s: the server answers %ld", t->request->address,
                              answer);
    case CURLE_OUT_OF_MEMORY:
        return beam_error_set(t->err, BEAM_RESOURCE_EXHAUSTED, "no memory to download %s",
                              t->request->address);
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
        return beam_error_set(t->err, BEAM_INVALID_ARGUMENT, "cannot download %s: %s",
                              t->request->address, words);
    default:
        return beam_error_set(t->err, BEAM_UNAVAILABLE, "cannot download %s: %s",
                              t->request->address, words);
    }
}

static CURLcode configure(CURL *curl, transfer *t)
{
    const char *protocols = t->request->plain_http ? "http,https" : "https";
    CURLcode code = curl_easy_setopt(curl, CURLOPT_URL, t->request->address);
#define SET(option, value) \
    if (code == CURLE_OK)  \
    code = curl_easy_setopt(curl, option, value)
    SET(CURLOPT_PROTOCOLS_STR, protocols);
    SET(CURLOPT_REDIR_PROTOCOLS_STR, protocols);
    SET(CURLOPT_FOLLOWLOCATION, 1L);
    SET(CURLOPT_MAXREDIRS, (long)MAX_REDIRECTS);
    SET(CURLOPT_FAILONERROR, 1L);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS);
    SET(CURLOPT_LOW_SPEED_LIMIT, 1L);
    SET(CURLOPT_LOW_SPEED_TIME, (long)STALL_SECONDS);
    SET(CURLOPT_USERAGENT, "libbeam");
    SET(CURLOPT_ERRORBUFFER, t->words);
    SET(CURLOPT_WRITEFUNCTION, on_data);
    SET(CURLOPT_WRITEDATA, t);
    SET(CURLOPT_XFERINFOFUNCTION, on_progress);
    SET(CURLOPT_XFERINFODATA, t);
    SET(CURLOPT_NOPROGRESS, 0L);
#undef SET
    return code;
}

static beam_status check(transfer *t)
{
    char text[BEAM_DIGEST_TEXT] = "";
    const char *expected = t->request->digest;
    if (!t->digest)
        return BEAM_OK;
    beam_status status = beam_digest_text(t->digest, text);
    if (status != BEAM_OK)
        return beam_error_set(t->err, status, "cannot compute the checksum of %s",
                              t->request->address);
    if (strncasecmp(text, expected, strlen(expected)) == 0)
        return BEAM_OK;
    return beam_error_set(t->err, BEAM_DATA_LOSS,
                          "%s: wrong checksum: the %s of what came is %s, but should be %s%s",
                          t->request->address, t->request->algorithm, text, expected,
                          strlen(expected) < strlen(text) ? "..." : "");
}

static beam_status run(transfer *t)
{
    CURL *curl = curl_easy_init();
    if (!curl)
        return beam_error_set(t->err, BEAM_RESOURCE_EXHAUSTED, "no memory to download %s",
                              t->request->address);
    CURLcode code = configure(curl, t);
    if (code == CURLE_OK)
        code = curl_easy_perform(curl);
    beam_status status = code == CURLE_OK ? BEAM_OK : explain(t, curl, code);
    curl_easy_cleanup(curl);
    return status == BEAM_OK ? check(t) : status;
}

beam_status beam_net_download(const beam_download_request *request,
                              const beam_download_options *options, beam_error *err)
{
    BEAM_TRY(beam_curl_open(err));
    transfer t = {.request = request, .options = options, .err = err, .file.fd = -1};
    BEAM_TRY(beam_new_file_open(request->path, &t.file, err));
    beam_status status = BEAM_OK;
    if (request->digest)
        status = beam_digest_new(request->algorithm, &t.digest, err);
    if (status == BEAM_OK)
        status = run(&t);
    if (status == BEAM_OK)
        status = beam_new_file_commit(&t.file, err);
    beam_digest_free(t.digest);
    beam_new_file_abandon(&t.file);
    return status;
}
