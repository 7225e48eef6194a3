/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target over the files it is given (a folder: all files in it), so that the
 * committed corpora are tried by any compiler, without libFuzzer. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *path, size_t size)
{
    FILE *file = fopen(path, "rb");
    /* As large as the file and no larger, so that a sanitizer sees a read past the end. */
    uint8_t *data = malloc(size ? size : 1);
    int status = 1;
    if (file && data && fread(data, 1, size, file) == size) {
        (void)LLVMFuzzerTestOneInput(data, size);
        status = 0;
    } else {
        fprintf(stderr, "%s: cannot be read\n", path);
    }
    free(data);
    if (file)
        fclose(file);
    return status;
}

static int run_path(const char *path, size_t *count)
{
    struct stat info;
    if (stat(path, &info) != 0) {
        fprintf(stderr, "%s: not there\n", path);
        return 1;
    }
    if (!S_ISDIR(info.st_mode)) {
        ++*count;
        return run_file(path, (size_t)info.st_size);
    }
    DIR *folder = opendir(path);
    int status = folder ? 0 : 1;
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        char inner[4096];
        if (entry->d_name[0] == '.')
            continue;
        if ((size_t)snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name) >= sizeof inner)
            status = 1;
        else
            status |= run_path(inner, count);
    }
    if (folder)
        closedir(folder);
    return status;
}

int main(int argc, char **argv)
{
    size_t count = 0;
    int status = 0;
    for (int i = 1; i < argc; i++)
        status |= run_path(argv[i], &count);
    printf("%zu inputs\n", count);
    return count == 0 ? 1 : status;
}
