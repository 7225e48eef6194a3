/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* text.h - pipeline protos as text, payloads that are messages included, and golden files. */
#ifndef TESTS_GRAPH_TEXT_H
#define TESTS_GRAPH_TEXT_H

#include <beam/pipeline.h>

#include "base/buffer.h"

/* Appends a message as indented text in the order of its fields. */
void test_message_text(const void *message, int depth, beam_buffer *out);

/* Compares the pipeline's proto with golden/NAME.txt; with BEAM_UPDATE_GOLDEN set in the
 * environment it writes that file instead. */
void test_golden(beam_pipeline *pipeline, const char *name);

/* Fails the test unless the pipeline has an error of that code with these words. */
void test_fails_with(const beam_pipeline *pipeline, beam_status code, const char *const *words,
                     size_t n);
#define FAILS_WITH(pipeline, code, ...)                                     \
    test_fails_with((pipeline), (code), (const char *const[]){__VA_ARGS__}, \
                    sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

#endif
