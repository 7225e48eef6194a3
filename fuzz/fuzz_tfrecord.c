/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* fuzz_tfrecord.c - the reader of TFRecord files.  The first byte says how the rest is compressed;
 * the bytes reach the reader as a file that lies in memory. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "io/tfrecord.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every byte of what came through can be read. */
static void read_all(beam_stream *stream)
{
    beam_buffer record = {0};
    beam_error err = {0};
    bool end = false;
    for (uint64_t n = 0; !end && n < 1000; n++) {
        if (beam_tfrecord_read(stream, n, &record, &end, &err) != BEAM_OK)
            break;
        const volatile uint8_t *at = record.data;
        if (!end && record.len)
            (void)(at[0] + at[record.len - 1]);
    }
    beam_buffer_free(&record);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const beam_compression kinds[] = {BEAM_COMPRESSION_NONE, BEAM_COMPRESSION_GZIP,
                                             BEAM_COMPRESSION_ZSTD};
    if (size < 1 || size > 1 << 20)
        return 0;
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (fd < 0)
        abort();
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    beam_stream *stream;
    if (write(fd, data + 1, size - 1) == (ssize_t)(size - 1) &&
        beam_stream_open(beam_str_of(path), kinds[data[0] % 3], &stream, NULL) == BEAM_OK) {
        read_all(stream);
        beam_stream_close(stream);
    }
    close(fd);
    return 0;
}
