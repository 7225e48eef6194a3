/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* zip.c - the zip container, as far as torch.save needs it (APPNOTE.TXT 4.3): one disk, no
 * encryption, stored or deflated members, 64-bit sizes. */
#include "ml/zip.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/alloc.h"

enum {
    END_SIZE = 22,
    END64_LOCATOR_SIZE = 20,
    END64_SIZE = 56,
    CENTRAL_SIZE = 46,
    LOCAL_SIZE = 30,
    EXTRA_ZIP64 = 1
};

typedef struct archive {
    const uint8_t *data;
    size_t size;
    const char *what;
    beam_error *err;
} archive;

static uint64_t le(const uint8_t *at, size_t bytes)
{
    uint64_t n = 0;
    for (size_t i = 0; i < bytes; i++)
        n |= (uint64_t)at[i] << (8 * i);
    return n;
}

static beam_status damaged(const archive *a, const char *why)
{
    return beam_error_set(a->err, BEAM_DATA_LOSS, "%s: damaged zip archive: %s", a->what, why);
}

/* `count` bytes at `offset`, or NULL. */
static const uint8_t *span(const archive *a, uint64_t offset, uint64_t count)
{
    if (offset > a->size || count > a->size - offset)
        return NULL;
    return a->data + offset;
}

/* The end record stands at the very end, before a comment of up to 64 KiB. */
static const uint8_t *find_end(const archive *a)
{
    if (a->size < END_SIZE)
        return NULL;
    size_t last = a->size - END_SIZE;
    size_t first = last > UINT16_MAX ? last - UINT16_MAX : 0;
    for (size_t at = last + 1; at-- > first;) {
        const uint8_t *end = a->data + at;
        if (memcmp(end, "PK\5\6", 4) == 0 && le(end + 20, 2) <= last - at)
            return end;
    }
    return NULL;
}

typedef struct directory {
    uint64_t count, size, offset;
} directory;

static beam_status find_directory(const archive *a, directory *d)
{
    const uint8_t *end = find_end(a);
    if (!end)
        return damaged(a, "its directory is missing, so it is truncated");
    *d = (directory){le(end + 10, 2), le(end + 12, 4), le(end + 16, 4)};
    if (d->count != UINT16_MAX && d->size != UINT32_MAX && d->offset != UINT32_MAX)
        return BEAM_OK;
    uint64_t at = (uint64_t)(end - a->data);
    const uint8_t *locator =
        at < END64_LOCATOR_SIZE ? NULL : span(a, at - END64_LOCATOR_SIZE, END64_LOCATOR_SIZE);
    if (!locator || memcmp(locator, "PK\6\7", 4) != 0)
        return BEAM_OK; /* 65,535 members and no 64-bit form: the fields mean what they say */
    const uint8_t *end64 = span(a, le(locator + 8, 8), END64_SIZE);
    if (!end64 || memcmp(end64, "PK\6\6", 4) != 0)
        return damaged(a, "its 64-bit directory is missing");
    *d = (directory){le(end64 + 32, 8), le(end64 + 40, 8), le(end64 + 48, 8)};
    return BEAM_OK;
}

/* Where a size or offset does not fit in 32 bits it is all ones, and the extra field holds the
 * 64-bit values of just those, in this order. */
static beam_status widen(const archive *a, const uint8_t *extra, size_t extra_len, uint64_t *size,
                         uint64_t *packed, uint64_t *offset)
{
    uint64_t *fields[3] = {size, packed, offset};
    size_t wanted = 0;
    for (size_t i = 0; i < 3; i++)
        if (*fields[i] == UINT32_MAX)
            fields[wanted++] = fields[i];
    if (!wanted)
        return BEAM_OK;
    for (size_t at = 0; at + 4 <= extra_len;) {
        size_t len = (size_t)le(extra + at + 2, 2);
        if (len > extra_len - at - 4)
            break;
        if (le(extra + at, 2) == EXTRA_ZIP64 && len >= 8 * wanted) {
            for (size_t i = 0; i < wanted; i++)
                *fields[i] = le(extra + at + 4 + 8 * i, 8);
            return BEAM_OK;
        }
        at += 4 + len;
    }
    return damaged(a, "a member lacks its 64-bit sizes");
}

static beam_status read_member(const archive *a, const uint8_t *central, const uint8_t *after,
                               beam_zip_entry *entry, size_t *taken)
{
    if ((size_t)(after - central) < CENTRAL_SIZE || memcmp(central, "PK\1\2", 4) != 0)
        return damaged(a, "its directory has fewer members than it says");
    size_t name_len = (size_t)le(central + 28, 2), extra_len = (size_t)le(central + 30, 2);
    *taken = CENTRAL_SIZE + name_len + extra_len + (size_t)le(central + 32, 2);
    if (*taken > (size_t)(after - central))
        return damaged(a, "a member's name runs out of its directory");
    uint64_t size = le(central + 24, 4), packed = le(central + 20, 4), offset = le(central + 42, 4);
    BEAM_TRY(widen(a, central + CENTRAL_SIZE + name_len, extra_len, &size, &packed, &offset));
    uint64_t flags = le(central + 8, 2), method = le(central + 10, 2);
    if ((flags & 1) || (method != 0 && method != 8))
        return damaged(a, "a member is encrypted or packed by an unusual method");
    const uint8_t *local = span(a, offset, LOCAL_SIZE);
    if (!local || memcmp(local, "PK\3\4", 4) != 0)
        return damaged(a, "a member is not where the directory says");
    uint64_t start = offset + LOCAL_SIZE + le(local + 26, 2) + le(local + 28, 2);
    const uint8_t *bytes = span(a, start, packed);
    if (!bytes)
        return damaged(a, "a member runs past the end, so it is truncated");
    if (size > SIZE_MAX / 2 || (method == 0 && size != packed))
        return damaged(a, "a member's sizes disagree");
    *entry = (beam_zip_entry){
        .name = (const char *)central + CENTRAL_SIZE,
        .name_len = name_len,
        .packed = bytes,
        .packed_size = (size_t)packed,
        .size = (size_t)size,
        .crc = (uint32_t)le(central + 16, 4),
        .deflated = method == 8,
    };
    return BEAM_OK;
}

static int compare_names(const char *a, size_t a_len, const char *b, size_t b_len)
{
    int order = memcmp(a, b, a_len < b_len ? a_len : b_len);
    return order ? order : (a_len > b_len) - (a_len < b_len);
}

static int by_name(const void *a, const void *b)
{
    const beam_zip_entry *x = a, *y = b;
    return compare_names(x->name, x->name_len, y->name, y->name_len);
}

static beam_status read_members(const archive *a, const directory *d, beam_zip *zip)
{
    const uint8_t *central = span(a, d->offset, d->size);
    if (!central || d->count > d->size / CENTRAL_SIZE)
        return damaged(a, "its directory is not where it says");
    const uint8_t *after = central + d->size;
    zip->entries = beam_calloc((size_t)d->count, sizeof *zip->entries);
    if (!zip->entries)
        return beam_error_set(a->err, BEAM_RESOURCE_EXHAUSTED, "%s: no memory to read it", a->what);
    for (zip->count = 0; zip->count < d->count; zip->count++) {
        size_t taken = 0;
        BEAM_TRY(read_member(a, central, after, &zip->entries[zip->count], &taken));
        central += taken;
    }
    qsort(zip->entries, zip->count, sizeof *zip->entries, by_name);
    for (size_t i = 1; i < zip->count; i++)
        if (by_name(&zip->entries[i - 1], &zip->entries[i]) == 0)
            return damaged(a, "two members have the same name");
    return BEAM_OK;
}

beam_status beam_zip_open(const uint8_t *data, size_t size, const char *what, beam_zip *zip,
                          beam_error *err)
{
    *zip = (beam_zip){0};
    archive a = {data, size, what, err};
    directory d = {0};
    beam_status status = find_directory(&a, &d);
    if (status == BEAM_OK)
        status = read_members(&a, &d, zip);
    if (status != BEAM_OK)
        beam_zip_close(zip);
    return status;
}

void beam_zip_close(beam_zip *zip)
{
    beam_free(zip->entries);
    *zip = (beam_zip){0};
}

beam_zip_entry *beam_zip_find(const beam_zip *zip, const char *name, size_t name_len)
{
    beam_zip_entry key = {.name = name, .name_len = name_len};
    return zip->count ? bsearch(&key, zip->entries, zip->count, sizeof key, by_name) : NULL;
}

static voidpf zip_alloc(voidpf unused, uInt items, uInt size)
{
    (void)unused;
    return beam_calloc(items, size);
}

static void zip_free(voidpf unused, voidpf address)
{
    (void)unused;
    beam_free(address);
}

static beam_status unsound(const beam_zip_entry *entry, const char *what, const char *why,
                           beam_error *err)
{
    return beam_error_set(err, BEAM_DATA_LOSS, "%s: damaged zip archive: member %.*s %s", what,
                          entry->name_len < 200 ? (int)entry->name_len : 200, entry->name, why);
}

beam_status beam_zip_inflate(const beam_zip_entry *entry, const char *what, uint8_t *to,
                             beam_error *err)
{
    z_stream z = {.zalloc = zip_alloc, .zfree = zip_free};
    if (inflateInit2(&z, -MAX_WBITS) != Z_OK)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "%s: no memory to unpack it", what);
    const uint8_t *in = entry->packed;
    size_t in_left = entry->packed_size, out_left = entry->size;
    int result = Z_OK;
    while (result == Z_OK) { /* zlib counts in 32 bits, so in pieces */
        uInt in_now = in_left < INT_MAX ? (uInt)in_left : INT_MAX;
        uInt out_now = out_left < INT_MAX ? (uInt)out_left : INT_MAX;
        z.next_in = (z_const Bytef *)(uintptr_t)in;
        z.avail_in = in_now;
        z.next_out = to;
        z.avail_out = out_now;
        result = inflate(&z, Z_NO_FLUSH);
        in += in_now - z.avail_in;
        in_left -= in_now - z.avail_in;
        to += out_now - z.avail_out;
        out_left -= out_now - z.avail_out;
    }
    (void)inflateEnd(&z);
    if (result == Z_MEM_ERROR)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "%s: no memory to unpack it", what);
    if (result != Z_STREAM_END || out_left)
        return unsound(entry, what, "does not unpack to the size it says", err);
    return BEAM_OK;
}

beam_status beam_zip_check(const beam_zip_entry *entry, const char *what, const uint8_t *data,
                           beam_error *err)
{
    if (entry->crc != 0 && crc32_z(crc32_z(0, NULL, 0), data, entry->size) != entry->crc)
        return unsound(entry, what, "does not match its checksum", err);
    return BEAM_OK;
}
