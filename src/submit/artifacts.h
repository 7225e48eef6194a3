/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* artifacts.h - the files that go with a pipeline to workers that see another disk: the program,
 * the libraries it has loaded but glibc's, and what the pipeline's transforms open.
 *
 * An artifact's staged name is "<sha256 of its bytes>/<where it lies below the worker's folder>",
 * since not every engine carries the checksum of its own field along:
 *
 *     program                       what is executed
 *     lib/libfoo.so.1               beside it
 *     files/0123456789abcdef/...    what beam_staged_find looks for */
#ifndef SUBMIT_ARTIFACTS_H
#define SUBMIT_ARTIFACTS_H

#include <beam/status.h>
#include <stdbool.h>

#include "base/arena.h"
#include "model/proto/pipeline.pb-c.h"

enum { BEAM_SHA256_DIGITS = 64 };

#define BEAM_ARTIFACT_PROGRAM "program"
#define BEAM_ARTIFACT_LIBRARIES "lib"

typedef struct beam_artifact {
    const char *path; /* here */
    const char *name; /* below the worker's folder */
    const char *sha256;
} beam_artifact;

/* A zeroed one is empty and ready. */
typedef struct beam_artifacts {
    beam_arena arena;
    beam_artifact *items;
    size_t n, capacity;
} beam_artifacts;

/* A file, or all files below a folder, under `name`.  Each is read through once for its
 * checksum.  Other things than files and folders (a socket) are left out. */
beam_status beam_artifacts_add(beam_artifacts *artifacts, const char *path, const char *name,
                               beam_error *err);
/* This program and the libraries it has loaded. */
beam_status beam_artifacts_add_program(beam_artifacts *artifacts, beam_error *err);
/* NULL when none has these bytes. */
const beam_artifact *beam_artifacts_find(const beam_artifacts *artifacts, const char *sha256);
void beam_artifacts_free(beam_artifacts *artifacts);

/* As a message that engines understand: of the file here, or of <folder>/<sha256> where a folder
 * of Cloud Storage is given.  NULL when memory is out. */
BeamPb__ArtifactInformation *beam_artifact_to_proto(const beam_artifact *artifact,
                                                    const char *folder, beam_arena *arena);
/* What one of ours is, from an engine; false when it is none, or names a place outside the
 * worker's folder.  The texts are the arena's. */
bool beam_artifact_from_proto(const BeamPb__ArtifactInformation *proto, beam_arena *arena,
                              beam_artifact *artifact);

/* "<64 digits>/<path>" to its two parts; false when it is no such name or the path leaves its
 * folder. */
bool beam_staged_name_parse(const char *staged, beam_arena *arena, beam_artifact *artifact);

#endif
