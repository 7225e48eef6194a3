/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* page.h - a run as one HTML file, which shows its graph, its metrics and how it went.
 *
 *   page/          the page itself: HTML, style and script, put together and embedded at build time
 *   page.c         a run as one JSON object, and that object in the page
 *   page_graph.c   the pipeline's part of the object
 *   page_result.c  the part of what the run did
 *   live.c         the page while the run goes on, for a browser on this machine
 *
 * Whatever comes from outside (names of transforms, messages, metrics) is text in the object, and
 * the script puts it into the page as text.  docs/report.md tells what is on the page. */
#ifndef APP_PAGE_H
#define APP_PAGE_H

#include <beam/app.h>
#include <jansson.h>

#include "base/buffer.h"

typedef struct beam_page beam_page;

typedef struct beam_page_options {
    const char *program, *about, *runner;
    const beam_named_value *given; /* the command line's options */
    size_t n_given;
} beam_page_options;

/* Begins a page with the pipeline's graph; everything is copied. */
beam_status beam_page_new(const beam_page_options *options, const beam_pipeline *pipeline,
                          beam_page **page, beam_error *err);
void beam_page_free(beam_page *page);
/* Takes in how far the run is. */
void beam_page_progress(beam_page *page, const beam_progress *progress);
/* The run is over: with what status, and (each may be NULL) why, what it did and found. */
void beam_page_end(beam_page *page, beam_status status, const beam_error *why,
                   const beam_result *result, const beam_report *report);

/* Appends the run so far as one JSON object, in ASCII and without <, > and &, so that it can stand
 * in a page. */
beam_status beam_page_json(const beam_page *page, beam_buffer *out, beam_error *err);
/* Appends the page around such an object. */
beam_status beam_page_html(const beam_buffer *json, beam_buffer *out);
/* Writes the page to a file, whole or not at all. */
beam_status beam_page_write(const beam_page *page, const char *path, beam_error *err);

/* ---- Parts of the object: NULL when memory is out -------------------------------------- */

/* Any bytes as JSON text; those that are no UTF-8 become '?'.  NULL: null. */
json_t *beam_page_text(const char *text);
/* `made`, unless something failed: then it is freed, and NULL.  (jansson's functions that add to an
 * object or array take a NULL for either as out of memory, and free the other.) */
json_t *beam_page_whole(json_t *made, int failed);
json_t *beam_page_graph(const beam_pipeline *pipeline);
/* The rows of training_history or training_results (training.h), as objects. */
json_t *beam_page_rows(const beam_result *result, const char *metric);
/* Adds stages, counts, metrics and trainings; -1 when memory is out. */
int beam_page_add_result(json_t *run, const beam_result *result);

/* The page's two halves, before and after the object; made by cmake/EmbedPage.cmake. */
extern const char beam_page_head[], beam_page_tail[];
extern const unsigned long beam_page_head_size, beam_page_tail_size;

#endif
