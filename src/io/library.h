/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* library.h - the functions that reading and writing files run; library.c lists them, so that
 * a worker finds them. */
#ifndef IO_LIBRARY_H
#define IO_LIBRARY_H

#include <beam/io.h>

/* match.c: which files. */
#define BEAM_MATCH_CONFIG_(FIELD, S) FIELD(S, beam_str, pattern) FIELD(S, beam_bool, may_be_empty)
BEAM_STRUCT(beam_match_config, BEAM_MATCH_CONFIG_);
extern const beam_dofn beam_match_fn; /* beam_bytes to beam_file_metadata */

#define BEAM_READ_FILES_CONFIG_(FIELD, S) \
    FIELD(S, beam_int64, compression) FIELD(S, beam_int64, max_size)
BEAM_STRUCT(beam_read_files_config, BEAM_READ_FILES_CONFIG_);
extern const beam_dofn beam_read_files_fn; /* beam_file_metadata to beam_file_contents */

/* text.c */
#define BEAM_READ_TEXT_CONFIG_(FIELD, S) \
    FIELD(S, beam_int64, compression)    \
    FIELD(S, beam_int64, skip_header_lines) FIELD(S, beam_bool, keep_newlines)
BEAM_STRUCT(beam_read_text_config, BEAM_READ_TEXT_CONFIG_);
extern const beam_dofn beam_read_text_fn; /* beam_file_metadata to beam_str, splittable */

/* tfrecord.c */
#define BEAM_READ_RECORDS_CONFIG_(FIELD, S) FIELD(S, beam_int64, compression)
BEAM_STRUCT(beam_read_records_config, BEAM_READ_RECORDS_CONFIG_);
extern const beam_dofn beam_read_tfrecord_fn; /* beam_file_metadata to beam_bytes */

/* write.c: temporary files, then all of them renamed. */
#define BEAM_WRITE_CONFIG_(FIELD, S)        \
    FIELD(S, beam_str, prefix)              \
    FIELD(S, beam_str, suffix)              \
    FIELD(S, beam_str, header)              \
    FIELD(S, beam_str, footer)              \
    FIELD(S, beam_str, temp_folder)         \
    FIELD(S, beam_int64, compression)       \
    FIELD(S, beam_int64, num_shards)        \
    FIELD(S, beam_bool, without_shard_name) \
    FIELD(S, beam_bool, windowed) FIELD(S, beam_bool, records)
BEAM_STRUCT(beam_write_config, BEAM_WRITE_CONFIG_);
BEAM_KV(beam_temp_file, beam_int64, beam_str); /* 0 and the file's path; "": no file */
BEAM_GROUPED(beam_temp_files, beam_int64, beam_str);
BEAM_KV(beam_sharded_bytes, beam_int64, beam_bytes);
BEAM_GROUPED(beam_shard, beam_int64, beam_bytes);
BEAM_KV(beam_sharded_text, beam_int64, beam_str);
BEAM_GROUPED(beam_text_shard, beam_int64, beam_str);
extern const beam_dofn beam_write_text_fn, beam_write_records_fn; /* T to beam_temp_file */
extern const beam_dofn beam_shard_text_fn, beam_shard_records_fn; /* T to KV<beam_int64, T> */
extern const beam_dofn beam_write_text_shard_fn, beam_write_record_shard_fn;
extern const beam_dofn beam_no_file_fn; /* beam_bytes to a beam_temp_file without path */
extern const beam_dofn beam_publish_fn; /* beam_temp_files to the files' names */

/* All of them. */
const beam_functions *beam_io_functions(void);

#endif
