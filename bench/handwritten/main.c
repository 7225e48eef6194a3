/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* The hand-written program: runs one job and prints one line of JSON about it. */
#include "handwritten.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char usage[] =
    "usage: handwritten [--threads=N] JOB\n"
    "  group COUNT KEYS        group 0..COUNT-1 by KEYS keys, keep the values, sum each group\n"
    "  combine COUNT KEYS      the same sums without keeping the values\n"
    "  map STYLE COUNT         five maps and a filter; STYLE is fused, batch or call\n"
    "  wordcount INPUT OUTPUT  count words, write \"word: count\" lines\n"
    "KEYS is 1000 or 1000000.  Prints one line of JSON: job, threads, seconds, checksum and\n"
    "peak_rss_bytes.\n";

static void usage_error(void)
{
    fputs(usage, stderr);
    exit(2);
}

static uint64_t parse_count(const char *text)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno || end == text || *end || text[0] == '-' || value > (uint64_t)1 << 40)
        hw_fatal("\"%s\" is not a count", text);
    return value;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* The kernel's own figure for this program image; getrusage's may be inherited from the parent. */
static uint64_t peak_rss_bytes(void)
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

static hw_checksum run_numbers(const char *job, const hw_numbers *numbers)
{
    if (strcmp(job, "group") == 0)
        return numbers->many_keys ? hw_group_many(numbers) : hw_group_few(numbers);
    return numbers->many_keys ? hw_combine_many(numbers) : hw_combine_few(numbers);
}

static hw_checksum run_job(int threads, char **words)
{
    const char *job = words[0];
    if (strcmp(job, "group") == 0 || strcmp(job, "combine") == 0) {
        hw_numbers numbers = {.count = parse_count(words[1]), .threads = threads};
        uint64_t keys = parse_count(words[2]);
        if (keys != 1000 && keys != 1000000)
            usage_error();
        numbers.many_keys = keys == 1000000;
        return run_numbers(job, &numbers);
    }
    if (strcmp(job, "map") == 0) {
        static const char *const styles[] = {"fused", "batch", "call"};
        for (int i = 0; i < 3; i++) {
            if (strcmp(words[1], styles[i]) == 0)
                return hw_map_chain(parse_count(words[2]), threads, (hw_map_style)i);
        }
    }
    if (strcmp(job, "wordcount") == 0)
        return hw_wordcount(words[1], words[2], threads);
    usage_error();
    return (hw_checksum){0};
}

int main(int argc, char **argv)
{
    int threads = 2, first = 1;
    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        fputs(usage, stdout);
        return 0;
    }
    if (argc > 1 && strncmp(argv[1], "--threads=", 10) == 0) {
        uint64_t value = parse_count(argv[1] + 10);
        if (value < 1 || value > HW_MAX_THREADS)
            hw_fatal("--threads must be 1 to %d", HW_MAX_THREADS);
        threads = (int)value;
        first = 2;
    }
    if (argc - first != 3)
        usage_error();
    double start = now();
    hw_checksum result = run_job(threads, argv + first);
    double seconds = now() - start;
    int printed = printf("{\"job\": \"%s\", \"threads\": %d, \"seconds\": %.6f, "
                         "\"checksum\": \"%" PRIu64 "/%" PRId64 "/%" PRId64 "\", "
                         "\"peak_rss_bytes\": %" PRIu64 "}\n",
                         argv[first], threads, seconds, result.count, result.sum, result.weighted,
                         peak_rss_bytes());
    return printed < 0 || fflush(stdout) ? 1 : 0;
}
