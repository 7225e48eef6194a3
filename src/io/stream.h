/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* stream.h - a file from front to back, decompressed on the way; and a file written so.  The
 * compressed bytes are foreign: a damaged file is BEAM_DATA_LOSS with its name. */
#ifndef IO_STREAM_H
#define IO_STREAM_H

#include <beam/io.h>

#include "io/filesystem.h"

/* AUTO made concrete by the name's end. */
beam_compression beam_compression_of(beam_compression wanted, beam_str path);

typedef struct beam_stream beam_stream;

beam_status beam_stream_open(beam_str path, beam_compression compression, beam_stream **stream,
                             beam_error *err);
/* Up to `size` bytes, fewer only at the end. */
beam_status beam_stream_read(beam_stream *stream, void *data, size_t size, size_t *got,
                             beam_error *err);
void beam_stream_close(beam_stream *stream);

/* A file being written at its (temporary) path. */
typedef struct beam_output_file beam_output_file;

beam_status beam_output_open(const char *path, beam_compression compression,
                             beam_output_file **file, beam_error *err);
beam_status beam_output_write(beam_output_file *file, const void *data, size_t size,
                              beam_error *err);
/* Flushes and closes; the file is gone again when that fails. Ends it. */
beam_status beam_output_close(beam_output_file *file, beam_error *err);
/* Closes and removes. Ends it; NULL is fine. */
void beam_output_abandon(beam_output_file *file);
const char *beam_output_path(const beam_output_file *file);

#endif
