/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* io.h - reading files into pipelines and writing them from pipelines.
 *
 * A path is local, or gs://bucket/name in Cloud Storage (docs/howto/cloud-storage.md).  A
 * pattern may hold *, ? and [abc] within a folder's or file's name, ** for anything, folders
 * included (but links to folders are not followed), and {a,b}.
 *
 * Files appear whole or not at all: what is written goes to temporary names first and is
 * renamed, with the total number of shards known, after every bundle is done; a try that
 * failed or an engine repeated leaves nothing behind.  When a run has ended, its files are on the
 * disk: a power failure does not leave them empty.
 */
#ifndef BEAM_IO_H
#define BEAM_IO_H

#include <beam/transform.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum beam_compression {
    BEAM_COMPRESSION_AUTO = 0, /* by the name's end: .gz, .zst; anything else is plain */
    BEAM_COMPRESSION_NONE,
    BEAM_COMPRESSION_GZIP, /* any number of members */
    BEAM_COMPRESSION_ZSTD  /* of frames; read with windows of up to 128 MiB, as by the program */
} beam_compression;

/* ---- Text ----------------------------------------------------------------------------- */

typedef struct beam_read_text_args {
    BEAM_COMMON_ARGS_;
    const char *pattern;
    const char *name;
    beam_compression compression;
    bool keep_newlines;        /* lines keep their line end; otherwise \n or \r\n is cut */
    int64_t skip_header_lines; /* of each file */
    bool empty_match_allowed;  /* a pattern that matches nothing is no error */
} beam_read_text_args;

/* Every line of every regular file that matches, as beam_str; a last line without line end counts.
 * Plain files are read in ranges, split while they are read; compressed ones whole.  An object
 * of Cloud Storage that is replaced meanwhile, or a local file that is cut short, fails the run; of
 * a local file that grows what was there at first is read.  Bytes that are no UTF-8 pass as they
 * are. */
BEAM_API beam_pcoll beam_read_text_(beam_pipeline *pipeline, const beam_read_text_args *args);
#define beam_read_text(pipeline, ...) \
    beam_read_text_((pipeline), BEAM_ARGS_(beam_read_text_args, __VA_ARGS__))

typedef struct beam_write_args {
    BEAM_COMMON_ARGS_;
    const char *prefix; /* path and the beginning of the names */
    const char *name;
    const char *suffix;          /* end of the names, ".txt"; NULL: none */
    uint32_t num_shards;         /* 0: as the runner likes */
    bool without_shard_name;     /* with one shard: the file is prefix + suffix alone */
    const char *header, *footer; /* a line at the beginning and the end of each file; text only */
    beam_compression compression;
} beam_write_args;

/* Writes beam_str elements as lines to prefix-SSSSS-of-NNNNN suffix, as Beam names them.
 * Gives the names of the files (beam_str), once each.  Fixed and sliding windows have files each,
 * with the window's bounds in their names.  Sessions are written as if there were no windows. Input
 * without windows and elements gives empty shards (one, or num_shards).  A file of that name is
 * replaced; shards that an earlier run left under other names stay.  Two sinks of a pipeline whose
 * files may have the same names, however their folder is written, fail its building. */
BEAM_API beam_pcoll beam_write_text_(beam_pcoll lines, const beam_write_args *args);
#define beam_write_text(lines, ...) \
    beam_write_text_((lines), BEAM_ARGS_(beam_write_args, __VA_ARGS__))

/* ---- TFRecord -------------------------------------------------------------------------- */

typedef struct beam_read_tfrecord_args {
    BEAM_COMMON_ARGS_;
    const char *pattern;
    const char *name;
    beam_compression compression;
    bool empty_match_allowed;
} beam_read_tfrecord_args;

/* Each record's bytes; checksums (masked CRC32C) are verified.  Format: TensorFlow's TFRecord,
 * length (u64), masked CRC of length, data, masked CRC of data, little endian. */
BEAM_API beam_pcoll beam_read_tfrecord_(beam_pipeline *pipeline,
                                        const beam_read_tfrecord_args *args);
#define beam_read_tfrecord(pipeline, ...) \
    beam_read_tfrecord_((pipeline), BEAM_ARGS_(beam_read_tfrecord_args, __VA_ARGS__))
BEAM_API beam_pcoll beam_write_tfrecord_(beam_pcoll records, const beam_write_args *args);
#define beam_write_tfrecord(records, ...) \
    beam_write_tfrecord_((records), BEAM_ARGS_(beam_write_args, __VA_ARGS__))

/* ---- Whole files ------------------------------------------------------------------------ */

#define BEAM_FILE_METADATA_(FIELD, S) \
    FIELD(S, beam_str, path)          \
    FIELD(S, beam_int64, size)        \
    FIELD(S, beam_int64, last_modified) /* ms, 1970 */
BEAM_STRUCT(beam_file_metadata, BEAM_FILE_METADATA_);

#define BEAM_READABLE_FILE_(FIELD, S) FIELD(S, beam_str, path) FIELD(S, beam_bytes, contents)
BEAM_STRUCT(beam_file_contents, BEAM_READABLE_FILE_);

typedef struct beam_match_files_args {
    BEAM_COMMON_ARGS_;
    const char *pattern;
    const char *name;
    bool empty_match_allowed;
} beam_match_files_args;
/* A beam_file_metadata for each file that matches when the pipeline runs. */
BEAM_API beam_pcoll beam_match_files_(beam_pipeline *pipeline, const beam_match_files_args *args);
#define beam_match_files(pipeline, ...) \
    beam_match_files_((pipeline), BEAM_ARGS_(beam_match_files_args, __VA_ARGS__))

typedef struct beam_read_files_args {
    BEAM_COMMON_ARGS_;
    const char *name;
    beam_compression compression;
    int64_t max_size; /* bytes; a larger file fails; 0: 1 GiB */
} beam_read_files_args;
/* beam_file_metadata to beam_file_contents. */
BEAM_API beam_pcoll beam_read_files_(beam_pcoll files, const beam_read_files_args *args);
#define beam_read_files(files, ...) \
    beam_read_files_((files), BEAM_ARGS_(beam_read_files_args, __VA_ARGS__))

#ifdef __cplusplus
}
#endif
#endif
