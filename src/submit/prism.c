/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "submit/prism.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "io/cache.h"

enum {
    TRIES = 5,
    PATIENCE = 30, /* seconds until a started Prism answers */
    GRACE = 10,    /* seconds in which it tells that a worker has ended */
    SPINNING = 9,  /* goroutines of a job that may turn without a pause */
    FAILED = 127
};

static beam_status no_memory(beam_error *err)
{
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory to find Prism");
}

/* ---- Finding ----------------------------------------------------------------------------- */

static beam_status in_path(char **path, beam_error *err)
{
    const char *folders = getenv("PATH");
    for (const char *at = folders ? folders : ""; *at && !*path;) {
        size_t len = strcspn(at, ":");
        char *tried = beam_asprintf("%.*s/prism", (int)len, at);
        if (!tried)
            return no_memory(err);
        if (len && access(tried, X_OK) == 0)
            *path = tried;
        else
            beam_free(tried);
        at += len + (at[len] == ':');
    }
    return BEAM_OK;
}

static beam_status in_cache(char **path, beam_error *err)
{
    char *pattern = NULL;
    glob_t found = {0};
    BEAM_TRY(beam_cache_folder("prism-*/prism", &pattern, err));
    beam_status status = BEAM_OK;
    if (glob(pattern, 0, NULL, &found) == 0 && found.gl_pathc > 0 &&
        !(*path = beam_strdup(found.gl_pathv[found.gl_pathc - 1]))) /* sorted: the newest */
        status = no_memory(err);
    globfree(&found);
    beam_free(pattern);
    return status;
}

beam_status beam_prism_find(char **path, beam_error *err)
{
    const char *named = getenv("BEAM_PRISM");
    *path = NULL;
    if (named && *named) {
        if (access(named, X_OK) != 0)
            return beam_error_set(err, BEAM_NOT_FOUND, "BEAM_PRISM=%s: %s", named, strerror(errno));
        *path = beam_strdup(named);
        return *path ? BEAM_OK : no_memory(err);
    }
    BEAM_TRY(in_path(path, err));
    if (!*path)
        BEAM_TRY(in_cache(path, err));
    if (*path)
        return BEAM_OK;
    return beam_error_set(err, BEAM_NOT_FOUND,
                          "there is no Prism: it is not in PATH nor in libbeam's cache, and "
                          "BEAM_PRISM names none; `scripts/deps go prism` in libbeam's sources "
                          "gets it, or `go install "
                          "github.com/apache/beam/sdks/v2/go/cmd/prism@latest`; or give the "
                          "--job_endpoint of one that runs");
}

/* ---- Starting ---------------------------------------------------------------------------- */

static uint16_t free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    uint16_t port = 0;
    if (fd >= 0 && bind(fd, (struct sockaddr *)&address, size) == 0 &&
        getsockname(fd, (struct sockaddr *)&address, &size) == 0)
        port = ntohs(address.sin_port);
    if (fd >= 0)
        (void)close(fd);
    return port;
}

static bool answers(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool connected = fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    if (fd >= 0)
        (void)close(fd);
    return connected;
}

/* In the child: nothing but calls that a signal handler may make. */
static void become(char *const *argv, char *const *settings, pid_t parent)
{
    int nothing = open("/dev/null", O_RDONLY);
    /* Killed with the thread that runs the job, however that ends. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
        _exit(FAILED);
    /* What it says goes to stderr; stdout is the program's own.  In a group of its own a terminal's
     * Ctrl-C reaches it after the job was cancelled, by beam_prism_stop. */
    if (nothing < 0 || dup2(nothing, 0) < 0 || dup2(2, 1) < 0 || setpgid(0, 0) != 0)
        _exit(FAILED);
    (void)execve(argv[0], argv, settings);
    _exit(FAILED);
}

/* Prism 2.77 turns in a loop for each bundle of a stage whose elements nobody takes, eight at a
 * time, and in one more while a stage with side inputs runs.  Where they fill all threads that Go
 * lets run at once, nothing looks at the sockets but a timer of 10 ms, for which each answer about
 * a side input then waits, twice: so more threads may run than there are cores. */
static char **settings_of_prism(char *setting, size_t size)
{
    size_t n = 0;
    while (environ[n])
        n++;
    char **settings = beam_calloc(n + 2, sizeof *settings);
    if (!settings)
        return NULL;
    for (size_t i = 0; i < n; i++)
        settings[i] = environ[i];
    snprintf(setting, size, "GOMAXPROCS=%ld", sysconf(_SC_NPROCESSORS_ONLN) + SPINNING);
    if (!getenv("GOMAXPROCS"))
        settings[n] = setting;
    return settings;
}

static beam_status spawn(const char *path, uint16_t port, const beam_logger *logger, pid_t *pid,
                         beam_error *err)
{
    beam_log_level level = logger && logger->min_level ? logger->min_level : BEAM_LOG_WARNING;
    char job_port[32], log_level[32], procs[32];
    snprintf(job_port, sizeof job_port, "-job_port=%u", port);
    snprintf(log_level, sizeof log_level, "-log_level=%s",
             level <= BEAM_LOG_DEBUG     ? "debug"
             : level <= BEAM_LOG_NOTICE  ? "info"
             : level == BEAM_LOG_WARNING ? "warn"
                                         : "error");
    char *const argv[] = {(char *)path,
                          job_port,
                          "-serve_http=false",
                          "-log_kind=text",
                          log_level,
                          "-idle_shutdown_timeout=30s",
                          NULL};
    char **settings = settings_of_prism(procs, sizeof procs);
    if (!settings)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory to start Prism");
    pid_t self = getpid();
    *pid = fork();
    if (*pid == 0)
        become(argv, settings, self);
    int number = errno;
    beam_free(settings);
    if (*pid > 0)
        return BEAM_OK;
    *pid = 0;
    return beam_error_set(err, beam_status_of_errno(number), "cannot start %s: %s", path,
                          strerror(number));
}

static void nap(void)
{
    (void)nanosleep(&(struct timespec){0, 5000000}, NULL);
}

/* BEAM_ABORTED: it ended, perhaps since the port was taken meanwhile. */
static beam_status start_on(const char *path, uint16_t port, const beam_logger *logger,
                            beam_prism *prism, beam_error *err)
{
    BEAM_TRY(spawn(path, port, logger, &prism->pid, err));
    time_t give_up = time(NULL) + PATIENCE;
    for (bool ready = false; !ready;) {
        ready = answers(port); /* another program, perhaps */
        if (!beam_prism_alive(prism))
            return beam_error_set(err, BEAM_ABORTED, "%s %s before it answered", path, prism->end);
        if (!ready && time(NULL) > give_up) {
            beam_prism_stop(prism);
            return beam_error_set(err, BEAM_DEADLINE_EXCEEDED,
                                  "%s did not answer on port %u within %d s", path, port, PATIENCE);
        }
        if (!ready)
            nap();
    }
    snprintf(prism->endpoint, sizeof prism->endpoint, "localhost:%u", port);
    return BEAM_OK;
}

beam_status beam_prism_start(const beam_logger *logger, beam_prism *prism, beam_error *err)
{
    char *path = NULL;
    *prism = (beam_prism){0};
    BEAM_TRY(beam_prism_find(&path, err));
    beam_status status = BEAM_ABORTED;
    for (int i = 0; i < TRIES && status == BEAM_ABORTED; i++) {
        uint16_t port = free_port();
        status = port ? start_on(path, port, logger, prism, err)
                      : beam_error_set(err, BEAM_UNAVAILABLE, "there is no free port for Prism");
    }
    beam_free(path);
    return status;
}

bool beam_prism_alive(beam_prism *prism)
{
    int state;
    if (prism->pid && waitpid(prism->pid, &state, WNOHANG) == prism->pid) {
        prism->pid = 0;
        if (WIFSIGNALED(state))
            snprintf(prism->end, sizeof prism->end, "was killed by signal %d", WTERMSIG(state));
        else
            snprintf(prism->end, sizeof prism->end, "ended with status %d", WEXITSTATUS(state));
    }
    return prism->pid != 0;
}

/* A worker that it started in a process is its child, as nothing else is; threads begin them. */
static size_t count_workers(pid_t prism)
{
    char pattern[64], line[4096];
    glob_t found = {0};
    size_t n = 0;
    snprintf(pattern, sizeof pattern, "/proc/%d/task/*/children", (int)prism);
    if (glob(pattern, GLOB_NOSORT, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc; i++) {
            FILE *file = fopen(found.gl_pathv[i], "re");
            if (file && fgets(line, sizeof line, file)) /* "12 345 " */
                for (const char *at = line; (at = strchr(at, ' ')); at++)
                    n++;
            if (file)
                (void)fclose(file);
        }
    globfree(&found);
    return n;
}

bool beam_prism_lost_worker(beam_prism *prism)
{
    size_t n = prism->pid ? count_workers(prism->pid) : 0;
    if (n >= prism->most_workers) {
        prism->most_workers = n;
        prism->fewer_since = 0;
    } else if (!prism->fewer_since) {
        prism->fewer_since = time(NULL);
    }
    return prism->fewer_since && time(NULL) - prism->fewer_since > GRACE;
}

void beam_prism_stop(beam_prism *prism)
{
    if (!prism->pid)
        return;
    (void)kill(prism->pid, SIGKILL); /* it keeps nothing that would have to be saved */
    (void)waitpid(prism->pid, NULL, 0);
    prism->pid = 0;
}
