/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* digest.c - checksums by OpenSSL. */
#include "net/digest.h"

#include <stdint.h>
#include <string.h>

#include "base/alloc.h"
#include "net/crypto_library.h"

struct beam_digest {
    EVP_MD_CTX *context;
};

beam_status beam_digest_new(const char *algorithm, beam_digest **digest, beam_error *err)
{
    *digest = NULL;
    BEAM_TRY(beam_library_open(&beam_crypto_library, err));
    const EVP_MD *md = EVP_get_digestbyname(algorithm);
    if (!md)
        return beam_error_set(err, BEAM_UNIMPLEMENTED, "there is no digest %s", algorithm);
    beam_digest *d = beam_calloc(1, sizeof *d);
    if (!d)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a digest");
    d->context = EVP_MD_CTX_new();
    if (!d->context || EVP_DigestInit_ex(d->context, md, NULL) != 1) {
        beam_digest_free(d);
        return beam_error_set(err, BEAM_UNIMPLEMENTED, "OpenSSL on this machine cannot compute %s",
                              algorithm);
    }
    *digest = d;
    return BEAM_OK;
}

beam_status beam_digest_add(beam_digest *digest, const void *data, size_t size)
{
    return EVP_DigestUpdate(digest->context, data, size) == 1 ? BEAM_OK : BEAM_INTERNAL;
}

beam_status beam_digest_text(beam_digest *digest, char text[BEAM_DIGEST_TEXT])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t bytes[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (EVP_DigestFinal_ex(digest->context, bytes, &size) != 1 || size * 2 >= BEAM_DIGEST_TEXT)
        return BEAM_INTERNAL;
    for (unsigned i = 0; i < size; i++) {
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 15];
    }
    text[2 * size] = '\0';
    return BEAM_OK;
}

void beam_digest_free(beam_digest *digest)
{
    if (!digest)
        return;
    EVP_MD_CTX_free(digest->context);
    beam_free(digest);
}

beam_status beam_digest_check(const char *algorithm, const void *data, size_t size,
                              const char *expected, const char *what, beam_error *err)
{
    char text[BEAM_DIGEST_TEXT] = "";
    beam_digest *digest;
    BEAM_TRY(beam_digest_new(algorithm, &digest, err));
    beam_status status = beam_digest_add(digest, data, size);
    if (status == BEAM_OK)
        status = beam_digest_text(digest, text);
    beam_digest_free(digest);
    if (status != BEAM_OK)
        return beam_error_set(err, status, "%s: cannot compute its %s", what, algorithm);
    if (strncmp(text, expected, strlen(expected)) != 0)
        return beam_error_set(
            err, BEAM_DATA_LOSS, "%s: wrong checksum: its %s is %s, but should %s %s", what,
            algorithm, text, strlen(expected) < strlen(text) ? "start with" : "be", expected);
    return BEAM_OK;
}
