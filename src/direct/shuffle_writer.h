/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* shuffle_writer.h - a bundle's writer, as shuffle.c and shuffle_write.c see it. */
#ifndef DIRECT_SHUFFLE_WRITER_H
#define DIRECT_SHUFFLE_WRITER_H

#include "direct/shuffle_internal.h"

struct beam_shuffle_writer {
    beam_shuffle *shuffle;
    beam_generation *generation; /* being filled */
    beam_run *runs;              /* spilled by this bundle; the shuffle's once committed */
    uint64_t spilled_elements, spilled_bytes;
    beam_buffer key_image; /* of the element at hand */
    beam_error error;
};

/* Accounts for what the writer took, and spills when the budget is used up. */
beam_status beam_shuffle_writer_check_budget(beam_shuffle_writer *writer);

#endif
