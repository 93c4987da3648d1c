/* SPDX-License-Identifier: ISC */
/*
 * screen.h - a terminal as one page of text that is drawn again and again.
 *
 * Belongs to softprobectl.  The terminal is as it was before after
 * screen_close(), and while the program is stopped (SIGTSTP).  Between
 * screen_open() and screen_close() signals come only inside screen_wait().
 */
#ifndef SCREEN_H
#define SCREEN_H

#include <stdint.h>

/*
 * Take over the terminal of standard input and output.  0, or -1 if they are
 * not both one.
 */
int screen_open(void);

/* Give it back as it was. */
void screen_close(void);

/* Its size in lines and columns, now. */
void screen_size(int *lines, int *columns);

/*
 * Show lines of plain text, each ended by a newline, cut at the edges.  The
 * line `bright` (from 0; -1 = none) stands out.
 */
void screen_draw(const char *text, int bright);

enum screen_event {
	SCREEN_TIMEOUT,
	SCREEN_KEY,
	SCREEN_REDRAW, /* it has another size, or we were stopped */
	SCREEN_LEAVE,  /* a signal to end, or the terminal is gone */
};

/* Wait at most so long; *key is set with SCREEN_KEY. */
enum screen_event screen_wait(uint32_t timeout_ms, char *key);

#endif
