/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "app/page.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app/report.h"
#include "app/result.h"
#include "base/alloc.h"
#include "io/filesystem.h"

enum { MOST_POINTS = 512 }; /* of the run's pace */

struct beam_page {
    json_t *run; /* the object */
    json_t *pace;
    size_t every, passed; /* of so many calls of beam_page_progress one is a point */
    bool incomplete;      /* memory was out for something */
};

/* ---- Texts ------------------------------------------------------------------------------ */

json_t *beam_page_text(const char *text)
{
    if (!text)
        return json_null();
    json_t *string = json_string(text);
    char *copy = string ? NULL : beam_strdup(text);
    if (!copy)
        return string;
    for (char *at = copy; *at; at++)
        if ((unsigned char)*at >= 0x80)
            *at = '?';
    string = json_string(copy);
    beam_free(copy);
    return string;
}

json_t *beam_page_whole(json_t *made, int failed)
{
    if (!failed)
        return made;
    json_decref(made);
    return NULL;
}

static json_t *time_text(void)
{
    char text[32] = "";
    struct tm now;
    time_t seconds = time(NULL);
    if (gmtime_r(&seconds, &now))
        (void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &now);
    return json_string(text);
}

/* ---- The object ------------------------------------------------------------------------- */

static json_t *given_options(const beam_page_options *options)
{
    json_t *given = json_array();
    int failed = 0;
    for (size_t i = 0; i < options->n_given; i++)
        failed |= json_array_append_new(given, json_pack("[o?, o?]",
                                                         beam_page_text(options->given[i].name),
                                                         beam_page_text(options->given[i].value)));
    return beam_page_whole(given, failed);
}

static json_t *new_run(const beam_page_options *options, const beam_pipeline *pipeline)
{
    json_t *run = json_object();
    int failed = json_object_set_new(run, "program", beam_page_text(options->program));
    failed |= json_object_set_new(run, "about", beam_page_text(options->about));
    failed |= json_object_set_new(run, "runner",
                                  beam_page_text(options->runner ? options->runner : "direct"));
    failed |= json_object_set_new(run, "options", given_options(options));
    failed |= json_object_set_new(run, "began", time_text());
    failed |= json_object_set_new(run, "state", json_string("running"));
    failed |= json_object_set_new(run, "seconds", json_real(0));
    failed |= json_object_set_new(run, "graph", beam_page_graph(pipeline));
    return beam_page_whole(run, failed);
}

beam_status beam_page_new(const beam_page_options *options, const beam_pipeline *pipeline,
                          beam_page **out, beam_error *err)
{
    beam_page *page = beam_calloc(1, sizeof *page);
    *out = page;
    if (page) {
        page->every = 1;
        page->run = new_run(options, pipeline);
        page->pace = json_array();
    }
    if (page && page->run && json_object_set(page->run, "pace", page->pace) == 0)
        return BEAM_OK;
    beam_page_free(page);
    *out = NULL;
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for the report");
}

void beam_page_free(beam_page *page)
{
    if (!page)
        return;
    json_decref(page->run);
    json_decref(page->pace);
    beam_free(page);
}

/* The longer it goes, the rarer the points, so that they always span the whole run. */
static void add_point(beam_page *page, double seconds, uint64_t elements)
{
    if (page->passed++ % page->every)
        return;
    if (json_array_size(page->pace) == MOST_POINTS) {
        for (size_t i = 0; i < MOST_POINTS / 2; i++)
            (void)json_array_remove(page->pace, i + 1);
        page->every *= 2;
    }
    if (json_array_append_new(page->pace, json_pack("[f, I]", seconds, (json_int_t)elements)) != 0)
        page->incomplete = true;
}

void beam_page_progress(beam_page *page, const beam_progress *progress)
{
    int failed = json_object_set_new(page->run, "seconds", json_real(progress->seconds));
    failed |=
        json_object_set_new(page->run, "fraction",
                            progress->fraction < 0 ? json_null() : json_real(progress->fraction));
    failed |= json_object_set_new(page->run, "busiest", beam_page_text(progress->transform));
    if (progress->result) {
        failed |= beam_page_add_result(page->run, progress->result);
        add_point(page, progress->seconds, progress->elements);
    }
    page->incomplete |= failed != 0;
}

void beam_page_end(beam_page *page, beam_status status, const beam_error *why,
                   const beam_result *result, const beam_report *report)
{
    const char *state = status == BEAM_OK          ? "done"
                        : status == BEAM_CANCELLED ? "cancelled"
                                                   : "failed";
    int failed = json_object_set_new(page->run, "state", json_string(state));
    failed |= json_object_set_new(page->run, "ended", time_text());
    if (status != BEAM_OK && why)
        failed |= json_object_set_new(page->run, "error", beam_page_text(why->message));
    if (result) {
        failed |= json_object_set_new(page->run, "seconds", json_real(beam_result_seconds(result)));
        failed |= beam_page_add_result(page->run, result);
        page->passed = 0; /* the last point counts whichever it is */
        add_point(page, beam_result_seconds(result), result->direct.elements);
    }
    if (status == BEAM_OK)
        failed |= json_object_set_new(page->run, "fraction", json_real(1));
    if (report)
        failed |= json_object_set(page->run, "summary", beam_report_object(report));
    page->incomplete |= failed != 0;
}

/* ---- As text ---------------------------------------------------------------------------- */

/* These three stand in JSON's strings only, so they may be written as JSON's escapes anywhere:
 * then no text can end the element that the object is in. */
static beam_status append_escaped(beam_buffer *out, const char *text)
{
    for (;;) {
        size_t plain = strcspn(text, "<>&");
        BEAM_TRY(beam_buffer_append(out, text, plain));
        if (!text[plain])
            return BEAM_OK;
        BEAM_TRY(beam_buffer_printf(out, "\\u%04x", (unsigned)text[plain]));
        text += plain + 1;
    }
}

beam_status beam_page_json(const beam_page *page, beam_buffer *out, beam_error *err)
{
    char *text =
        page->incomplete
            ? NULL
            : json_dumps(page->run, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(9));
    beam_status status = text ? append_escaped(out, text) : BEAM_RESOURCE_EXHAUSTED;
    free(text); /* jansson's */
    return status == BEAM_OK ? BEAM_OK : beam_error_set(err, status, "no memory for the report");
}

beam_status beam_page_html(const beam_buffer *json, beam_buffer *out)
{
    BEAM_TRY(beam_buffer_append(out, beam_page_head, beam_page_head_size));
    BEAM_TRY(beam_buffer_append(out, json->data, json->len));
    return beam_buffer_append(out, beam_page_tail, beam_page_tail_size);
}

beam_status beam_page_write(const beam_page *page, const char *path, beam_error *err)
{
    beam_buffer json = {0}, html = {0};
    beam_writer *file = NULL;
    beam_status status = beam_page_json(page, &json, err);
    if (status == BEAM_OK && (status = beam_page_html(&json, &html)) != BEAM_OK)
        beam_error_set(err, status, "no memory for %s", path);
    if (status == BEAM_OK)
        status = beam_fs_create(path, false, &file, err);
    if (status == BEAM_OK)
        status = beam_writer_write(file, html.data, html.len, err);
    if (status == BEAM_OK)
        status = beam_writer_commit(file, err);
    else
        beam_writer_abandon(file);
    beam_buffer_free(&json);
    beam_buffer_free(&html);
    return status;
}
