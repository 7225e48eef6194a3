/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* gs.h - Cloud Storage by its JSON API, in four layers:
 *
 *     gs.c          the file system: paths, patterns, folders that are only names
 *     gs_read.c, gs_write.c, gs_upload.c    an object from front to back, both ways
 *     gs_object.c   one function for each thing that can be done to an object
 *     gs_client.c   one request: address, token, tries, what an answer's code means
 *     gs_wire.c     names and what servers say, parsed (hostile)
 *
 * One client serves the process: a connection is made once, and a token fetched once.  It opens by
 * itself.  STORAGE_EMULATOR_HOST names another service, which wants no credentials;
 * CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE one that does.
 *
 * Whatever changes an object names the generation it expects there (0: none), so that a request
 * that arrives twice, or late, does nothing; and every body's CRC-32C is checked on both sides. */
#ifndef IO_GS_H
#define IO_GS_H

#include "io/filesystem_driver.h"
#include "net/rest.h"

extern const beam_fs_driver beam_gs_driver;

/* What tests make smaller, before the first call. */
typedef struct beam_gs_settings {
    size_t part;     /* bytes an upload sends at once; a multiple of 256 KiB */
    size_t range;    /* bytes a download asks for at once */
    int first_ms;    /* the first pause before another try, doubled each time */
    int deadline_ms; /* no further try after this */
} beam_gs_settings;
extern beam_gs_settings beam_gs_settings_now;

/* Closes the connections and forgets the credentials; the next call begins anew (tests). */
void beam_gs_close(void);

/* ---- gs_wire.c --------------------------------------------------------------------------- */

enum { BEAM_GS_NAME = 1025, BEAM_GS_BUCKET = 223 };

/* gs://bucket/name. */
typedef struct beam_gs_place {
    char bucket[BEAM_GS_BUCKET];
    char name[BEAM_GS_NAME]; /* "" for the bucket itself */
} beam_gs_place;

/* A name is at most 1024 bytes of UTF-8 without control characters. */
beam_status beam_gs_parse_path(beam_str path, beam_gs_place *place, beam_error *err);

typedef struct beam_gs_object {
    int64_t generation, size, updated; /* milliseconds since 1970 */
    uint32_t crc32c;
    bool has_crc32c;
} beam_gs_object;

/* The objects resource.  BEAM_DATA_LOSS when it is not one. */
beam_status beam_gs_parse_object(const void *text, size_t size, beam_gs_object *object);

typedef struct beam_gs_listing {
    beam_arena *arena; /* names and the token live here */
    char **names;
    beam_gs_object *objects;
    size_t n, capacity;
    char *next_page; /* NULL: it was the last */
} beam_gs_listing;

/* Adds a page to the listing. */
beam_status beam_gs_parse_page(const void *text, size_t size, beam_gs_listing *listing);

/* {"done":..., "rewriteToken":..., "resource":...}; the token is "" when done. */
beam_status beam_gs_parse_rewrite(const void *text, size_t size, beam_gs_object *object,
                                  char token[BEAM_HTTP_VALUE]);

/* "bytes=0-41" gives 42, "" 0. */
beam_status beam_gs_parse_range(const char *range, int64_t *have);

/* Where a bucket is: "US-CENTRAL1", "US" (several regions), and of two regions which. */
typedef struct beam_gs_bucket {
    char location[64], parts[2][64];
} beam_gs_bucket;
beam_status beam_gs_parse_bucket(const void *text, size_t size, beam_gs_bucket *bucket);

void beam_gs_crc_text(uint32_t crc, char text[9]); /* base64 of its four bytes */
bool beam_gs_crc_parse(const char *text, uint32_t *crc);

/* ---- gs_client.c ------------------------------------------------------------------------- */

typedef struct beam_gs_call {
    const char *method;
    const beam_gs_place *place; /* for messages */
    const char *doing;          /* "read", "write", ... */
    const char *path;           /* behind the service's address: "/storage/v1/b/..." */
    const char *session;        /* or the whole address of an upload; it carries no token */
    const char *headers[3];     /* NULL: no more */
    const void *body;
    size_t body_size;
    void *into; /* exactly this many bytes come, or it is tried again */
    size_t into_size;
    /* Reads a 2xx answer.  After BEAM_DATA_LOSS and BEAM_UNAVAILABLE it is tried again. */
    beam_status (*parse)(void *user, const beam_http_response *response);
    void *user;
    bool once; /* no tries but the first, so that the caller finds out what arrived */
} beam_gs_call;

/* What breaks calls of this thread off: see beam_fs_stop. */
extern _Thread_local const int *beam_gs_stop;

/* BEAM_OK for 2xx and 308.  `answer` may be NULL.  FAILED_PRECONDITION: the generation was not the
 * expected one (412). */
beam_status beam_gs_perform(const beam_gs_call *call, beam_rest_answer *answer, beam_error *err);

/* Whether an address is of the service that is talked to. */
bool beam_gs_is_ours(const char *address);

/* ---- gs_object.c ------------------------------------------------------------------------- */

enum { BEAM_GS_ANY = -1 }; /* as an expected generation */

/* "/storage/v1/b/BUCKET/o[/NAME]" behind `prefix` into a buffer, NUL-terminated. */
beam_status beam_gs_address(beam_buffer *to, const char *prefix, const beam_gs_place *place,
                            bool with_name);

/* What place->bucket is.  It takes another right than its objects do. */
beam_status beam_gs_find_bucket(const beam_gs_place *place, beam_gs_bucket *bucket,
                                beam_error *err);
beam_status beam_gs_stat(const beam_gs_place *place, beam_gs_object *object, beam_error *err);
/* 0 when there is none. */
beam_status beam_gs_generation(const beam_gs_place *place, int64_t *generation, beam_error *err);
beam_status beam_gs_list(const beam_gs_place *prefix, bool with_folders, size_t most,
                         beam_gs_listing *listing, beam_error *err);
/* Nothing there is no error. */
beam_status beam_gs_remove(const beam_gs_place *place, int64_t generation, beam_error *err);
/* Of one bucket or another, without the bytes passing here. */
beam_status beam_gs_copy(const beam_gs_place *from, const beam_gs_object *source,
                         const beam_gs_place *to, int64_t expected, beam_error *err);

enum { BEAM_GS_COMPOSE = 32 }; /* at most so many at once */
typedef struct beam_gs_part {
    beam_gs_place place;
    int64_t generation;
} beam_gs_part;
beam_status beam_gs_compose(const beam_gs_part *parts, size_t n, const beam_gs_place *to,
                            int64_t expected, int64_t size, uint32_t crc32c, beam_gs_object *object,
                            beam_error *err);

/* Bytes with room before and behind for what a multipart upload puts around them. */
enum { BEAM_GS_HEAD = 8192, BEAM_GS_TAIL = 64 };
/* Writes into the BEAM_GS_HEAD bytes before `data` and the BEAM_GS_TAIL behind it. */
beam_status beam_gs_insert(const beam_gs_place *to, int64_t expected, uint8_t *data, size_t size,
                           beam_gs_object *object, beam_error *err);

/* When `status` is FAILED_PRECONDITION after a repeated request: whether it was an earlier try of
 * ours that made the generation another, for then all is well. */
beam_status beam_gs_settle(beam_status status, bool repeated, const beam_gs_place *to, int64_t size,
                           uint32_t crc32c, beam_gs_object *object, beam_error *err);

/* ---- gs_read.c, gs_write.c --------------------------------------------------------------- */

beam_status beam_gs_open(const char *path, beam_file **file, beam_error *err);
beam_status beam_gs_read(beam_file *file, void *data, size_t size, int64_t offset, size_t *got,
                         beam_error *err);
void beam_gs_close_file(beam_file *file);
beam_status beam_gs_view(const char *path, beam_file_view *view, beam_error *err);

beam_status beam_gs_create(const char *path, bool temporary, beam_writer **writer, beam_error *err);
beam_status beam_gs_write(beam_writer *writer, const void *data, size_t size, beam_error *err);
beam_status beam_gs_commit(beam_writer *writer, beam_error *err);
void beam_gs_abandon(beam_writer *writer);

/* gs_upload.c: a local file, in one resumable upload, which a later call - of another process, too
 * - takes up where an earlier one ended. */
beam_status beam_gs_upload(const char *file, const char *path, beam_error *err);

#endif
