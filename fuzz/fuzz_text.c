/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* fuzz_text.c - the reader of lines, as its pipeline runs it.  The first byte says how the file is
 * compressed, whether line ends stay and how many header lines there are; the rest are its bytes,
 * which reach the reader as a file that lies in memory.  A plain file's lines must add up to its
 * bytes. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <beam/io.h>
#include <beam/fn.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t bytes; /* in all lines */

static beam_status count(beam_ctx *c, const beam_str *line)
{
    (void)c;
    bytes += line->len;
    return BEAM_OK;
}
BEAM_DOFN(count_fn, beam_str, count, BEAM_TYPES(&beam_str_type));

static beam_status read_lines(const char *path, uint8_t how)
{
    const beam_read_text_args args = {.pattern = path,
                                      .compression = BEAM_COMPRESSION_NONE + how % 3,
                                      .keep_newlines = how & 4,
                                      .skip_header_lines = how >> 3 & 3,
                                      .file = __FILE__,
                                      .line = __LINE__};
    static const beam_logger quiet = {.min_level = BEAM_LOG_CRITICAL};
    const beam_pipeline_options made = {.struct_size = sizeof made, .logger = &quiet};
    const beam_run_options options = {
        .struct_size = sizeof options, .direct_num_workers = 1, .logger = &quiet};
    beam_pipeline *p = beam_pipeline_new(&made);
    if (!p)
        return BEAM_RESOURCE_EXHAUSTED;
    beam_pardo(beam_read_text_(p, &args), &count_fn);
    beam_status status = beam_pipeline_run(p, &options, NULL, NULL);
    beam_pipeline_free(p);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 1 << 16)
        return 0;
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (fd < 0)
        abort();
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    bytes = 0;
    if (write(fd, data + 1, size - 1) != (ssize_t)(size - 1))
        abort();
    beam_status status = read_lines(path, data[0]);
    bool plain = data[0] % 3 == 0, whole = (data[0] & 4) && (data[0] >> 3 & 3) == 0;
    if (plain && whole && (status != BEAM_OK || bytes != size - 1))
        abort();
    close(fd);
    return 0;
}
