/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* A program outside the project that uses the installed library. */
#include <stdio.h>
#include <string.h>

#include <beam/beam.h>

int main(void)
{
    if (strcmp(beam_status_name(BEAM_OK), "OK") != 0)
        return 1;
    printf("libbeam answers %s\n", beam_status_name(BEAM_OK));
    return 0;
}
