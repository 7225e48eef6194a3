/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* weights_file.h - an open file of weights, as its readers fill it. */
#ifndef ML_WEIGHTS_FILE_H
#define ML_WEIGHTS_FILE_H

#include <beam/weights.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/file.h"

struct beam_weights {
    const uint8_t *data; /* the file's bytes */
    size_t size;
    beam_file_view view; /* zeroed when the bytes are somebody else's */
    const char *what;    /* the file in messages: its path */
    const char *format;
    beam_arena arena; /* names and notes */
    beam_named_tensor *tensors;
    size_t num_tensors, tensors_capacity;
    uint32_t *by_name; /* indices of tensors, sorted by name */
    beam_weights_note *notes;
    size_t num_notes;
    void **copies; /* what tensors point to that is not in the file as it is */
    size_t num_copies, copies_capacity;
    size_t budget; /* bytes that may still be copied or decompressed */
};

/* Each reads w->data and adds what it holds. */
beam_status beam_weights_read_safetensors(beam_weights *w, beam_error *err);
beam_status beam_weights_read_torch_zip(beam_weights *w, beam_error *err);
beam_status beam_weights_read_torch_legacy(beam_weights *w, beam_error *err);

/* Appends what a safetensors file begins with: the tensors' bytes follow it, in the order given,
 * in which larger dtypes must come first.  Their data is not looked at. */
beam_status beam_safetensors_header(const char *path, const beam_named_tensor *const *tensors,
                                    size_t num_tensors, const beam_weights_note *notes,
                                    size_t num_notes, beam_buffer *out, beam_error *err);

/* Adds a tensor; `name` must live in w->arena.  Data that is not aligned for its dtype is
 * copied. */
beam_status beam_weights_add(beam_weights *w, const char *name, const beam_tensor *tensor,
                             beam_error *err);

/* Memory that lives as long as w, aligned to 64, taken from the budget. */
beam_status beam_weights_copy_space(beam_weights *w, size_t size, void **space, beam_error *err);

beam_status beam_weights_no_memory(const beam_weights *w, beam_error *err);

#endif
