/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Options, clock, cache folder, child programs. */
#include "common/bench_run.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

void bench_fatal(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

void *bench_alloc(size_t bytes)
{
    void *p = malloc(bytes);
    if (!p)
        bench_fatal("out of memory for %zu bytes", bytes);
    return p;
}

char *bench_strdup(const char *text)
{
    return bench_format("%s", text);
}

char *bench_format(const char *format, ...)
{
    char *text;
    va_list args;
    va_start(args, format);
    int length = vasprintf(&text, format, args);
    va_end(args);
    if (length < 0)
        bench_fatal("out of memory for a text");
    return text;
}

void bench_begin(int argc, char **argv, const char *name, const char *about,
                 const beam_option *options, size_t n_options)
{
    const beam_command command = {
        .name = name, .about = about, .groups = {{"Options", options, n_options}}};
    beam_args *args;
    beam_help help;
    beam_error err = {0};
    if (beam_args_parse(argc, argv, &command, &args, &help, &err) != BEAM_OK) {
        fprintf(stderr, "%s: %s\n%s --help tells more\n", name, err.message, name);
        exit(2);
    }
    beam_args_free(args);
    if (!help)
        return;
    beam_help_print(help, &command, NULL, 0);
    exit(0);
}

const char *bench_option(int argc, char **argv, const char *name)
{
    size_t length = strlen(name);
    const char *value = NULL;
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i];
        if (strncmp(a, "--", 2) == 0 && strncmp(a + 2, name, length) == 0 && a[2 + length] == '=')
            value = a + 2 + length + 1;
    }
    return value;
}

const char *bench_text_option(int argc, char **argv, const char *name, const char *otherwise)
{
    const char *text = bench_option(argc, argv, name);
    return text ? text : otherwise;
}

double bench_number_option(int argc, char **argv, const char *name, double otherwise)
{
    const char *text = bench_option(argc, argv, name);
    if (!text)
        return otherwise;
    char *end = NULL;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !(value > 0) || value > 10000)
        bench_fatal("--%s=%s is no number above 0", name, text);
    return value;
}

bool bench_has_flag(int argc, char **argv, const char *flag)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], flag) == 0)
            return true;
    return false;
}

double bench_clock(clockid_t clock)
{
    struct timespec t;
    (void)clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

double bench_now(void)
{
    return bench_clock(CLOCK_MONOTONIC);
}

uint64_t bench_peak_rss_bytes(void)
{
    unsigned long long kilobytes = 0;
    char line[256];
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file)) {
        if (sscanf(line, "VmHWM: %llu kB", &kilobytes) == 1)
            break;
    }
    if (file)
        fclose(file);
    return kilobytes * 1024;
}

static char *cache_folder(void)
{
    const char *own = getenv("BEAM_CACHE"), *user = getenv("XDG_CACHE_HOME"), *home;
    if (own && *own)
        return bench_strdup(own);
    if (user && *user)
        return bench_format("%s/libbeam", user);
    home = getenv("HOME");
    if (!home || !*home)
        bench_fatal("no cache folder: set BEAM_CACHE, or HOME");
    return bench_format("%s/.cache/libbeam", home);
}

/* Makes every folder above the last slash of path. */
static void make_parents(char *path)
{
    for (char *slash = path + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        if (mkdir(path, 0777) && errno != EEXIST)
            bench_fatal("cannot make the folder %s: %s", path, strerror(errno));
        *slash = '/';
    }
}

char *bench_cache_path(const char *name)
{
    char *folder = cache_folder();
    char *path = bench_format("%s/%s", folder, name);
    free(folder);
    make_parents(path);
    return path;
}

char *bench_sibling_program(const char *name)
{
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length <= 0)
        bench_fatal("cannot find out where this program is: %s", strerror(errno));
    self[length] = '\0';
    char *slash = strrchr(self, '/');
    *slash = '\0';
    return bench_format("%s/%s", self, name);
}

char *bench_peer_python(void)
{
    char *path = bench_cache_path("peers/bin/python");
    if (access(path, X_OK) == 0)
        return path;
    free(path);
    return NULL;
}

/* Reads until the other end is closed. */
static char *read_all(int fd)
{
    size_t length = 0, room = 4096;
    char *text = bench_alloc(room);
    for (;;) {
        if (room - length < 2048) {
            room *= 2;
            text = realloc(text, room);
            if (!text)
                bench_fatal("out of memory for a program's output");
        }
        ssize_t n = read(fd, text + length, room - length - 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        length += (size_t)n;
    }
    text[length] = '\0';
    return text;
}

/* Starts the program with its stdout going to the pipe; returns 0 or an errno. */
static int spawn(const char *const arguments[], const int pipe_ends[2], pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    int error = posix_spawn_file_actions_init(&actions);
    if (error)
        return error;
    error = posix_spawn_file_actions_adddup2(&actions, pipe_ends[1], STDOUT_FILENO);
    /* posix_spawnp changes neither the array nor the strings. */
    if (!error)
        error = posix_spawnp(pid, arguments[0], &actions, NULL, (char *const *)(uintptr_t)arguments,
                             environ);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

static double seconds_of(struct timeval t)
{
    return (double)t.tv_sec + 1e-6 * (double)t.tv_usec;
}

bool bench_child_run(const char *const arguments[], bench_child *child)
{
    int ends[2], status = 0;
    pid_t pid;
    struct rusage usage;
    *child = (bench_child){0};
    if (pipe2(ends, O_CLOEXEC))
        return false;
    double start = bench_now();
    int error = spawn(arguments, ends, &pid);
    close(ends[1]);
    if (error) {
        close(ends[0]);
        errno = error;
        return false;
    }
    child->output = read_all(ends[0]);
    close(ends[0]);
    while (wait4(pid, &status, 0, &usage) < 0) {
        if (errno != EINTR)
            bench_fatal("waiting for %s: %s", arguments[0], strerror(errno));
    }
    child->seconds = bench_now() - start;
    child->exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    child->cpu_seconds = seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
    child->peak_rss_bytes = (uint64_t)usage.ru_maxrss * 1024;
    return true;
}

void bench_child_free(bench_child *child)
{
    free(child->output);
    *child = (bench_child){0};
}

json_t *bench_child_objects(const bench_child *child)
{
    json_t *list = json_array();
    if (!list)
        bench_fatal("out of memory for a program's output");
    for (const char *line = child->output; line && *line;) {
        size_t length = strcspn(line, "\n");
        json_t *value = json_loadb(line, length, 0, NULL);
        if (json_is_object(value) && json_array_append(list, value))
            bench_fatal("out of memory for a program's output");
        json_decref(value);
        line += length + (line[length] == '\n');
    }
    return list;
}
