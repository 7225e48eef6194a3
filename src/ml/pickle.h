/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* pickle.h - reads a Python pickle as data.
 *
 * The instructions of a pickle build a tree of values; of the instructions that in Python call
 * a function, only a fixed list of functions is known, and each merely makes a node here.
 * Nothing is ever called, and another function or class ends the reading with its name.
 *
 * Memory is bounded by the pickle's size: no instruction makes more than one value, lists grow
 * by what is on the stack, and the arena has a limit besides. */
#ifndef ML_PICKLE_H
#define ML_PICKLE_H

#include <beam/status.h>
#include <beam/tensor.h>

#include "base/arena.h"
#include "base/buffer.h"

typedef enum beam_pickle_kind {
    BEAM_PICKLE_NONE, /* None, and every value that matters to nobody here */
    BEAM_PICKLE_BOOL,
    BEAM_PICKLE_INT,
    BEAM_PICKLE_FLOAT,
    BEAM_PICKLE_TEXT, /* str or bytes */
    BEAM_PICKLE_TUPLE,
    BEAM_PICKLE_LIST,
    BEAM_PICKLE_DICT, /* items: key, value, key, value, ... */
    BEAM_PICKLE_GLOBAL,
    BEAM_PICKLE_STORAGE,
    BEAM_PICKLE_TENSOR
} beam_pickle_kind;

/* The functions and classes that are known. */
typedef enum beam_pickle_global {
    BEAM_GLOBAL_ORDERED_DICT,
    BEAM_GLOBAL_SET,
    BEAM_GLOBAL_SIZE,
    BEAM_GLOBAL_REBUILD_TENSOR,
    BEAM_GLOBAL_REBUILD_TENSOR_V2,
    BEAM_GLOBAL_REBUILD_PARAMETER,
    BEAM_GLOBAL_STORAGE, /* a class of storages, with its dtype */
    BEAM_GLOBAL_OPAQUE   /* harmless and of no use here: torch.device, torch.float32 */
} beam_pickle_global;

typedef struct beam_pickle_value beam_pickle_value;

/* A window on a storage; nothing of it has been checked against the storage's size. */
typedef struct beam_pickle_tensor {
    const beam_pickle_value *storage;
    int64_t offset; /* in values, not negative, as all here */
    uint32_t rank;
    int64_t shape[BEAM_TENSOR_MAX_RANK];
    int64_t stride[BEAM_TENSOR_MAX_RANK]; /* in values */
} beam_pickle_tensor;

struct beam_pickle_value {
    beam_pickle_kind kind;
    union {
        int64_t integer; /* INT and BOOL */
        double real;
        struct {
            const char *data; /* in the pickle's own bytes, no NUL behind */
            size_t len;
        } text;
        struct {
            beam_pickle_value **items;
            size_t len, capacity;
        } list; /* TUPLE, LIST, DICT */
        struct {
            beam_pickle_global id;
            beam_dtype dtype;
        } global;
        struct {
            beam_dtype dtype;
            const char *key; /* in the pickle's bytes */
            size_t key_len;
            int64_t count;  /* values of dtype in the whole storage */
            int64_t offset; /* of a view into it, in values */
        } storage;
        const beam_pickle_tensor *tensor;
    } as;
};

/* Reads one pickle from `reader`, to just behind its end.  *value and all below it live in
 * `arena` and point into the reader's bytes.  `what` says in messages whose pickle it is. */
beam_status beam_pickle_read(beam_reader *reader, const char *what, beam_arena *arena,
                             beam_pickle_value **value, beam_error *err);

/* The member of a DICT under a text key, or NULL. */
const beam_pickle_value *beam_pickle_member(const beam_pickle_value *dict, const char *key);
bool beam_pickle_text_is(const beam_pickle_value *value, const char *text);

#endif
