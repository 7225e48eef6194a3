/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "io/library.h"

static const beam_dofn *const dofns[] = {
    &beam_match_fn,
    &beam_read_files_fn,
    &beam_read_text_fn,
    &beam_read_tfrecord_fn,
    &beam_write_text_fn,
    &beam_write_records_fn,
    &beam_shard_text_fn,
    &beam_shard_records_fn,
    &beam_write_text_shard_fn,
    &beam_write_record_shard_fn,
    &beam_no_file_fn,
    &beam_publish_fn,
};

const beam_functions *beam_io_functions(void)
{
    static const beam_functions functions = {
        .struct_size = sizeof functions, .dofns = dofns, .n_dofns = sizeof dofns / sizeof *dofns};
    return &functions;
}
