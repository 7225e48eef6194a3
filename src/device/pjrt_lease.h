/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* pjrt_lease.h - one process a machine owns an accelerator: their runtimes take all of its memory
 * and do not share.  The lease is a lock on a file in $BEAM_LOCK_DIR, else /tmp, that names who
 * holds it; it ends with the process, however that ends. */
#ifndef DEVICE_PJRT_LEASE_H
#define DEVICE_PJRT_LEASE_H

#include <beam/status.h>

/* `kind`: "gpu", "tpu" or a platform's name.  BEAM_UNAVAILABLE names the process that has it. */
beam_status beam_pjrt_lease_take(const char *kind, int *lease, beam_error *err);
/* Of -1: nothing. */
void beam_pjrt_lease_end(int lease);

#endif
