/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* weights.h - files of named tensors: reading them, writing them, finding them.
 *
 * Read, told apart by content and not by name:
 *   safetensors       a JSON header and the raw tensors
 *   PyTorch .pth      what torch.save writes, the zip form and the legacy form before it
 *
 * A .pth holds a pickle, which in Python is a program.  Here it is data: a reader of its own
 * knows the few instructions and constructors that a file of tensors needs, calls nothing, and
 * refuses any other constructor with its name.
 *
 * Dictionaries in dictionaries are flattened, names joined by '.'; list entries count from 0.
 * Where a file's outermost dictionary has exactly one dictionary with tensors called state_dict,
 * model_state_dict, model or net, and no other member that is a dictionary of tensors (as a second
 * model's would be), that one's tensors are the file's and its name is left out; so a checkpoint
 * {"epoch": 3, "state_dict": {"fc.weight": ...}, "optimizer": {"state": {0: ...}, ...}} gives
 * "fc.weight" alone.  Values that are no tensors are passed over.
 *
 *     beam_weights *weights = NULL;
 *     BEAM_TRY(beam_weights_open("resnet18.safetensors", &weights, err));
 *     beam_weight_source source = beam_weights_source(weights);
 *     beam_status status = beam_network_bind(network, &source, err);
 *     ...
 *     beam_weights_close(weights);
 *
 * A beam_weights is read-only once open; any number of threads may use it.
 */
#ifndef BEAM_WEIGHTS_H
#define BEAM_WEIGHTS_H

#include <beam/download.h>
#include <beam/nn.h>
#include <beam/status.h>
#include <beam/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct beam_weights beam_weights;

/* Opens a file.  It is mapped, and tensors point into it where they lie whole and aligned;
 * others (transposed, sliced, compressed, odd offsets) are copied to memory of *weights.
 * The file must not be cut short while it is open.
 * BEAM_INVALID_ARGUMENT: no known format, or a foreign constructor, named.  BEAM_DATA_LOSS:
 * damaged or truncated.  BEAM_UNIMPLEMENTED: sound, but with a type or feature not read here. */
BEAM_API beam_status beam_weights_open(const char *path, beam_weights **weights, beam_error *err);

/* The same from memory, which must outlive *weights. */
BEAM_API beam_status beam_weights_open_memory(const void *data, size_t size, beam_weights **weights,
                                              beam_error *err);

/* Ends every tensor and name that came from it; NULL is fine. */
BEAM_API void beam_weights_close(beam_weights *weights);

/* "safetensors", "pytorch zip" or "pytorch legacy". */
BEAM_API const char *beam_weights_format(const beam_weights *weights);

/* How many tensors the file holds. */
BEAM_API size_t beam_weights_count(const beam_weights *weights);
/* The index-th tensor's name, in the file's order; NULL past the last. */
BEAM_API const char *beam_weights_name(const beam_weights *weights, size_t index);
/* The index-th tensor; its dtype {BEAM_DTYPE_INVALID} past the last. */
BEAM_API beam_tensor beam_weights_tensor(const beam_weights *weights, size_t index);
/* BEAM_NOT_FOUND, naming it, when there is none. */
BEAM_API beam_status beam_weights_find(const beam_weights *weights, const char *name,
                                       beam_tensor *tensor, beam_error *err);
/* The file's own note under `key` (safetensors' __metadata__); NULL when there is none. */
BEAM_API const char *beam_weights_metadata(const beam_weights *weights, const char *key);

/* As the source that beam_network_bind takes; `weights` must live as long as that asks. */
BEAM_API beam_weight_source beam_weights_source(const beam_weights *weights);

/* A tensor to write, under its name; both are borrowed. */
typedef struct beam_named_tensor {
    const char *name;
    beam_tensor tensor;
} beam_named_tensor;

/* A pair of texts for the file's metadata; borrowed. */
typedef struct beam_weights_note {
    const char *key, *value;
} beam_weights_note;

/* Writes a safetensors file: whole under its name, synced, or not at all.  Larger dtypes come
 * first, so that each tensor is aligned; within one, the given order is kept.  A name twice,
 * empty, "__metadata__" or not UTF-8 is BEAM_INVALID_ARGUMENT. */
BEAM_API beam_status beam_weights_save_safetensors(const char *path,
                                                   const beam_named_tensor *tensors,
                                                   size_t num_tensors,
                                                   const beam_weights_note *notes, size_t num_notes,
                                                   beam_error *err);

/* Writes a network's weights in eight bits, after beam_calibration has measured it: those of layers
 * that int8 computes as i8 with a scale a row, the others f32, and the ranges of activations (nn.h
 * has the form).  Weights that no int8 can stand for, such as NaN, are BEAM_INVALID_ARGUMENT, a
 * network without ranges BEAM_FAILED_PRECONDITION. */
BEAM_API beam_status beam_weights_save_int8(const char *path, const beam_network *network,
                                            const beam_weights_note *notes, size_t num_notes,
                                            beam_error *err);

/* Finds the file that a user's --weights means and stores its path (free with
 * beam_weights_path_free):
 *   resnet18-imagenet,   PyTorch's official files, from the cache folder, downloaded into it when
 *   resnet34-imagenet,   missing and checked against their SHA-256
 *   resnet50-imagenet
 *   resnet18-cifar10,    what libbeam trained itself and comes with: models/README.md
 *   fastnet-cifar10,
 *   digits
 *   anything else        a path, as it is
 * The cache folder is $BEAM_CACHE, else $XDG_CACHE_HOME/libbeam, else ~/.cache/libbeam, with
 * weights/ below.  Without internet the message says which address to fetch and where to put
 * it.  `options` may be NULL. */
BEAM_API beam_status beam_weights_locate(const char *name_or_path,
                                         const beam_download_options *options, char **path,
                                         beam_error *err);
BEAM_API void beam_weights_path_free(char *path);

/* The known names, one an index; NULL past the last. */
BEAM_API const char *beam_weights_known(size_t index);

#ifdef __cplusplus
}
#endif
#endif
