/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* onednn_library.h - oneDNN, opened by the first cpu device: see base/library.h. */
#ifndef DEVICE_ONEDNN_LIBRARY_H
#define DEVICE_ONEDNN_LIBRARY_H

#include <oneapi/dnnl/dnnl.h>
#include <oneapi/dnnl/dnnl_debug.h>

#include "base/library.h"

#define BEAM_ONEDNN_FUNCTIONS(X)                                 \
    X(dnnl_batch_normalization_forward_primitive_desc_create)    \
    X(dnnl_binary_primitive_desc_create)                         \
    X(dnnl_convolution_backward_data_primitive_desc_create)      \
    X(dnnl_convolution_backward_weights_primitive_desc_create)   \
    X(dnnl_convolution_forward_primitive_desc_create)            \
    X(dnnl_eltwise_forward_primitive_desc_create)                \
    X(dnnl_engine_create)                                        \
    X(dnnl_engine_destroy)                                       \
    X(dnnl_get_effective_cpu_isa)                                \
    X(dnnl_inner_product_backward_data_primitive_desc_create)    \
    X(dnnl_inner_product_backward_weights_primitive_desc_create) \
    X(dnnl_inner_product_forward_primitive_desc_create)          \
    X(dnnl_matmul_primitive_desc_create)                         \
    X(dnnl_memory_create)                                        \
    X(dnnl_memory_desc_clone)                                    \
    X(dnnl_memory_desc_create_submemory)                         \
    X(dnnl_memory_desc_create_with_strides)                      \
    X(dnnl_memory_desc_create_with_tag)                          \
    X(dnnl_memory_desc_destroy)                                  \
    X(dnnl_memory_desc_equal)                                    \
    X(dnnl_memory_desc_get_size)                                 \
    X(dnnl_memory_desc_query)                                    \
    X(dnnl_memory_destroy)                                       \
    X(dnnl_memory_get_data_handle)                               \
    X(dnnl_memory_get_memory_desc)                               \
    X(dnnl_memory_set_data_handle)                               \
    X(dnnl_pooling_backward_primitive_desc_create)               \
    X(dnnl_pooling_forward_primitive_desc_create)                \
    X(dnnl_post_ops_append_eltwise)                              \
    X(dnnl_post_ops_append_sum)                                  \
    X(dnnl_post_ops_create)                                      \
    X(dnnl_post_ops_destroy)                                     \
    X(dnnl_primitive_attr_create)                                \
    X(dnnl_primitive_attr_destroy)                               \
    X(dnnl_primitive_attr_set_fpmath_mode)                       \
    X(dnnl_primitive_attr_set_post_ops)                          \
    X(dnnl_primitive_attr_set_scales_mask)                       \
    X(dnnl_primitive_attr_set_scratchpad_mode)                   \
    X(dnnl_primitive_create)                                     \
    X(dnnl_primitive_desc_destroy)                               \
    X(dnnl_primitive_desc_query)                                 \
    X(dnnl_primitive_desc_query_md)                              \
    X(dnnl_primitive_destroy)                                    \
    X(dnnl_primitive_execute)                                    \
    X(dnnl_reorder_primitive_desc_create)                        \
    X(dnnl_softmax_forward_primitive_desc_create)                \
    X(dnnl_status2str)                                           \
    X(dnnl_stream_create)                                        \
    X(dnnl_stream_destroy)                                       \
    X(dnnl_stream_wait)                                          \
    X(dnnl_version)
BEAM_LIBRARY_DECLARE(beam_onednn, BEAM_ONEDNN_FUNCTIONS);

#define dnnl_batch_normalization_forward_primitive_desc_create \
    beam_onednn_functions.dnnl_batch_normalization_forward_primitive_desc_create
#define dnnl_binary_primitive_desc_create beam_onednn_functions.dnnl_binary_primitive_desc_create
#define dnnl_convolution_backward_data_primitive_desc_create \
    beam_onednn_functions.dnnl_convolution_backward_data_primitive_desc_create
#define dnnl_convolution_backward_weights_primitive_desc_create \
    beam_onednn_functions.dnnl_convolution_backward_weights_primitive_desc_create
#define dnnl_convolution_forward_primitive_desc_create \
    beam_onednn_functions.dnnl_convolution_forward_primitive_desc_create
#define dnnl_eltwise_forward_primitive_desc_create \
    beam_onednn_functions.dnnl_eltwise_forward_primitive_desc_create
#define dnnl_engine_create beam_onednn_functions.dnnl_engine_create
#define dnnl_engine_destroy beam_onednn_functions.dnnl_engine_destroy
#define dnnl_get_effective_cpu_isa beam_onednn_functions.dnnl_get_effective_cpu_isa
#define dnnl_inner_product_backward_data_primitive_desc_create \
    beam_onednn_functions.dnnl_inner_product_backward_data_primitive_desc_create
#define dnnl_inner_product_backward_weights_primitive_desc_create \
    beam_onednn_functions.dnnl_inner_product_backward_weights_primitive_desc_create
#define dnnl_inner_product_forward_primitive_desc_create \
    beam_onednn_functions.dnnl_inner_product_forward_primitive_desc_create
#define dnnl_matmul_primitive_desc_create beam_onednn_functions.dnnl_matmul_primitive_desc_create
#define dnnl_memory_create beam_onednn_functions.dnnl_memory_create
#define dnnl_memory_desc_clone beam_onednn_functions.dnnl_memory_desc_clone
#define dnnl_memory_desc_create_submemory beam_onednn_functions.dnnl_memory_desc_create_submemory
#define dnnl_memory_desc_create_with_strides \
    beam_onednn_functions.dnnl_memory_desc_create_with_strides
#define dnnl_memory_desc_create_with_tag beam_onednn_functions.dnnl_memory_desc_create_with_tag
#define dnnl_memory_desc_destroy beam_onednn_functions.dnnl_memory_desc_destroy
#define dnnl_memory_desc_equal beam_onednn_functions.dnnl_memory_desc_equal
#define dnnl_memory_desc_get_size beam_onednn_functions.dnnl_memory_desc_get_size
#define dnnl_memory_desc_query beam_onednn_functions.dnnl_memory_desc_query
#define dnnl_memory_destroy beam_onednn_functions.dnnl_memory_destroy
#define dnnl_memory_get_data_handle beam_onednn_functions.dnnl_memory_get_data_handle
#define dnnl_memory_get_memory_desc beam_onednn_functions.dnnl_memory_get_memory_desc
#define dnnl_memory_set_data_handle beam_onednn_functions.dnnl_memory_set_data_handle
#define dnnl_pooling_backward_primitive_desc_create \
    beam_onednn_functions.dnnl_pooling_backward_primitive_desc_create
#define dnnl_pooling_forward_primitive_desc_create \
    beam_onednn_functions.dnnl_pooling_forward_primitive_desc_create
#define dnnl_post_ops_append_eltwise beam_onednn_functions.dnnl_post_ops_append_eltwise
#define dnnl_post_ops_append_sum beam_onednn_functions.dnnl_post_ops_append_sum
#define dnnl_post_ops_create beam_onednn_functions.dnnl_post_ops_create
#define dnnl_post_ops_destroy beam_onednn_functions.dnnl_post_ops_destroy
#define dnnl_primitive_attr_create beam_onednn_functions.dnnl_primitive_attr_create
#define dnnl_primitive_attr_destroy beam_onednn_functions.dnnl_primitive_attr_destroy
#define dnnl_primitive_attr_set_fpmath_mode \
    beam_onednn_functions.dnnl_primitive_attr_set_fpmath_mode
#define dnnl_primitive_attr_set_post_ops beam_onednn_functions.dnnl_primitive_attr_set_post_ops
#define dnnl_primitive_attr_set_scales_mask \
    beam_onednn_functions.dnnl_primitive_attr_set_scales_mask
#define dnnl_primitive_attr_set_scratchpad_mode \
    beam_onednn_functions.dnnl_primitive_attr_set_scratchpad_mode
#define dnnl_primitive_create beam_onednn_functions.dnnl_primitive_create
#define dnnl_primitive_desc_destroy beam_onednn_functions.dnnl_primitive_desc_destroy
#define dnnl_primitive_desc_query beam_onednn_functions.dnnl_primitive_desc_query
#define dnnl_primitive_desc_query_md beam_onednn_functions.dnnl_primitive_desc_query_md
#define dnnl_primitive_destroy beam_onednn_functions.dnnl_primitive_destroy
#define dnnl_primitive_execute beam_onednn_functions.dnnl_primitive_execute
#define dnnl_reorder_primitive_desc_create beam_onednn_functions.dnnl_reorder_primitive_desc_create
#define dnnl_softmax_forward_primitive_desc_create \
    beam_onednn_functions.dnnl_softmax_forward_primitive_desc_create
#define dnnl_status2str beam_onednn_functions.dnnl_status2str
#define dnnl_stream_create beam_onednn_functions.dnnl_stream_create
#define dnnl_stream_destroy beam_onednn_functions.dnnl_stream_destroy
#define dnnl_stream_wait beam_onednn_functions.dnnl_stream_wait
#define dnnl_version beam_onednn_functions.dnnl_version

#endif
