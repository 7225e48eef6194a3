/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* auth.h - who this program is to Google Cloud: credentials found as Google's own clients find
 * them, and the access tokens they give.
 *
 * Looked for, in this order: the file that GOOGLE_APPLICATION_CREDENTIALS names (the key of a
 * service account, or a user's), what `gcloud auth application-default login` left, and the
 * metadata server of a machine in Google Cloud.  Tokens and keys appear in no message and no log.
 */
#ifndef NET_AUTH_H
#define NET_AUTH_H

#include "net/http.h"

typedef struct beam_auth beam_auth;

/* Finds the credentials.  UNAUTHENTICATED names the three ways to give some.  `http` is borrowed
 * and must live as long. */
beam_status beam_auth_open(beam_http *http, beam_auth **auth, beam_error *err);
void beam_auth_close(beam_auth *auth);

/* The header "Authorization: Bearer ..." into `header`, to be freed with beam_free: of a token kept
 * until shortly before it ends.  `refused`: such a header that a service did not take; another is
 * fetched then.  Any thread may call it. */
beam_status beam_auth_header(beam_auth *auth, const char *refused, char **header, beam_error *err);

/* The project that pays where the bucket's owner does not (GOOGLE_CLOUD_QUOTA_PROJECT, or what the
 * credentials say), or NULL. */
const char *beam_auth_quota_project(const beam_auth *auth);

/* For auth.c and its fuzzer. */
typedef struct beam_auth_file {
    enum { BEAM_AUTH_SERVICE_ACCOUNT, BEAM_AUTH_USER } kind;
    char *email, *private_key, *key_id;        /* of a service account */
    char *client_id, *client_secret, *refresh; /* of a user */
    char *token_uri, *quota_project;           /* NULL where it says none */
} beam_auth_file;
/* `path` is for messages.  Free what came with beam_auth_file_free, even after an error. */
beam_status beam_auth_parse(const char *path, const void *text, size_t size, beam_auth_file *file,
                            beam_error *err);
void beam_auth_file_free(beam_auth_file *file);
/* {"access_token":..., "expires_in":...}: the token is a string of visible ASCII. */
beam_status beam_auth_parse_token(const void *text, size_t size, char **token, int64_t *seconds,
                                  beam_error *err);
/* A JWT signed with RS256 that says `email` asks for a token at `now`; beam_free it. */
beam_status beam_auth_jwt(const beam_auth_file *file, int64_t now, char **jwt, beam_error *err);

#endif
