/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* grpc_library.h - gRPC, opened by beam_grpc_begin: see base/library.h. */
#ifndef NET_GRPC_LIBRARY_H
#define NET_GRPC_LIBRARY_H

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <grpc/support/alloc.h>
#include <grpc/support/log.h>
#include <grpc/support/time.h>

#include "base/library.h"

#define BEAM_GRPC_FUNCTIONS(X)                        \
    X(gpr_free)                                       \
    X(gpr_inf_future)                                 \
    X(gpr_now)                                        \
    X(gpr_set_log_verbosity)                          \
    X(gpr_time_add)                                   \
    X(gpr_time_from_millis)                           \
    X(grpc_byte_buffer_destroy)                       \
    X(grpc_byte_buffer_length)                        \
    X(grpc_byte_buffer_reader_destroy)                \
    X(grpc_byte_buffer_reader_init)                   \
    X(grpc_byte_buffer_reader_next)                   \
    X(grpc_byte_buffer_reader_peek)                   \
    X(grpc_call_cancel)                               \
    X(grpc_call_details_destroy)                      \
    X(grpc_call_details_init)                         \
    X(grpc_call_start_batch)                          \
    X(grpc_call_unref)                                \
    X(grpc_channel_create)                            \
    X(grpc_channel_create_call)                       \
    X(grpc_channel_credentials_release)               \
    X(grpc_channel_destroy)                           \
    X(grpc_completion_queue_create)                   \
    X(grpc_completion_queue_create_for_next)          \
    X(grpc_completion_queue_create_for_pluck)         \
    X(grpc_completion_queue_destroy)                  \
    X(grpc_completion_queue_factory_lookup)           \
    X(grpc_completion_queue_next)                     \
    X(grpc_completion_queue_pluck)                    \
    X(grpc_completion_queue_shutdown)                 \
    X(grpc_completion_queue_thread_local_cache_flush) \
    X(grpc_completion_queue_thread_local_cache_init)  \
    X(grpc_empty_slice)                               \
    X(grpc_init)                                      \
    X(grpc_insecure_credentials_create)               \
    X(grpc_insecure_server_credentials_create)        \
    X(grpc_metadata_array_destroy)                    \
    X(grpc_metadata_array_init)                       \
    X(grpc_raw_byte_buffer_create)                    \
    X(grpc_server_add_http2_port)                     \
    X(grpc_server_cancel_all_calls)                   \
    X(grpc_server_create)                             \
    X(grpc_server_credentials_release)                \
    X(grpc_server_destroy)                            \
    X(grpc_server_register_completion_queue)          \
    X(grpc_server_register_method)                    \
    X(grpc_server_request_call)                       \
    X(grpc_server_request_registered_call)            \
    X(grpc_server_shutdown_and_notify)                \
    X(grpc_server_start)                              \
    X(grpc_shutdown)                                  \
    X(grpc_slice_from_copied_buffer)                  \
    X(grpc_slice_from_copied_string)                  \
    X(grpc_slice_from_static_string)                  \
    X(grpc_slice_to_c_string)                         \
    X(grpc_slice_unref)
BEAM_LIBRARY_DECLARE(beam_grpc, BEAM_GRPC_FUNCTIONS);

#define gpr_free beam_grpc_functions.gpr_free
#define gpr_inf_future beam_grpc_functions.gpr_inf_future
#define gpr_now beam_grpc_functions.gpr_now
#define gpr_set_log_verbosity beam_grpc_functions.gpr_set_log_verbosity
#define gpr_time_add beam_grpc_functions.gpr_time_add
#define gpr_time_from_millis beam_grpc_functions.gpr_time_from_millis
#define grpc_byte_buffer_destroy beam_grpc_functions.grpc_byte_buffer_destroy
#define grpc_byte_buffer_length beam_grpc_functions.grpc_byte_buffer_length
#define grpc_byte_buffer_reader_destroy beam_grpc_functions.grpc_byte_buffer_reader_destroy
#define grpc_byte_buffer_reader_init beam_grpc_functions.grpc_byte_buffer_reader_init
#define grpc_byte_buffer_reader_next beam_grpc_functions.grpc_byte_buffer_reader_next
#define grpc_byte_buffer_reader_peek beam_grpc_functions.grpc_byte_buffer_reader_peek
#define grpc_call_cancel beam_grpc_functions.grpc_call_cancel
#define grpc_call_details_destroy beam_grpc_functions.grpc_call_details_destroy
#define grpc_call_details_init beam_grpc_functions.grpc_call_details_init
#define grpc_call_start_batch beam_grpc_functions.grpc_call_start_batch
#define grpc_call_unref beam_grpc_functions.grpc_call_unref
#define grpc_channel_create beam_grpc_functions.grpc_channel_create
#define grpc_channel_create_call beam_grpc_functions.grpc_channel_create_call
#define grpc_channel_credentials_release beam_grpc_functions.grpc_channel_credentials_release
#define grpc_channel_destroy beam_grpc_functions.grpc_channel_destroy
#define grpc_completion_queue_create beam_grpc_functions.grpc_completion_queue_create
#define grpc_completion_queue_create_for_next \
    beam_grpc_functions.grpc_completion_queue_create_for_next
#define grpc_completion_queue_create_for_pluck \
    beam_grpc_functions.grpc_completion_queue_create_for_pluck
#define grpc_completion_queue_destroy beam_grpc_functions.grpc_completion_queue_destroy
#define grpc_completion_queue_factory_lookup \
    beam_grpc_functions.grpc_completion_queue_factory_lookup
#define grpc_completion_queue_next beam_grpc_functions.grpc_completion_queue_next
#define grpc_completion_queue_pluck beam_grpc_functions.grpc_completion_queue_pluck
#define grpc_completion_queue_shutdown beam_grpc_functions.grpc_completion_queue_shutdown
#define grpc_completion_queue_thread_local_cache_flush \
    beam_grpc_functions.grpc_completion_queue_thread_local_cache_flush
#define grpc_completion_queue_thread_local_cache_init \
    beam_grpc_functions.grpc_completion_queue_thread_local_cache_init
#define grpc_empty_slice beam_grpc_functions.grpc_empty_slice
#define grpc_init beam_grpc_functions.grpc_init
#define grpc_insecure_credentials_create beam_grpc_functions.grpc_insecure_credentials_create
#define grpc_insecure_server_credentials_create \
    beam_grpc_functions.grpc_insecure_server_credentials_create
#define grpc_metadata_array_destroy beam_grpc_functions.grpc_metadata_array_destroy
#define grpc_metadata_array_init beam_grpc_functions.grpc_metadata_array_init
#define grpc_raw_byte_buffer_create beam_grpc_functions.grpc_raw_byte_buffer_create
#define grpc_server_add_http2_port beam_grpc_functions.grpc_server_add_http2_port
#define grpc_server_cancel_all_calls beam_grpc_functions.grpc_server_cancel_all_calls
#define grpc_server_create beam_grpc_functions.grpc_server_create
#define grpc_server_credentials_release beam_grpc_functions.grpc_server_credentials_release
#define grpc_server_destroy beam_grpc_functions.grpc_server_destroy
#define grpc_server_register_completion_queue \
    beam_grpc_functions.grpc_server_register_completion_queue
#define grpc_server_register_method beam_grpc_functions.grpc_server_register_method
#define grpc_server_request_call beam_grpc_functions.grpc_server_request_call
#define grpc_server_request_registered_call beam_grpc_functions.grpc_server_request_registered_call
#define grpc_server_shutdown_and_notify beam_grpc_functions.grpc_server_shutdown_and_notify
#define grpc_server_start beam_grpc_functions.grpc_server_start
#define grpc_shutdown beam_grpc_functions.grpc_shutdown
#define grpc_slice_from_copied_buffer beam_grpc_functions.grpc_slice_from_copied_buffer
#define grpc_slice_from_copied_string beam_grpc_functions.grpc_slice_from_copied_string
#define grpc_slice_from_static_string beam_grpc_functions.grpc_slice_from_static_string
#define grpc_slice_to_c_string beam_grpc_functions.grpc_slice_to_c_string
#define grpc_slice_unref beam_grpc_functions.grpc_slice_unref

#endif
