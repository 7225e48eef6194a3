/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* train_json.h - rows as JSON objects, by their type's fields: bool, int64, double, str and rows
 * in rows. */
#ifndef ML_TRAIN_JSON_H
#define ML_TRAIN_JSON_H

#include <beam/type.h>
#include <jansson.h>

#include "base/buffer.h"

/* Appends one object on one line, all fields in order.  Numbers are as short as reads back the
 * same; NaN and infinities are null. */
beam_status beam_row_to_json(const beam_type *type, const void *row, beam_buffer *out,
                             beam_error *err);

/* The members that are there replace fields of *row, which the caller has filled; text comes to
 * lie in `pool`.  BEAM_INVALID_ARGUMENT names a member that the type lacks or that is of another
 * type; null is NaN, and nothing else.  (Members that are there twice are the parser's to refuse:
 * JSON_REJECT_DUPLICATES.) */
beam_status beam_row_from_json(const beam_type *type, const json_t *object, beam_pool *pool,
                               void *row, beam_error *err);

/* Parses the object or array that `text` begins with, without members that are there
 * twice; *used (unless NULL) is where it ends, else nothing may follow it.  The caller
 * json_decrefs *value. */
beam_status beam_json_parse(beam_str text, size_t *used, json_t **value, beam_error *err);

#endif
