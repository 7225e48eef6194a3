/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* digest.h - checksums of what comes from elsewhere. */
#ifndef NET_DIGEST_H
#define NET_DIGEST_H

#include <beam/status.h>
#include <stddef.h>

enum { BEAM_DIGEST_TEXT = 65 }; /* 64 hexadecimal digits and a NUL */

typedef struct beam_digest beam_digest;

/* "sha256" or "md5". */
beam_status beam_digest_new(const char *algorithm, beam_digest **digest, beam_error *err);
beam_status beam_digest_add(beam_digest *digest, const void *data, size_t size);
/* In lower-case hexadecimal.  The digest can only be freed then. */
beam_status beam_digest_text(beam_digest *digest, char text[BEAM_DIGEST_TEXT]);
void beam_digest_free(beam_digest *digest);

/* BEAM_DATA_LOSS with both values unless the digest of `data` starts with `expected`. */
beam_status beam_digest_check(const char *algorithm, const void *data, size_t size,
                              const char *expected, const char *what, beam_error *err);

#endif
