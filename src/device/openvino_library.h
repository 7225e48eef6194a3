/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* openvino_library.h - what is called of OpenVINO's C API, opened by the first ONNX model: see
 * base/library.h.  It is declared here and not included, so that libbeam builds without it; the
 * contract is https://docs.openvino.ai/2026/api/c_cpp_api/group__ov__c__api.html. */
#ifndef DEVICE_OPENVINO_LIBRARY_H
#define DEVICE_OPENVINO_LIBRARY_H

#include <stdint.h>

#include "base/library.h"

typedef struct ov_core ov_core_t;
typedef struct ov_model ov_model_t;
typedef struct ov_compiled_model ov_compiled_model_t;
typedef struct ov_infer_request ov_infer_request_t;
typedef struct ov_tensor ov_tensor_t;
typedef struct ov_output_const_port ov_output_const_port_t;
typedef struct ov_dimension {
    int64_t min, max; /* -1: no limit */
} ov_dimension_t;
typedef struct ov_shape {
    int64_t rank;
    int64_t *dims;
} ov_shape_t;
typedef struct ov_partial_shape {
    ov_dimension_t rank;
    ov_dimension_t *dims;
} ov_partial_shape_t;
typedef struct ov_version {
    const char *build, *description;
} ov_version_t;
enum { OV_F32 = 4 };     /* ov_element_type_e */
typedef int ov_status_t; /* 0: success */

ov_status_t ov_core_create(ov_core_t **core);
void ov_core_free(ov_core_t *core);
ov_status_t ov_core_read_model_from_memory_buffer(const ov_core_t *core, const char *data,
                                                  size_t size, const ov_tensor_t *weights,
                                                  ov_model_t **model);
ov_status_t ov_core_compile_model(const ov_core_t *core, const ov_model_t *model,
                                  const char *device, size_t num_texts,
                                  ov_compiled_model_t **compiled, ...);
void ov_model_free(ov_model_t *model);
ov_status_t ov_model_inputs_size(const ov_model_t *model, size_t *count);
ov_status_t ov_model_outputs_size(const ov_model_t *model, size_t *count);
ov_status_t ov_model_const_input_by_index(const ov_model_t *model, size_t index,
                                          ov_output_const_port_t **port);
ov_status_t ov_model_const_output_by_index(const ov_model_t *model, size_t index,
                                           ov_output_const_port_t **port);
ov_status_t ov_model_reshape_by_port_indexes(const ov_model_t *model, const size_t *indexes,
                                             const ov_partial_shape_t *shapes, size_t count);
ov_status_t ov_port_get_element_type(const ov_output_const_port_t *port, int *type);
ov_status_t ov_port_get_partial_shape(const ov_output_const_port_t *port,
                                      ov_partial_shape_t *shape);
void ov_output_const_port_free(ov_output_const_port_t *port);
void ov_partial_shape_free(ov_partial_shape_t *shape);
void ov_compiled_model_free(ov_compiled_model_t *compiled);
ov_status_t ov_compiled_model_create_infer_request(const ov_compiled_model_t *compiled,
                                                   ov_infer_request_t **request);
void ov_infer_request_free(ov_infer_request_t *request);
ov_status_t ov_infer_request_set_input_tensor_by_index(ov_infer_request_t *request, size_t index,
                                                       const ov_tensor_t *tensor);
ov_status_t ov_infer_request_get_output_tensor_by_index(const ov_infer_request_t *request,
                                                        size_t index, ov_tensor_t **tensor);
ov_status_t ov_infer_request_infer(ov_infer_request_t *request);
ov_status_t ov_tensor_create_from_host_ptr(int type, ov_shape_t shape, void *data,
                                           ov_tensor_t **tensor);
ov_status_t ov_tensor_data(const ov_tensor_t *tensor, void **data);
ov_status_t ov_tensor_get_shape(const ov_tensor_t *tensor, ov_shape_t *shape);
void ov_tensor_free(ov_tensor_t *tensor);
ov_status_t ov_shape_free(ov_shape_t *shape);
const char *ov_get_last_err_msg(void);

#define BEAM_OPENVINO_FUNCTIONS(X)                 \
    X(ov_compiled_model_create_infer_request)      \
    X(ov_compiled_model_free)                      \
    X(ov_core_compile_model)                       \
    X(ov_core_create)                              \
    X(ov_core_free)                                \
    X(ov_core_read_model_from_memory_buffer)       \
    X(ov_get_last_err_msg)                         \
    X(ov_infer_request_free)                       \
    X(ov_infer_request_get_output_tensor_by_index) \
    X(ov_infer_request_infer)                      \
    X(ov_infer_request_set_input_tensor_by_index)  \
    X(ov_model_const_input_by_index)               \
    X(ov_model_const_output_by_index)              \
    X(ov_model_free)                               \
    X(ov_model_inputs_size)                        \
    X(ov_model_outputs_size)                       \
    X(ov_model_reshape_by_port_indexes)            \
    X(ov_output_const_port_free)                   \
    X(ov_partial_shape_free)                       \
    X(ov_port_get_element_type)                    \
    X(ov_port_get_partial_shape)                   \
    X(ov_shape_free)                               \
    X(ov_tensor_create_from_host_ptr)              \
    X(ov_tensor_data)                              \
    X(ov_tensor_free)                              \
    X(ov_tensor_get_shape)
BEAM_LIBRARY_DECLARE(beam_openvino, BEAM_OPENVINO_FUNCTIONS);

#define OV(function) beam_openvino_functions.function

/* Looks for libopenvino_c where $OPENVINO_LIB_PATHS says, in the cache folder and among Python's
 * packages, else by its name, and opens it. */
beam_status beam_openvino_open(beam_error *err);

#endif
