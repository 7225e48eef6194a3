/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* crc32c.h - the Castagnoli CRC of TFRecord and Cloud Storage (RFC 3720, appendix B.4). */
#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The CRC of `len` more bytes after those whose CRC is `crc` (0 at the start). */
uint32_t beam_crc32c(uint32_t crc, const void *data, size_t len);

#endif
