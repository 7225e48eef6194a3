/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* dataset_cache.h - data sets opened once a process, however many threads read them: opening may
 * download, and looks at every label. */
#ifndef ML_DATASET_CACHE_H
#define ML_DATASET_CACHE_H

#include <beam/dataset.h>

typedef struct beam_shared_dataset {
    const beam_dataset *dataset;
    struct beam_shared_entry *entry;
} beam_shared_dataset;

/* As beam_dataset_open; from any thread. */
beam_status beam_dataset_share(const char *name, const char *split, const char *data_dir,
                               const beam_logger *logger, beam_shared_dataset *shared,
                               beam_error *err);
/* Gives it back; the last one closes it.  A zeroed one is allowed. */
void beam_dataset_unshare(beam_shared_dataset *shared);

#endif
