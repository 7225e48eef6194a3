/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* tfrecord.h - TFRecord's frames: u64 length, its masked CRC32C, the data, its masked CRC32C. */
#ifndef IO_TFRECORD_H
#define IO_TFRECORD_H

#include "base/buffer.h"
#include "io/stream.h"

/* The next record of a stream, into `data` (grown as bytes arrive). *end: there was none.
 * BEAM_DATA_LOSS names what is wrong and which record it is. */
beam_status beam_tfrecord_read(beam_stream *stream, uint64_t number, beam_buffer *data, bool *end,
                               beam_error *err);
beam_status beam_tfrecord_write(beam_output_file *file, beam_bytes record, beam_error *err);

#endif
