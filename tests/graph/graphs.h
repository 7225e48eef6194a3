/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* graphs.h - pipelines that between them use every transform. */
#ifndef TESTS_GRAPH_GRAPHS_H
#define TESTS_GRAPH_GRAPHS_H

#include <beam/pipeline.h>

typedef struct test_graph {
    const char *name;
    void (*build)(beam_pipeline *pipeline);
} test_graph;

extern const test_graph test_graphs[];
extern const size_t test_n_graphs;

#endif
