/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* share.h - finds the files that libbeam ships (the folder share/ of the sources). */
#ifndef ML_SHARE_H
#define ML_SHARE_H

#include <beam/status.h>

/* The path of a shipped file, "digits/digits.bin": in $BEAM_SHARE_DIR when that is set, else
 * where the build's own copy of the sources has it, else where `cmake --install` puts it.
 * BEAM_NOT_FOUND says where it was looked for.  Free with beam_free. */
beam_status beam_share_path(const char *name, char **path, beam_error *err);

#endif
