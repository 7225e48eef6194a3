/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* zip.h - finds the members of a zip archive that lies in memory. */
#ifndef ML_ZIP_H
#define ML_ZIP_H

#include <beam/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct beam_zip_entry {
    const char *name; /* in the archive, no NUL behind */
    size_t name_len;
    const uint8_t *packed;
    size_t packed_size, size;
    uint32_t crc;
    bool deflated;       /* false: stored, so packed is the member itself */
    const uint8_t *data; /* for the archive's user: where the member's bytes are */
} beam_zip_entry;

typedef struct beam_zip {
    beam_zip_entry *entries; /* sorted by name, none twice */
    size_t count;
} beam_zip;

/* Reads the central directory (with its 64-bit forms) and each member's own header.  `what`
 * names the archive in messages; `data` must outlive *zip. */
beam_status beam_zip_open(const uint8_t *data, size_t size, const char *what, beam_zip *zip,
                          beam_error *err);
void beam_zip_close(beam_zip *zip);

/* NULL when there is none. */
beam_zip_entry *beam_zip_find(const beam_zip *zip, const char *name, size_t name_len);

/* Unpacks a deflated member into `to`, which has entry->size bytes. */
beam_status beam_zip_inflate(const beam_zip_entry *entry, const char *what, uint8_t *to,
                             beam_error *err);
/* Compares a member's bytes with its CRC-32; 0 is taken for none, which writers in a hurry leave.
 */
beam_status beam_zip_check(const beam_zip_entry *entry, const char *what, const uint8_t *data,
                           beam_error *err);

#endif
