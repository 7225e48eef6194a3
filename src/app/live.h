/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* live.h - the page of a run that goes on, served to a browser on this machine. */
#ifndef APP_LIVE_H
#define APP_LIVE_H

#include "app/page.h"

typedef struct beam_live beam_live;

/* Serves the page as it is on 127.0.0.1; port 0: any that is free. */
beam_status beam_live_start(const beam_page *page, uint16_t port, beam_live **live,
                            beam_error *err);
uint16_t beam_live_port(const beam_live *live);
/* From now on it is served as it is now. */
void beam_live_update(beam_live *live, const beam_page *page);
/* Ends the serving; where a browser has the page open it gets the last update first, for which
 * this waits five seconds at most.  NULL is fine. */
void beam_live_stop(beam_live *live);

#endif
