/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* crypto_library.h - OpenSSL's libcrypto, opened by the first checksum or signature: see
 * base/library.h. */
#ifndef NET_CRYPTO_LIBRARY_H
#define NET_CRYPTO_LIBRARY_H

#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/library.h"

#define BEAM_CRYPTO_FUNCTIONS(X) \
    X(BIO_free)                  \
    X(BIO_new_mem_buf)           \
    X(EVP_DigestFinal_ex)        \
    X(EVP_DigestInit_ex)         \
    X(EVP_DigestSign)            \
    X(EVP_DigestSignInit)        \
    X(EVP_DigestUpdate)          \
    X(EVP_EncodeBlock)           \
    X(EVP_MD_CTX_free)           \
    X(EVP_MD_CTX_new)            \
    X(EVP_PKEY_free)             \
    X(EVP_PKEY_get_base_id)      \
    X(EVP_PKEY_get_size)         \
    X(EVP_get_digestbyname)      \
    X(EVP_sha256)                \
    X(PEM_read_bio_PrivateKey)
BEAM_LIBRARY_DECLARE(beam_crypto, BEAM_CRYPTO_FUNCTIONS);

#define BIO_free beam_crypto_functions.BIO_free
#define BIO_new_mem_buf beam_crypto_functions.BIO_new_mem_buf
#define EVP_DigestFinal_ex beam_crypto_functions.EVP_DigestFinal_ex
#define EVP_DigestInit_ex beam_crypto_functions.EVP_DigestInit_ex
#define EVP_DigestSign beam_crypto_functions.EVP_DigestSign
#define EVP_DigestSignInit beam_crypto_functions.EVP_DigestSignInit
#define EVP_DigestUpdate beam_crypto_functions.EVP_DigestUpdate
#define EVP_EncodeBlock beam_crypto_functions.EVP_EncodeBlock
#define EVP_MD_CTX_free beam_crypto_functions.EVP_MD_CTX_free
#define EVP_MD_CTX_new beam_crypto_functions.EVP_MD_CTX_new
#define EVP_PKEY_free beam_crypto_functions.EVP_PKEY_free
#define EVP_PKEY_get_base_id beam_crypto_functions.EVP_PKEY_get_base_id
#define EVP_PKEY_get_size beam_crypto_functions.EVP_PKEY_get_size
#define EVP_get_digestbyname beam_crypto_functions.EVP_get_digestbyname
#define EVP_sha256 beam_crypto_functions.EVP_sha256
#define PEM_read_bio_PrivateKey beam_crypto_functions.PEM_read_bio_PrivateKey

#endif
