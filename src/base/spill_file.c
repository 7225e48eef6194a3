/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "base/spill_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"

beam_status beam_spill_file_open(const char *folder, int *fd, beam_error *err)
{
    *fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (*fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
        char *name = beam_asprintf("%s/libbeam-run-XXXXXX", folder);
        if (!name)
            return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "out of memory spilling");
        *fd = mkostemp(name, O_CLOEXEC);
        if (*fd >= 0)
            (void)unlink(name);
        beam_free(name);
    }
    if (*fd < 0)
        return beam_error_set(err, BEAM_UNAVAILABLE,
                              "cannot make a file to spill to in %s: %s; name a folder with "
                              "room by --temp_location or TMPDIR",
                              folder, strerror(errno));
    return BEAM_OK;
}

beam_status beam_spill_file_write(int fd, uint64_t offset, const void *data, size_t size,
                                  beam_error *err)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = pwrite(fd, (const char *)data + done, size - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return beam_error_set(err, errno == ENOSPC ? BEAM_RESOURCE_EXHAUSTED : BEAM_UNKNOWN,
                                  "cannot write %zu bytes that memory has no room for to a "
                                  "temporary file: %s; name a folder with room by "
                                  "--temp_location or TMPDIR",
                                  size - done, strerror(errno));
        done += (size_t)n;
    }
    return BEAM_OK;
}

beam_status beam_spill_file_read(int fd, uint64_t offset, void *data, size_t size, beam_error *err)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = pread(fd, (char *)data + done, size - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return beam_error_set(err, n ? BEAM_UNKNOWN : BEAM_DATA_LOSS,
                                  "cannot read a temporary file: %s",
                                  n ? strerror(errno) : "it has become shorter");
        done += (size_t)n;
    }
    return BEAM_OK;
}
