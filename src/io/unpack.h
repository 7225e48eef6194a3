/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* unpack.h - takes known files out of a gzipped tar archive. */
#ifndef IO_UNPACK_H
#define IO_UNPACK_H

#include <beam/status.h>
#include <stddef.h>

/* Writes the members called members[0..count) below `folder` under these names, each whole or
 * not at all.  Whatever else is in the archive is passed over, so no name in it can lead
 * anywhere.  A missing one is BEAM_NOT_FOUND; a member larger than max_size, or a second one of
 * its name, BEAM_DATA_LOSS. */
beam_status beam_unpack_tar_gz(const char *archive, const char *folder, const char *const *members,
                               size_t count, size_t max_size, beam_error *err);

#endif
