/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* nghttp2_library.h - nghttp2, opened by the first stream that needs it: see base/library.h. */
#ifndef NET_NGHTTP2_LIBRARY_H
#define NET_NGHTTP2_LIBRARY_H

#include <nghttp2/nghttp2.h>

#include "base/library.h"

#define BEAM_NGHTTP2_FUNCTIONS(X)                                \
    X(nghttp2_http2_strerror)                                    \
    X(nghttp2_option_del)                                        \
    X(nghttp2_option_new)                                        \
    X(nghttp2_option_set_no_auto_window_update)                  \
    X(nghttp2_session_callbacks_del)                             \
    X(nghttp2_session_callbacks_new)                             \
    X(nghttp2_session_callbacks_set_on_data_chunk_recv_callback) \
    X(nghttp2_session_callbacks_set_on_frame_recv_callback)      \
    X(nghttp2_session_callbacks_set_on_header_callback)          \
    X(nghttp2_session_callbacks_set_on_stream_close_callback)    \
    X(nghttp2_session_callbacks_set_send_callback)               \
    X(nghttp2_session_callbacks_set_send_data_callback)          \
    X(nghttp2_session_client_new3)                               \
    X(nghttp2_session_consume)                                   \
    X(nghttp2_session_del)                                       \
    X(nghttp2_session_mem_recv)                                  \
    X(nghttp2_session_resume_data)                               \
    X(nghttp2_session_send)                                      \
    X(nghttp2_session_set_local_window_size)                     \
    X(nghttp2_session_want_read)                                 \
    X(nghttp2_session_want_write)                                \
    X(nghttp2_strerror)                                          \
    X(nghttp2_submit_ping)                                       \
    X(nghttp2_submit_request)                                    \
    X(nghttp2_submit_rst_stream)                                 \
    X(nghttp2_submit_settings)
BEAM_LIBRARY_DECLARE(beam_nghttp2, BEAM_NGHTTP2_FUNCTIONS);

#define nghttp2_http2_strerror beam_nghttp2_functions.nghttp2_http2_strerror
#define nghttp2_option_del beam_nghttp2_functions.nghttp2_option_del
#define nghttp2_option_new beam_nghttp2_functions.nghttp2_option_new
#define nghttp2_option_set_no_auto_window_update \
    beam_nghttp2_functions.nghttp2_option_set_no_auto_window_update
#define nghttp2_session_callbacks_del beam_nghttp2_functions.nghttp2_session_callbacks_del
#define nghttp2_session_callbacks_new beam_nghttp2_functions.nghttp2_session_callbacks_new
#define nghttp2_session_callbacks_set_on_data_chunk_recv_callback \
    beam_nghttp2_functions.nghttp2_session_callbacks_set_on_data_chunk_recv_callback
#define nghttp2_session_callbacks_set_on_frame_recv_callback \
    beam_nghttp2_functions.nghttp2_session_callbacks_set_on_frame_recv_callback
#define nghttp2_session_callbacks_set_on_header_callback \
    beam_nghttp2_functions.nghttp2_session_callbacks_set_on_header_callback
#define nghttp2_session_callbacks_set_on_stream_close_callback \
    beam_nghttp2_functions.nghttp2_session_callbacks_set_on_stream_close_callback
#define nghttp2_session_callbacks_set_send_callback \
    beam_nghttp2_functions.nghttp2_session_callbacks_set_send_callback
#define nghttp2_session_callbacks_set_send_data_callback \
    beam_nghttp2_functions.nghttp2_session_callbacks_set_send_data_callback
#define nghttp2_session_client_new3 beam_nghttp2_functions.nghttp2_session_client_new3
#define nghttp2_session_consume beam_nghttp2_functions.nghttp2_session_consume
#define nghttp2_session_del beam_nghttp2_functions.nghttp2_session_del
#define nghttp2_session_mem_recv beam_nghttp2_functions.nghttp2_session_mem_recv
#define nghttp2_session_resume_data beam_nghttp2_functions.nghttp2_session_resume_data
#define nghttp2_session_send beam_nghttp2_functions.nghttp2_session_send
#define nghttp2_session_set_local_window_size \
    beam_nghttp2_functions.nghttp2_session_set_local_window_size
#define nghttp2_session_want_read beam_nghttp2_functions.nghttp2_session_want_read
#define nghttp2_session_want_write beam_nghttp2_functions.nghttp2_session_want_write
#define nghttp2_strerror beam_nghttp2_functions.nghttp2_strerror
#define nghttp2_submit_ping beam_nghttp2_functions.nghttp2_submit_ping
#define nghttp2_submit_request beam_nghttp2_functions.nghttp2_submit_request
#define nghttp2_submit_rst_stream beam_nghttp2_functions.nghttp2_submit_rst_stream
#define nghttp2_submit_settings beam_nghttp2_functions.nghttp2_submit_settings

#endif
