/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "net/auth.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <beam/log.h>

#include "base/alloc.h"
#include "base/file.h"

enum { EARLY_SECONDS = 240, TRIES = 5, MOST_FILE = 1 << 20 };

struct beam_auth {
    beam_http *http;
    bool metadata; /* no file: the metadata server's */
    beam_auth_file file;
    pthread_mutex_t mutex; /* over what follows; held while a token is fetched: once is enough */
    char *header;
    int64_t ends; /* seconds since 1970, by when another is needed */
};

static const char ways[] =
    "there are no credentials for Google Cloud. Give some in one of three ways: run `gcloud auth "
    "application-default login`; or set GOOGLE_APPLICATION_CREDENTIALS to the key file of a "
    "service account; or run in Google Cloud on a machine with a service account";

static beam_status no_memory(beam_error *err)
{
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for credentials");
}

static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

/* ---- Finding credentials ------------------------------------------------------------------ */

static void warn_of_mode(const char *path, const beam_auth_file *file)
{
    struct stat st;
    if (file->kind == BEAM_AUTH_SERVICE_ACCOUNT && stat(path, &st) == 0 && (st.st_mode & 077) != 0)
        BEAM_LOG(NULL, BEAM_LOG_WARNING,
                 "others on this machine may read the private key in %s; `chmod 600 %s`", path,
                 path);
}

static beam_status read_file(const char *path, beam_auth_file *file, beam_error *err)
{
    beam_file_view view;
    beam_error why = {0};
    beam_status status = beam_file_view_open(path, &view, &why);
    if (status != BEAM_OK)
        return beam_error_set(err, BEAM_UNAUTHENTICATED, "no credentials: %s", why.message);
    if (view.size > MOST_FILE)
        status = beam_error_set(err, BEAM_UNAUTHENTICATED, "%s is too large for credentials", path);
    else
        status = beam_auth_parse(path, view.data, view.size, file, err);
    beam_file_view_close(&view);
    if (status == BEAM_OK)
        warn_of_mode(path, file);
    return status;
}

static const char *metadata_host(void)
{
    const char *host = variable("GCE_METADATA_HOST");
    return host ? host : "metadata.google.internal";
}

static beam_status ask_metadata(beam_http *http, const char *what, beam_http_response *response,
                                beam_error *err)
{
    static const char *const headers[] = {"Metadata-Flavor: Google"};
    char *url = beam_asprintf("http://%s/computeMetadata/v1/%s", metadata_host(), what);
    if (!url)
        return no_memory(err);
    const beam_http_request request = {.method = "GET",
                                       .url = url,
                                       .headers = headers,
                                       .n_headers = 1,
                                       .connect_seconds = 2,
                                       .stall_seconds = 10};
    beam_status status = beam_http_perform(http, &request, response, err);
    beam_free(url);
    return status;
}

static beam_status find_metadata(beam_auth *auth, beam_error *err)
{
    beam_http_response response;
    beam_status status =
        ask_metadata(auth->http, "instance/service-accounts/default/email", &response, NULL);
    auth->metadata = status == BEAM_OK && response.code == 200;
    if (status == BEAM_OK)
        beam_http_response_free(&response);
    if (status == BEAM_RESOURCE_EXHAUSTED)
        return no_memory(err);
    return auth->metadata ? BEAM_OK : beam_error_set(err, BEAM_UNAUTHENTICATED, "%s", ways);
}

static beam_status find(beam_auth *auth, beam_error *err)
{
    const char *named = variable("GOOGLE_APPLICATION_CREDENTIALS");
    const char *config = variable("CLOUDSDK_CONFIG"), *home = variable("HOME");
    char *path = NULL;
    if (named)
        return read_file(named, &auth->file, err);
    if (!config && !home)
        return find_metadata(auth, err);
    path = config ? beam_asprintf("%s/application_default_credentials.json", config)
                  : beam_asprintf("%s/.config/gcloud/application_default_credentials.json", home);
    if (!path)
        return no_memory(err);
    beam_status status =
        access(path, F_OK) == 0 ? read_file(path, &auth->file, err) : find_metadata(auth, err);
    beam_free(path);
    return status;
}

beam_status beam_auth_open(beam_http *http, beam_auth **out, beam_error *err)
{
    *out = NULL;
    beam_auth *auth = beam_calloc(1, sizeof *auth);
    if (!auth)
        return no_memory(err);
    auth->http = http;
    if (pthread_mutex_init(&auth->mutex, NULL) != 0) {
        beam_free(auth);
        return no_memory(err);
    }
    beam_status status = find(auth, err);
    if (status == BEAM_OK)
        *out = auth;
    else
        beam_auth_close(auth);
    return status;
}

void beam_auth_close(beam_auth *auth)
{
    if (!auth)
        return;
    beam_auth_file_free(&auth->file);
    beam_free(auth->header);
    pthread_mutex_destroy(&auth->mutex);
    beam_free(auth);
}

const char *beam_auth_quota_project(const beam_auth *auth)
{
    const char *project = variable("GOOGLE_CLOUD_QUOTA_PROJECT");
    return project ? project : auth ? auth->file.quota_project : NULL;
}

/* ---- Tokens --------------------------------------------------------------------------------- */

static beam_status add_field(beam_buffer *form, const char *name, const char *value)
{
    BEAM_TRY(beam_buffer_printf(form, "%s%s=", form->len ? "&" : "", name));
    return beam_http_escape(form, beam_str_of(value));
}

static beam_status make_form(const beam_auth_file *file, beam_buffer *form, beam_error *err)
{
    beam_status status = BEAM_OK;
    if (file->kind == BEAM_AUTH_SERVICE_ACCOUNT) {
        char *jwt;
        BEAM_TRY(beam_auth_jwt(file, (int64_t)time(NULL), &jwt, err));
        status = add_field(form, "grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
        if (status == BEAM_OK)
            status = add_field(form, "assertion", jwt);
        beam_free(jwt);
    } else {
        status = add_field(form, "grant_type", "refresh_token");
        if (status == BEAM_OK)
            status = add_field(form, "client_id", file->client_id);
        if (status == BEAM_OK)
            status = add_field(form, "client_secret", file->client_secret);
        if (status == BEAM_OK)
            status = add_field(form, "refresh_token", file->refresh);
    }
    return status == BEAM_OK ? BEAM_OK : no_memory(err);
}

static beam_status ask(beam_auth *auth, beam_http_response *response, beam_error *err)
{
    static const char *const headers[] = {"Content-Type: application/x-www-form-urlencoded"};
    if (auth->metadata)
        return ask_metadata(auth->http, "instance/service-accounts/default/token", response, err);
    beam_buffer form = {0};
    beam_status status = make_form(&auth->file, &form, err);
    if (status == BEAM_OK) {
        const beam_http_request request = {.method = "POST",
                                           .url = auth->file.token_uri,
                                           .headers = headers,
                                           .n_headers = 1,
                                           .body = form.data,
                                           .body_size = form.len};
        status = beam_http_perform(auth->http, &request, response, err);
    }
    if (form.data)
        explicit_bzero(form.data, form.len);
    beam_buffer_free(&form);
    return status;
}

/* The answer may hold what we sent, so of its body only Google's name for the error is shown. */
static beam_status refuse(const beam_auth *auth, const beam_http_response *response,
                          beam_error *err)
{
    const char *from = auth->metadata ? "the metadata server" : auth->file.token_uri;
    const char invalid[] = "invalid_grant";
    bool revoked = response->body.len &&
                   memmem(response->body.data, response->body.len, invalid, sizeof invalid - 1);
    return beam_error_set(err, BEAM_UNAUTHENTICATED, "%s gives no access token: it answers %ld%s",
                          from, response->code,
                          revoked ? " (invalid_grant): the credentials ended or were revoked, or "
                                    "this machine's clock is wrong"
                                  : "");
}

static beam_status take_token(beam_auth *auth, const beam_http_response *response, beam_error *err)
{
    char *token;
    int64_t seconds;
    BEAM_TRY(beam_auth_parse_token(response->body.data, response->body.len, &token, &seconds, err));
    char *header = beam_asprintf("Authorization: Bearer %s", token);
    beam_free(token);
    if (!header)
        return no_memory(err);
    beam_free(auth->header);
    auth->header = header;
    auth->ends =
        (int64_t)time(NULL) + (seconds > 2 * EARLY_SECONDS ? seconds - EARLY_SECONDS : seconds / 2);
    return BEAM_OK;
}

static beam_status fetch(beam_auth *auth, beam_error *err)
{
    for (int try = 1;; try++) {
        beam_http_response response;
        beam_status status = ask(auth, &response, err);
        bool again = status == BEAM_UNAVAILABLE;
        if (status == BEAM_OK) {
            again = response.code == 429 || response.code >= 500;
            status = response.code == 200 ? take_token(auth, &response, err)
                                          : refuse(auth, &response, err);
            if (response.body.data)
                explicit_bzero(response.body.data, response.body.len);
            beam_http_response_free(&response);
        }
        if (status == BEAM_OK || !again || try == TRIES)
            return status;
        const struct timespec pause = {.tv_sec = (1 << try) / 4, .tv_nsec = 250000000};
        (void)nanosleep(&pause, NULL);
    }
}

beam_status beam_auth_header(beam_auth *auth, const char *refused, char **header, beam_error *err)
{
    beam_status status = BEAM_OK;
    *header = NULL;
    pthread_mutex_lock(&auth->mutex);
    bool usable = auth->header && (int64_t)time(NULL) < auth->ends &&
                  (!refused || strcmp(auth->header, refused) != 0);
    if (!usable)
        status = fetch(auth, err);
    if (status == BEAM_OK && !(*header = beam_strdup(auth->header)))
        status = no_memory(err);
    pthread_mutex_unlock(&auth->mutex);
    return status;
}
