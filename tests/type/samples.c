/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* samples.c - see samples.h. */
#include "samples.h"

#include <string.h>

static beam_str str(const char *text)
{
    return (beam_str){text, strlen(text)};
}

everything sample_everything(void)
{
    static point path[2];
    static beam_str tags[3];
    static maybe_int holes[2];
    static count_entry tally[2];
    static const float pixels[6] = {1, 2, 3, 4, 5, 6};
    path[0] = (point){1, -0.0, -2};
    path[1] = (point){255, 1e300, 32767};
    tags[0] = str("one");
    tags[1] = str("");
    tags[2] = str("a tag that is longer than a word");
    holes[0] = (maybe_int){.present = false};
    holes[1] = (maybe_int){true, INT64_MIN};
    tally[0] = (count_entry){str("b"), {true, 2}};
    tally[1] = (count_entry){str("a"), {.present = false}};
    return (everything){
        .flag = true,
        .octet = 200,
        .small = -300,
        .medium = -70000,
        .large = INT64_MIN,
        .single = 0.1f,
        .real = -0.0,
        .text = str("gr\xc3\xbc\xc3\x9f dich \xf0\x9f\x98\x80"),
        .raw = {"\x00\xff\x80", 3},
        .when = INT64_C(1597328054123),
        .price = {{"\x7a\xb7", 2}, 4},
        .image = {BEAM_F32, 2, {2, 3}, pixels},
        .maybe = {true, -1},
        .nothing = {.present = false},
        .where = {7, 2.5, -1},
        .path = {path, 2},
        .tags = {tags, 3},
        .holes = {holes, 2},
        .tally = {tally, 2},
        .nested_kv = {3, -3},
        .spoken = {NULL, tags, 3},
    };
}
