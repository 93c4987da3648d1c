/* SPDX-License-Identifier: ISC */
/*
 * screen.c - a terminal as one page of text; see screen.h.
 *
 * Plain escape sequences that every terminal of the last decades knows, no
 * library.  Signals are blocked but while we wait, so that none of them finds
 * the terminal half drawn.
 */
#include <sys/ioctl.h>
#include <sys/select.h>

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "screen.h"

#define ENTER "\033[?1049h\033[?25l" /* another page, no cursor */
#define LEAVE "\033[?25h\033[?1049l"
#define HOME "\033[H"
#define REST_OF_LINE "\033[K"
#define REST_OF_PAGE "\033[J"
#define BRIGHT "\033[7m"
#define PLAIN "\033[0m"

static const int leaving[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };

static volatile sig_atomic_t left, stopped, resized;
static struct termios before;
static sigset_t before_mask;

static void
on_signal(int sig)
{
	if (sig == SIGWINCH || sig == SIGCONT)
		resized = 1;
	else if (sig == SIGTSTP)
		stopped = 1;
	else
		left = 1;
}

/* Write all, or as much as the terminal takes before it is gone. */
static void
put(const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(STDOUT_FILENO, text, len);

		if (n < 0 && errno != EINTR && errno != EAGAIN) {
			left = 1;
			return;
		}
		if (n > 0) {
			text += n;
			len -= (size_t)n;
		}
	}
}

static void
take_over(void)
{
	struct termios raw = before;

	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	(void)tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	put(ENTER, strlen(ENTER));
}

static void
give_back(void)
{
	put(LEAVE, strlen(LEAVE));
	(void)tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

static void catch (int sig, sigset_t *blocked)
{
	struct sigaction sa = { .sa_handler = on_signal };

	(void)sigemptyset(&sa.sa_mask);
	(void)sigaction(sig, &sa, NULL);
	(void)sigaddset(blocked, sig);
}

int
screen_open(void)
{
	sigset_t blocked;

	if (!isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, &before) == -1)
		return -1;
	left = stopped = resized = 0;
	(void)sigemptyset(&blocked);
	for (size_t i = 0; i < sizeof(leaving) / sizeof(leaving[0]); i++)
		catch (leaving[i], &blocked);
	catch (SIGWINCH, &blocked);
	catch (SIGTSTP, &blocked);
	catch (SIGCONT, &blocked);
	(void)sigprocmask(SIG_BLOCK, &blocked, &before_mask);
	take_over();
	return 0;
}

void
screen_close(void)
{
	give_back();
	(void)sigprocmask(SIG_SETMASK, &before_mask, NULL);
}

void
screen_size(int *lines, int *columns)
{
	struct winsize size = { .ws_row = 0 };

	(void)ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	*lines = size.ws_row == 0 ? 24 : size.ws_row;
	*columns = size.ws_col == 0 ? 80 : size.ws_col;
}

/* A line as far as it fits: `columns` characters of UTF-8. */
static size_t
fitting(const char *line, size_t len, int columns)
{
	size_t at = 0;

	for (; at < len; at++)
		if ((line[at] & 0xc0) != 0x80 && columns-- == 0)
			break;
	return at;
}

void
screen_draw(const char *text, int bright)
{
	int lines, columns;
	char *page = NULL;
	size_t len;
	FILE *out = open_memstream(&page, &len);

	if (out == NULL)
		return;
	screen_size(&lines, &columns);
	fputs(HOME, out);
	for (int i = 0; i < lines && *text != '\0'; i++) {
		size_t all = strcspn(text, "\n");

		fprintf(out, "%s%s%.*s" REST_OF_LINE "%s", i > 0 ? "\r\n" : "",
		    i == bright ? BRIGHT : "", (int)fitting(text, all, columns),
		    text, i == bright ? PLAIN : "");
		text += all + (text[all] == '\n');
	}
	fputs(REST_OF_PAGE, out);
	if (fclose(out) == 0)
		put(page, len);
	free(page);
}

/* Be stopped, as who typed ^Z wants, and go on afterwards. */
static void
stop(void)
{
	stopped = 0;
	give_back();
	(void)raise(SIGSTOP);
	take_over();
	resized = 1;
}

static enum screen_event
read_key(char *key)
{
	ssize_t n = read(STDIN_FILENO, key, 1);

	if (n == 1)
		return SCREEN_KEY;
	return n == -1 && errno == EINTR ? SCREEN_TIMEOUT : SCREEN_LEAVE;
}

enum screen_event
screen_wait(uint32_t timeout_ms, char *key)
{
	const struct timespec timeout = { .tv_sec = (time_t)(timeout_ms / 1000),
		.tv_nsec = (long)(timeout_ms % 1000) * 1000000 };
	fd_set fds;
	int n;

	FD_ZERO(&fds);
	FD_SET(STDIN_FILENO, &fds);
	n = pselect(STDIN_FILENO + 1, &fds, NULL, NULL, &timeout, &before_mask);
	if (stopped)
		stop();
	if (left)
		return SCREEN_LEAVE;
	if (resized) {
		resized = 0;
		return SCREEN_REDRAW;
	}
	return n == 1 ? read_key(key) : SCREEN_TIMEOUT;
}
