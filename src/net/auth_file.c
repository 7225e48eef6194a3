/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* auth_file.c - what credential files and token services say, and the signing of requests. */
#include <jansson.h>
#include <string.h>

#include "base/alloc.h"
#include "net/auth.h"
#include "net/crypto_library.h"

static const char google_tokens[] = "https://oauth2.googleapis.com/token";

static beam_status no_memory(beam_error *err)
{
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for credentials");
}

/* A secret does not stay in freed memory. */
static void forget(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    beam_free(text);
}

void beam_auth_file_free(beam_auth_file *f)
{
    forget(f->private_key);
    forget(f->client_secret);
    forget(f->refresh);
    beam_free(f->email);
    beam_free(f->key_id);
    beam_free(f->client_id);
    beam_free(f->token_uri);
    beam_free(f->quota_project);
    *f = (beam_auth_file){0};
}

static beam_status field(const json_t *json, const char *name, const char *path, bool needed,
                         char **value, beam_error *err)
{
    const char *text = json_string_value(json_object_get(json, name));
    if (!text && needed)
        return beam_error_set(err, BEAM_UNAUTHENTICATED,
                              "%s has no \"%s\": it is no complete file of credentials", path,
                              name);
    if (text && !(*value = beam_strdup(text)))
        return no_memory(err);
    return BEAM_OK;
}

static beam_status read_fields(const json_t *json, const char *path, beam_auth_file *f,
                               beam_error *err)
{
    const char *type = json_string_value(json_object_get(json, "type"));
    if (type && strcmp(type, "service_account") == 0) {
        f->kind = BEAM_AUTH_SERVICE_ACCOUNT;
        BEAM_TRY(field(json, "client_email", path, true, &f->email, err));
        BEAM_TRY(field(json, "private_key", path, true, &f->private_key, err));
        BEAM_TRY(field(json, "private_key_id", path, false, &f->key_id, err));
    } else if (type && strcmp(type, "authorized_user") == 0) {
        f->kind = BEAM_AUTH_USER;
        BEAM_TRY(field(json, "client_id", path, true, &f->client_id, err));
        BEAM_TRY(field(json, "client_secret", path, true, &f->client_secret, err));
        BEAM_TRY(field(json, "refresh_token", path, true, &f->refresh, err));
    } else {
        return beam_error_set(err, BEAM_UNAUTHENTICATED,
                              "%s holds credentials of type \"%.40s\"; service_account and "
                              "authorized_user can be used here",
                              path, type ? type : "");
    }
    BEAM_TRY(field(json, "quota_project_id", path, false, &f->quota_project, err));
    BEAM_TRY(field(json, "token_uri", path, false, &f->token_uri, err));
    if (!f->token_uri && !(f->token_uri = beam_strdup(google_tokens)))
        return no_memory(err);
    if (strncmp(f->token_uri, "https://", 8) != 0 && !beam_http_is_loopback(f->token_uri))
        return beam_error_set(err, BEAM_UNAUTHENTICATED,
                              "%s wants secrets sent to a token_uri that is not https://", path);
    return BEAM_OK;
}

beam_status beam_auth_parse(const char *path, const void *text, size_t size, beam_auth_file *file,
                            beam_error *err)
{
    *file = (beam_auth_file){0};
    json_t *json = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
    if (!json)
        return beam_error_set(err, BEAM_UNAUTHENTICATED, "%s is no JSON file of credentials", path);
    beam_status status = read_fields(json, path, file, err);
    json_decref(json);
    return status;
}

beam_status beam_auth_parse_token(const void *text, size_t size, char **token, int64_t *seconds,
                                  beam_error *err)
{
    *token = NULL;
    json_t *json = json_loadb(text, size, 0, NULL);
    const char *access = json_string_value(json_object_get(json, "access_token"));
    const json_t *expires = json_object_get(json, "expires_in");
    beam_status status = BEAM_OK;
    size_t len = access ? strlen(access) : 0;
    bool visible = len > 0 && len < 16384;
    for (size_t i = 0; visible && i < len; i++)
        visible = access[i] > ' ' && access[i] < 127;
    if (!visible)
        status = beam_error_set(err, BEAM_UNAUTHENTICATED, "the answer holds no access token");
    else if (!(*token = beam_strdup(access)))
        status = no_memory(err);
    json_int_t lasts = json_is_integer(expires) ? json_integer_value(expires) : 0;
    *seconds = lasts < 0 ? 0 : lasts > 86400 ? 86400 : lasts;
    json_decref(json);
    return status;
}

/* ---- Signing ------------------------------------------------------------------------------ */

static beam_status base64url(beam_buffer *to, const void *data, size_t size)
{
    BEAM_TRY(beam_buffer_reserve(to, size / 3 * 4 + 5));
    uint8_t *at = to->data + to->len;
    int n = EVP_EncodeBlock(at, data, (int)size);
    while (n > 0 && at[n - 1] == '=')
        n--;
    for (int i = 0; i < n; i++)
        at[i] = at[i] == '+' ? '-' : at[i] == '/' ? '_' : at[i];
    to->len += (size_t)n;
    return BEAM_OK;
}

static beam_status add_part(beam_buffer *to, json_t *json)
{
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    beam_status status = text ? base64url(to, text, strlen(text)) : BEAM_RESOURCE_EXHAUSTED;
    free(text);
    json_decref(json);
    return status;
}

static beam_status sign(const char *key, beam_buffer *jwt, beam_error *err)
{
    uint8_t signature[1024];
    size_t size = sizeof signature;
    BIO *bio = BIO_new_mem_buf(key, -1);
    /* An empty pass phrase: OpenSSL would ask on the terminal for one. */
    EVP_PKEY *pkey = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *)(uintptr_t) "") : NULL;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool ok = pkey && md && EVP_PKEY_base_id(pkey) == EVP_PKEY_RSA &&
              EVP_PKEY_size(pkey) <= (int)sizeof signature &&
              EVP_DigestSignInit(md, NULL, EVP_sha256(), NULL, pkey) == 1 &&
              EVP_DigestSign(md, signature, &size, jwt->data, jwt->len) == 1;
    EVP_MD_CTX_free(md);
    EVP_PKEY_free(pkey);
    BIO_free(bio);
    if (!ok)
        return beam_error_set(err, BEAM_UNAUTHENTICATED,
                              "the private key of the service account cannot be used: it is no RSA "
                              "key in PEM; make a new key file");
    if (beam_buffer_u8(jwt, '.') != BEAM_OK || base64url(jwt, signature, size) != BEAM_OK)
        return no_memory(err);
    return BEAM_OK;
}

beam_status beam_auth_jwt(const beam_auth_file *file, int64_t now, char **out, beam_error *err)
{
    enum { LASTS = 3600 };
    beam_buffer jwt = {0};
    *out = NULL;
    BEAM_TRY(beam_library_open(&beam_crypto_library, err));
    json_t *head = json_pack("{s:s,s:s,s:s*}", "alg", "RS256", "typ", "JWT", "kid", file->key_id);
    json_t *claims =
        json_pack("{s:s,s:s,s:s,s:I,s:I}", "iss", file->email, "scope",
                  "https://www.googleapis.com/auth/cloud-platform", "aud", file->token_uri, "iat",
                  (json_int_t)now, "exp", (json_int_t)now + LASTS);
    beam_status status = add_part(&jwt, head);
    if (status == BEAM_OK)
        status = beam_buffer_u8(&jwt, '.');
    if (status == BEAM_OK)
        status = add_part(&jwt, claims);
    else
        json_decref(claims);
    status = status == BEAM_OK ? sign(file->private_key, &jwt, err) : no_memory(err);
    if (status == BEAM_OK && !(*out = beam_strndup((const char *)jwt.data, jwt.len)))
        status = no_memory(err);
    beam_buffer_free(&jwt);
    return status;
}
