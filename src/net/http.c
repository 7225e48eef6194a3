/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "net/http.h"

#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "net/curl_library.h"

typedef struct exchange {
    CURL *curl;
    const beam_http_request *request;
    beam_http_response *response;
    beam_status status; /* why a callback ended it */
    char words[CURL_ERROR_SIZE];
} exchange;

/* ---- Connections ----------------------------------------------------------------------------- */

static beam_status take(beam_http *http, CURL **curl, beam_error *err)
{
    beam_error why = {0};
    beam_status status = beam_curl_open(&why);
    if (status != BEAM_OK) /* not UNAVAILABLE, which is worth another try */
        return beam_error_set(err, status == BEAM_INTERNAL ? status : BEAM_FAILED_PRECONDITION,
                              "%s", why.message);
    pthread_mutex_lock(&http->mutex);
    *curl = http->n_idle ? http->idle[--http->n_idle] : NULL;
    pthread_mutex_unlock(&http->mutex);
    if (!*curl)
        *curl = curl_easy_init();
    return *curl ? BEAM_OK : beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for libcurl");
}

/* It forgets the request, which is about to go, and keeps its connection. */
static void put_back(beam_http *http, CURL *curl)
{
    curl_easy_reset(curl);
    pthread_mutex_lock(&http->mutex);
    bool kept = http->n_idle < BEAM_HTTP_IDLE;
    if (kept)
        http->idle[http->n_idle++] = curl;
    pthread_mutex_unlock(&http->mutex);
    if (!kept)
        curl_easy_cleanup(curl);
}

void beam_http_close(beam_http *http)
{
    while (http->n_idle)
        curl_easy_cleanup(http->idle[--http->n_idle]);
}

/* ---- The answer ------------------------------------------------------------------------------ */

static bool is_named(const char *line, size_t len, const char *name, beam_str *value)
{
    size_t n = strlen(name);
    if (len <= n || line[n] != ':' || strncasecmp(line, name, n) != 0)
        return false;
    const char *at = line + n + 1, *end = line + len;
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    while (end > at && (end[-1] == '\r' || end[-1] == '\n' || end[-1] == ' ' || end[-1] == '\t'))
        end--;
    *value = (beam_str){at, (size_t)(end - at)};
    return true;
}

/* What does not fit is none: half an address would be another. */
static void keep(char *to, size_t size, beam_str value)
{
    to[0] = '\0';
    if (value.len >= size || memchr(value.at, '\0', value.len))
        return;
    memcpy(to, value.at, value.len);
    to[value.len] = '\0';
}

void beam_http_header_line(beam_http_headers *h, const char *line, size_t len)
{
    beam_str value;
    if (len > 5 && memcmp(line, "HTTP/", 5) == 0) /* another head, after 100 Continue */
        *h = (beam_http_headers){0};
    else if (is_named(line, len, "Location", &value))
        keep(h->location, sizeof h->location, value);
    else if (is_named(line, len, "Range", &value))
        keep(h->range, sizeof h->range, value);
    else if (is_named(line, len, "Retry-After", &value))
        keep(h->retry_after, sizeof h->retry_after, value);
    else if (is_named(line, len, "Inference-Header-Content-Length", &value))
        keep(h->inference_header_length, sizeof h->inference_header_length, value);
    else if (is_named(line, len, "X-Goog-Hash", &value) && value.len >= 7 &&
             memcmp(value.at, "crc32c=", 7) == 0) /* may come twice, the other is md5= */
        keep(h->hash, sizeof h->hash, value);
}

static size_t on_header(char *line, size_t one, size_t count, void *user)
{
    exchange *x = user;
    beam_http_header_line(&x->response->headers, line, one * count);
    return one * count;
}

static size_t on_body(char *data, size_t one, size_t count, void *user)
{
    exchange *x = user;
    beam_http_response *r = x->response;
    size_t size = one * count;
    long code = 0;
    (void)curl_easy_getinfo(x->curl, CURLINFO_RESPONSE_CODE, &code);
    bool direct = x->request->into && code / 100 == 2;
    size_t have = direct ? r->got : r->body.len;
    size_t most = x->request->most ? x->request->most : BEAM_HTTP_MOST;
    if (size > (direct ? x->request->into_size : most) - have) {
        x->status = BEAM_OUT_OF_RANGE;
        return 0;
    }
    if (direct)
        memcpy((char *)x->request->into + have, data, size);
    else if (beam_buffer_append(&r->body, data, size) != BEAM_OK)
        x->status = BEAM_RESOURCE_EXHAUSTED;
    r->got += size;
    return x->status == BEAM_OK ? size : 0;
}

/* Several times a second while bytes come, and once while none do. */
static int on_progress(void *user, curl_off_t total, curl_off_t now, curl_off_t up_total,
                       curl_off_t up_now)
{
    (void)total, (void)now, (void)up_total, (void)up_now;
    return __atomic_load_n((const int *)user, __ATOMIC_RELAXED) != 0;
}

/* ---- The request ----------------------------------------------------------------------------- */

static bool is_printable(const char *text, char least)
{
    for (; *text; text++)
        if (*text < least || *text == 127)
            return false;
    return true;
}

static beam_status make_headers(const beam_http_request *request, struct curl_slist **list,
                                beam_error *err)
{
    *list = NULL;
    for (size_t i = 0; i <= request->n_headers; i++) {
        /* "Expect:": no waiting for a 100 before a body is sent. */
        const char *header = i < request->n_headers ? request->headers[i] : "Expect:";
        struct curl_slist *longer = NULL;
        beam_status status = BEAM_OK;
        if (!is_printable(header, ' '))
            status = beam_error_set(err, BEAM_INVALID_ARGUMENT,
                                    "a header of a request to %s has a control character in it, "
                                    "or other than ASCII",
                                    request->url);
        else if (!(longer = curl_slist_append(*list, header)))
            status = beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a request");
        if (status != BEAM_OK) {
            curl_slist_free_all(*list);
            *list = NULL;
            return status;
        }
        *list = longer;
    }
    return BEAM_OK;
}

static CURLcode configure(exchange *x, struct curl_slist *headers)
{
    const beam_http_request *r = x->request;
    long stall = r->stall_seconds ? r->stall_seconds : 60;
    CURL *curl = x->curl;
    CURLcode code = curl_easy_setopt(curl, CURLOPT_URL, r->url);
#define SET(option, value) \
    if (code == CURLE_OK)  \
    code = curl_easy_setopt(curl, option, value)
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1); /* a connection a thread is faster */
    SET(CURLOPT_CONNECTTIMEOUT, (long)(r->connect_seconds ? r->connect_seconds : 20));
    SET(CURLOPT_LOW_SPEED_LIMIT, 1L);
    SET(CURLOPT_LOW_SPEED_TIME, stall);
    SET(CURLOPT_TIMEOUT_MS, (long)r->timeout_ms);
    if (beam_http_is_loopback(r->url))
        SET(CURLOPT_NOPROXY, "*"); /* what is for this machine stays here */
    SET(CURLOPT_USERAGENT, "libbeam");
    SET(CURLOPT_ERRORBUFFER, x->words);
    SET(CURLOPT_BUFFERSIZE, 256L << 10);
    SET(CURLOPT_UPLOAD_BUFFERSIZE, 256L << 10);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, x);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, x);
    SET(CURLOPT_HTTPHEADER, headers);
    if (r->stop) {
        SET(CURLOPT_NOPROGRESS, 0L);
        SET(CURLOPT_XFERINFOFUNCTION, on_progress);
        SET(CURLOPT_XFERINFODATA, (void *)(uintptr_t)r->stop);
    }
    if (r->body || strcmp(r->method, "GET") != 0) { /* a body of no bytes says so, too */
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_POSTFIELDS, r->body ? r->body : "");
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_size);
    }
    SET(CURLOPT_CUSTOMREQUEST, r->method);
#undef SET
    return code;
}

beam_status beam_http_cancelled(const char *url, beam_error *err)
{
    int len = (int)strcspn(url, "?"); /* what follows may be a secret */
    return beam_error_set(err, BEAM_CANCELLED, "cancelled before %.*s answered", len, url);
}

static beam_status explain(const exchange *x, CURLcode code, beam_error *err)
{
    const char *words = x->words[0] ? x->words : curl_easy_strerror(code);
    int len = (int)strcspn(x->request->url, "?"); /* what follows may be a secret */
    if (x->status == BEAM_OUT_OF_RANGE)
        return beam_error_set(err, BEAM_DATA_LOSS, "%.*s answers more than was asked for", len,
                              x->request->url);
    if (x->status != BEAM_OK || code == CURLE_OUT_OF_MEMORY)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for the answer of %.*s", len,
                              x->request->url);
    if (code == CURLE_ABORTED_BY_CALLBACK)
        return beam_http_cancelled(x->request->url, err);
    if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "%.*s is no address: %s", len,
                              x->request->url, words);
    if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE)
        return beam_error_set(err, BEAM_UNAUTHENTICATED,
                              "%.*s cannot show that it is who it says: %s", len, x->request->url,
                              words);
    return beam_error_set(err, BEAM_UNAVAILABLE, "no answer from %.*s: %s", len, x->request->url,
                          words);
}

beam_status beam_http_perform(beam_http *http, const beam_http_request *request,
                              beam_http_response *response, beam_error *err)
{
    exchange x = {.request = request, .response = response};
    struct curl_slist *headers;
    *response = (beam_http_response){0};
    if (!is_printable(request->url, '!'))
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "an address has a blank, a control character or other than ASCII in "
                              "it: %s",
                              request->url);
    BEAM_TRY(take(http, &x.curl, err));
    beam_status status = make_headers(request, &headers, err);
    if (status == BEAM_OK) {
        CURLcode code = configure(&x, headers);
        if (code == CURLE_OK)
            code = curl_easy_perform(x.curl);
        if (code == CURLE_OK)
            (void)curl_easy_getinfo(x.curl, CURLINFO_RESPONSE_CODE, &response->code);
        else
            status = explain(&x, code, err);
        curl_slist_free_all(headers);
    }
    put_back(http, x.curl);
    if (status != BEAM_OK)
        beam_http_response_free(response);
    return status;
}

void beam_http_response_free(beam_http_response *response)
{
    beam_buffer_free(&response->body);
}

/* ---- Addresses ------------------------------------------------------------------------------- */

beam_status beam_http_escape(beam_buffer *to, beam_str text)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        const char coded[3] = {'%', digits[c >> 4], digits[c & 15]};
        bool is_plain = c && strchr(plain, c);
        BEAM_TRY(is_plain ? beam_buffer_u8(to, c) : beam_buffer_append(to, coded, sizeof coded));
    }
    return BEAM_OK;
}

bool beam_http_is_loopback(const char *url)
{
    static const char *const hosts[] = {"http://127.0.0.1", "http://localhost", "http://[::1]"};
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        size_t n = strlen(hosts[i]);
        if (strncmp(url, hosts[i], n) == 0 && (url[n] == ':' || url[n] == '/' || !url[n]))
            return true;
    }
    return false;
}
