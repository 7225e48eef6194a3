/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* spill_file.h - a file without a name, for what memory has no room for: nothing is left
 * behind, however the process ends. */
#ifndef BASE_SPILL_FILE_H
#define BASE_SPILL_FILE_H

#include <beam/status.h>
#include <stdint.h>

/* Makes one in the folder; the caller closes *fd. */
beam_status beam_spill_file_open(const char *folder, int *fd, beam_error *err);
/* All of the bytes, at an offset; from any number of threads. */
beam_status beam_spill_file_write(int fd, uint64_t offset, const void *data, size_t size,
                                  beam_error *err);
beam_status beam_spill_file_read(int fd, uint64_t offset, void *data, size_t size, beam_error *err);

#endif
