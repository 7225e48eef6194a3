/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* staged.h - files that a program's workers got with it: $BEAM_STAGED_DIR is their folder, in a
 * worker that another machine may have submitted; elsewhere it is not set and nothing is staged.
 *
 * A file, or a folder with all in it, lies in a folder of its own there, named by a hash of what
 * the pipeline calls it: its kind ("weights") and its name ("digits", "/data/model.pth"). */
#ifndef BASE_STAGED_H
#define BASE_STAGED_H

#include <beam/status.h>

enum { BEAM_STAGED_NAME = 64 };

/* "files/0123456789abcdef": that folder below the staged one. */
void beam_staged_name(const char *kind, const char *name, char text[BEAM_STAGED_NAME]);

/* *path is where this worker has it, NULL when it was not staged; free with beam_free. */
beam_status beam_staged_find(const char *kind, const char *name, char **path, beam_error *err);

#endif
