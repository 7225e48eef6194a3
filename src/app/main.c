/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* main.c - from argv to exit status. */
#include <beam/app.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "app/dataflow.h"
#include "app/live.h"
#include "app/options.h"
#include "app/page.h"
#include "app/report.h"
#include "app/worker_main.h"
#include "base/alloc.h"
#include "bundle/crash.h"
#include "io/filesystem.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_SIGNAL = 128 };

/* ---- Signals: the first asks the run to stop, the second ends the process ------------------- */

static int cancel;    /* what a run looks at */
static int by_signal; /* which one it was */

static void on_signal(int number)
{
    __atomic_store_n(&by_signal, number, __ATOMIC_RELAXED);
    __atomic_store_n(&cancel, 1, __ATOMIC_RELAXED);
}

static void install_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND | SA_RESTART};
    sigemptyset(&action.sa_mask);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)signal(SIGPIPE, SIG_IGN); /* a closed pipe is an error of write, not an end */
}

/* ---- Watching ------------------------------------------------------------------------------ */

/* What shows a run while it goes on. */
typedef struct watcher {
    bool on_terminal;
    bool line_open;  /* a line without its end is on the terminal */
    beam_page *page; /* NULL: there is to be none */
    beam_live *live; /* NULL: nobody may look at it before the end */
} watcher;

static void print_progress(watcher *w, const beam_progress *p)
{
    char done[32] = "";
    if (p->fraction >= 0)
        snprintf(done, sizeof done, "%3.0f%%  ", 100 * p->fraction);
    fprintf(stderr, "\r%s%6.1f s  %llu elements  %.0f/s  %.50s\033[K", done, p->seconds,
            (unsigned long long)p->elements,
            p->seconds > 0 ? (double)p->elements / p->seconds : 0.0,
            p->transform ? p->transform : "");
    fflush(stderr);
    __atomic_store_n(&w->line_open, true, __ATOMIC_RELAXED);
}

static void on_progress(void *user, const beam_progress *p)
{
    watcher *w = user;
    if (w->on_terminal)
        print_progress(w, p);
    if (w->page)
        beam_page_progress(w->page, p);
    if (w->live)
        beam_live_update(w->live, w->page);
}

/* From any thread: a line of the log, or the end, takes the place of the progress. */
static void end_progress(watcher *w)
{
    if (__atomic_exchange_n(&w->line_open, false, __ATOMIC_RELAXED))
        fprintf(stderr, "\r\033[K");
}

static void on_log(void *user, const beam_log_record *record)
{
    static const beam_logger plain = {.min_level = BEAM_LOG_TRACE};
    end_progress(user);
    beam_log_write(&plain, record->level, record->file, record->line, record->transform, "%s",
                   record->message);
}

/* ---- Options to structs -------------------------------------------------------------------- */

static beam_status parse_count(const char *key, const char *value, int64_t *n, beam_error *err)
{
    char *end;
    errno = 0;
    long long parsed = strtoll(value, &end, 10);
    if (end == value || *end || errno || parsed < 0)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "--resource_hints=%s=%s: expected a whole number", key, value);
    *n = parsed;
    return BEAM_OK;
}

static beam_status read_hints(const beam_args *args, beam_hints *hints, beam_error *err)
{
    const char *hint;
    for (size_t at = 0; (hint = beam_args_next(args, "resource_hints", &at));) {
        const char *equals = strchr(hint, '=');
        size_t len = equals ? (size_t)(equals - hint) : 0;
        const char *value = equals ? equals + 1 : "";
        if (len == 11 && strncmp(hint, "accelerator", len) == 0)
            hints->accelerator = value;
        else if (len == 7 && strncmp(hint, "min_ram", len) == 0)
            hints->min_ram = value;
        else if (len == 9 && strncmp(hint, "cpu_count", len) == 0)
            BEAM_TRY(parse_count("cpu_count", value, &hints->cpu_count, err));
        else if (len == 29 && strncmp(hint, "max_active_bundles_per_worker", len) == 0)
            BEAM_TRY(parse_count("max_active_bundles_per_worker", value,
                                 &hints->max_active_bundles_per_worker, err));
        else
            return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                                  "--resource_hints=%s: expected accelerator=, min_ram=, "
                                  "cpu_count= or max_active_bundles_per_worker=",
                                  hint);
    }
    return BEAM_OK;
}

static beam_status read_run_options(const beam_args *args, beam_run_options *options,
                                    beam_error *err)
{
    options->runner = beam_args_str(args, "runner");
    options->job_name = beam_args_str(args, "job_name");
    options->job_endpoint = beam_args_str(args, "job_endpoint");
    options->artifact_endpoint = beam_args_str(args, "artifact_endpoint");
    options->environment_type = beam_args_str(args, "environment_type");
    options->environment_config = beam_args_str(args, "environment_config");
    int64_t workers = beam_args_int(args, "direct_num_workers");
    if (workers > 1024)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "--direct_num_workers=%lld: at most 1024",
                              (long long)workers);
    options->direct_num_workers = (uint32_t)workers;
    if (beam_args_int(args, "ui_port") > UINT16_MAX)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "--ui_port=%s: at most %d",
                              beam_args_str(args, "ui_port"), UINT16_MAX);
    const char *budget = beam_args_str(args, "memory_budget");
    if (budget && beam_parse_bytes(budget, &options->memory_budget, err) != BEAM_OK)
        return beam_error_wrap(err, BEAM_INVALID_ARGUMENT, "--memory_budget");
    options->temp_dir = beam_args_str(args, "temp_location");
    return BEAM_OK;
}

/* Options that are about this process alone; an engine is told all others. */
static bool stays_here(const char *name)
{
    static const char *const ours[] = {"runner", "dot",    "log_level", "progress", "result_json",
                                       "help",   "report", "ui_port",   "dry_run"};
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (strcmp(name, ours[i]) == 0)
            return true;
    return false;
}

static beam_status tell_options(const beam_args *args, beam_run_options *options,
                                beam_named_value **values, beam_error *err)
{
    size_t n = beam_args_all(args, NULL), kept = 0;
    *values = beam_calloc(n, sizeof **values);
    if (!*values)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "out of memory");
    (void)beam_args_all(args, *values);
    for (size_t i = 0; i < n; i++)
        if (!stays_here((*values)[i].name))
            (*values)[kept++] = (*values)[i];
    options->pipeline_options = *values;
    options->n_pipeline_options = kept;
    return BEAM_OK;
}

/* Whoever names an engine's job service and forgets --runner would believe to run there. */
static void warn_of_unused(const beam_app *app, const beam_run_options *options)
{
    for (size_t i = 0; i < options->n_pipeline_options; i++) {
        const char *name = options->pipeline_options[i].name;
        if (strcmp(options->runner, "direct") == 0 && beam_app_option_is_of_engines(app, name))
            BEAM_LOG(options->logger, BEAM_LOG_WARNING,
                     "--%s is for engines: --runner=direct takes no notice of it", name);
    }
}

/* ---- The run ------------------------------------------------------------------------------- */

static int64_t peak_rss_bytes(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (int64_t)usage.ru_maxrss * 1024 : 0;
}

static beam_status print_dot(beam_pipeline *pipeline, beam_error *err)
{
    char *dot;
    BEAM_TRY(beam_pipeline_to_dot(pipeline, &dot, err));
    fputs(dot, stdout);
    beam_release(dot);
    return BEAM_OK;
}

static beam_status print_dry_run(beam_pipeline *pipeline, const beam_run_options *options,
                                 beam_error *err)
{
    char *text;
    if (strcmp(options->runner, "dataflow") != 0)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "--dry_run is of --runner=dataflow; --dot prints a pipeline");
    BEAM_TRY(beam_app_dataflow_describe(pipeline, options, &text, err));
    puts(text);
    free(text); /* jansson's */
    return BEAM_OK;
}

/* What the run was, printed and written where that is asked for. */
static beam_status write_report(const beam_app *app, const beam_args *args,
                                const beam_run_options *options, const beam_result *result,
                                beam_report *report, beam_error *err)
{
    beam_report_str(report, "example", app->name);
    beam_report_str(report, "runner", options->runner);
    beam_status status = app->finish ? app->finish(result, args, report, app->state, err) : BEAM_OK;
    beam_report_double(report, "seconds", beam_result_seconds(result));
    beam_report_int(report, "peak_rss_bytes", peak_rss_bytes());
    const char *path = beam_args_str(args, "result_json");
    if (status == BEAM_OK)
        beam_report_print(report);
    if (status == BEAM_OK && path)
        status = beam_report_write_json(report, result, path, err);
    return status;
}

/* Before a long run, not after it: there is a place for what it is to write, and one for each. */
static beam_status check_path(const beam_args *args, const char *option, beam_error *err)
{
    const char *path = beam_args_str(args, option);
    beam_writer *probe;
    if (!path)
        return BEAM_OK;
    if (beam_fs_create(path, false, &probe, err) != BEAM_OK)
        return beam_error_wrap(err, err->code, "--%s", option);
    beam_writer_abandon(probe);
    return BEAM_OK;
}

static beam_status check_paths(const beam_args *args, beam_error *err)
{
    const char *json = beam_args_str(args, "result_json"), *page = beam_args_str(args, "report");
    BEAM_TRY(check_path(args, "result_json", err));
    BEAM_TRY(check_path(args, "report", err));
    if (!json || !page || strcmp(json, page) != 0)
        return BEAM_OK;
    return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                          "--result_json and --report name one file, %s: the page would take the "
                          "place of the result",
                          json);
}

static beam_status new_page(const beam_app *app, const beam_args *args,
                            const beam_pipeline *pipeline, const char *runner, beam_page **page,
                            beam_error *err)
{
    size_t n = beam_args_all(args, NULL);
    beam_named_value *given = beam_calloc(n, sizeof *given);
    if (!given)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for the report");
    (void)beam_args_all(args, given);
    const beam_page_options options = {
        .program = app->name, .about = app->about, .runner = runner, .given = given, .n_given = n};
    beam_status status = beam_page_new(&options, pipeline, page, err);
    beam_free(given);
    return status;
}

static beam_status open_page(const beam_app *app, const beam_args *args,
                             const beam_pipeline *pipeline, beam_run_options *options, watcher *w,
                             beam_error *err)
{
    bool live = beam_args_given(args, "ui_port");
    if (!live && !beam_args_given(args, "report"))
        return BEAM_OK;
    BEAM_TRY(new_page(app, args, pipeline, options->runner, &w->page, err));
    options->profile = true;
    if (!live)
        return BEAM_OK;
    uint16_t port = (uint16_t)beam_args_int(args, "ui_port"); /* was looked at with the others */
    BEAM_TRY(beam_live_start(w->page, port, &w->live, err));
    fprintf(stderr, "%s: http://127.0.0.1:%u/ shows the run\n", app->name, beam_live_port(w->live));
    return BEAM_OK;
}

/* The run is over, whichever way; its own failure is what counts. */
static beam_status end_page(const beam_args *args, watcher *w, beam_status status,
                            const beam_result *result, const beam_report *report, beam_error *err)
{
    const char *path = beam_args_str(args, "report");
    beam_error own = {0};
    if (w->page)
        beam_page_end(w->page, status, err, result, report);
    if (w->live)
        beam_live_update(w->live, w->page);
    beam_status written = w->page && path ? beam_page_write(w->page, path, &own) : BEAM_OK;
    beam_live_stop(w->live);
    beam_page_free(w->page);
    w->live = NULL;
    w->page = NULL;
    if (written != BEAM_OK && status == BEAM_OK)
        return beam_error_set(err, written, "--report: %s", own.message);
    if (written != BEAM_OK)
        BEAM_LOG(NULL, BEAM_LOG_ERROR, "--report: %s", own.message);
    return status;
}

static beam_status run_pipeline(const beam_app *app, const beam_args *args, beam_pipeline *pipeline,
                                const beam_run_options *options, watcher *w, beam_error *err)
{
    beam_result *result = NULL;
    beam_report *report = beam_report_new();
    beam_status status = beam_pipeline_run(pipeline, options, &result, err);
    end_progress(w);
    if (status == BEAM_OK)
        status = write_report(app, args, options, result, report, err);
    status = end_page(args, w, status, result, report, err);
    beam_report_free(report);
    beam_result_free(result);
    return status;
}

static beam_status run(const beam_app *app, const beam_args *args, beam_pipeline *pipeline,
                       beam_run_options *options, beam_error *err)
{
    watcher *w = options->progress_user;
    beam_status status = app->build(pipeline, args, app->state);
    if (status == BEAM_OK || beam_pipeline_status(pipeline, NULL) != BEAM_OK)
        status = beam_pipeline_status(pipeline, err);
    else
        beam_error_set(err, status, "building the pipeline failed");
    if (status != BEAM_OK)
        return status;
    if (beam_args_flag(args, "dot"))
        return print_dot(pipeline, err);
    if (beam_args_flag(args, "dry_run"))
        return print_dry_run(pipeline, options, err);
    BEAM_TRY(check_paths(args, err));
    w->on_terminal = beam_args_given(args, "progress") ? beam_args_flag(args, "progress")
                                                       : isatty(STDERR_FILENO) == 1;
    status = open_page(app, args, pipeline, options, w, err);
    if (status != BEAM_OK)
        return end_page(args, w, status, NULL, NULL, err);
    if (w->on_terminal || w->page)
        options->on_progress = on_progress;
    return run_pipeline(app, args, pipeline, options, w, err);
}

/* What devices look for in the environment, as workers in containers have it from theirs. */
static beam_status set_environment(const beam_args *args, beam_error *err)
{
    const char *folder = beam_args_str(args, "compilation_cache_dir");
    if (folder && setenv("BEAM_COMPILATION_CACHE_DIR", folder, 1) != 0)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "out of memory");
    return BEAM_OK;
}

static int fail(const beam_app *app, const beam_error *err, int code)
{
    fprintf(stderr, "%s: %s\n", app->name, err->message);
    return code;
}

static int run_with(const beam_app *app, const beam_args *args)
{
    beam_error err = {0};
    watcher shown = {0};
    beam_logger logger = {.sink = on_log, .user = &shown};
    beam_pipeline_options made = {.struct_size = sizeof made, .name = app->name, .logger = &logger};
    beam_run_options options = {.struct_size = sizeof options,
                                .logger = &logger,
                                .functions = &app->functions,
                                .cancel = &cancel,
                                .progress_user = &shown};
    if (beam_log_level_parse(beam_args_str(args, "log_level"), &logger.min_level, &err) ||
        read_hints(args, &made.hints, &err) || read_run_options(args, &options, &err) ||
        set_environment(args, &err))
        return fail(app, &err, EXIT_USAGE);
    if (beam_args_given(args, "job_name"))
        made.name = beam_args_str(args, "job_name");
    if (beam_crash_install(&err) != BEAM_OK)
        return fail(app, &err, EXIT_FAILED);
    install_signals();
    beam_named_value *told = NULL;
    beam_pipeline *pipeline = beam_pipeline_new(&made);
    beam_status status = pipeline ? tell_options(args, &options, &told, &err)
                                  : beam_error_set(&err, BEAM_RESOURCE_EXHAUSTED, "out of memory");
    if (status == BEAM_OK) {
        warn_of_unused(app, &options);
        status = run(app, args, pipeline, &options, &err);
    }
    beam_pipeline_free(pipeline);
    beam_free(told);
    int number = __atomic_load_n(&by_signal, __ATOMIC_RELAXED);
    if (status == BEAM_OK)
        status = beam_flush_output(&err);
    if (status == BEAM_OK)
        return EXIT_DONE;
    return fail(app, &err, status == BEAM_CANCELLED && number ? EXIT_SIGNAL + number : EXIT_FAILED);
}

static int work(const beam_app *app, const beam_worker_request *request)
{
    const beam_logger logger = {.min_level = BEAM_LOG_INFO};
    beam_error err = {0};
    beam_status status = beam_crash_install(&err);
    install_signals();
    if (status == BEAM_OK)
        status = beam_app_worker_main(app, request, &logger, &cancel, &err);
    return status == BEAM_OK ? EXIT_DONE : fail(app, &err, EXIT_FAILED);
}

int beam_main(int argc, char **argv, const beam_app *app)
{
    beam_args *args;
    beam_worker_request worker;
    beam_help help;
    beam_error err = {0};
    if (app->struct_size != sizeof *app) {
        beam_error_set(&err, BEAM_INVALID_ARGUMENT, "beam_app.struct_size is %zu instead of %zu",
                       app->struct_size, sizeof *app);
        return fail(app, &err, EXIT_USAGE);
    }
    if (beam_worker_request_parse(argc, argv, &worker))
        return work(app, &worker);
    const beam_command command = beam_app_command(app);
    if (beam_args_parse(argc, argv, &command, &args, &help, &err) != BEAM_OK) {
        fail(app, &err, EXIT_USAGE);
        fprintf(stderr, "%s --help tells more\n", app->name);
        return EXIT_USAGE;
    }
    if (help) {
        beam_help_print(help, &command, NULL, 0);
        return beam_flush_output(&err) == BEAM_OK ? EXIT_DONE : fail(app, &err, EXIT_FAILED);
    }
    int code = run_with(app, args);
    beam_args_free(args);
    return code;
}
