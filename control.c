/* SPDX-License-Identifier: ISC */
/*
 * control.c - the control socket: one request line, one reply, closed.
 *
 * Every client is a small state machine that moves only when its socket is
 * ready or the meter answered, so none of them can hold up the poll loop, nor
 * another client.  What commands do stands in the caller's table; this file
 * knows none but `help`.
 *
 *	request		[json ]COMMAND [ARGUMENT] NEWLINE
 *	reply		ok NEWLINE TEXT, or error: MESSAGE NEWLINE
 */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control.h"

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* such systems have SO_NOSIGPIPE instead */
#endif

#define DEADLINE_NS (CONTROL_DEADLINE_S * UINT64_C(1000000000))
#define PAUSE_NS UINT64_C(1000000000) /* of accept, out of descriptors */
#define ACCEPTS_MAX 64                /* in one turn of the poll loop */
#define DRAIN_MAX 64                  /* reads of what nobody wants */
#define DIRECTORY_MODE 0750

enum state {
	FREE,
	READING, /* the request line; until the deadline */
	RUNNING, /* in turn for its handler */
	WAITING, /* its handler waits for the meter, and keeps the turn */
	WRITING  /* a piece of the reply; until the deadline */
};

struct client {
	int fd;
	enum state state;
	uint64_t deadline_ns; /* READING and WRITING */
	uint64_t turn;        /* RUNNING and WAITING: the lowest is next */
	const struct control_command *command;
	struct control_request request;
	char *piece; /* of the reply; owned, NULL = none */
	size_t piece_len, sent;
	bool answered; /* its first line was made */
	bool more;     /* the piece is not the last */
	size_t line_len;
	char line[CONTROL_LINE_MAX + 1]; /* the newline becomes a NUL */
};

struct control {
	int fd;
	char *path; /* absolute: the working directory may change */
	dev_t dev;
	ino_t ino;
	const struct control_command *table;
	void *arg;
	uint64_t turns;    /* given out */
	uint64_t pause_ns; /* accept nothing until then; 0 = accept */
	struct client client[CONTROL_CLIENTS_MAX];
};

/* Sockets. */

/* Make a socket never block, never be inherited, never raise SIGPIPE. */
static int
socket_settle(int fd)
{
	int flags = fcntl(fd, F_GETFL);

#ifdef SO_NOSIGPIPE
	if (setsockopt(
		fd, SOL_SOCKET, SO_NOSIGPIPE, &(int){ 1 }, sizeof(int)) != 0)
		return -1;
#endif
	if (flags == -1 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1)
		return -1;
	return fcntl(fd, F_SETFD, FD_CLOEXEC);
}

static int
socket_new(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (fd >= 0 && socket_settle(fd) != 0) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

static bool
would_block(int error)
{
	return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

/* Say one line before hanging up; what the socket does not take is lost. */
static void
say(int fd, const char *text)
{
	(void)send(fd, text, strlen(text), MSG_NOSIGNAL);
}

/* Close; what was not read would make the peer see a reset for our reply. */
static void
hang_up(int fd)
{
	char unread[CONTROL_LINE_MAX];
	int n = 0;

	while (n < DRAIN_MAX && recv(fd, unread, sizeof(unread), 0) > 0)
		n++;
	(void)close(fd);
}

/* The path, made ready for a socket. */

/* What is known while the socket is being opened. */
struct opening {
	const char *path;
	gid_t gid; /* to share with; -1 = nobody */
	struct sockaddr_un sun;
	char dir[sizeof(((struct sockaddr_un *)0)->sun_path)];
	char *errbuf;
	size_t errlen;
};

/* Fill errbuf: which socket, and what is wrong.  Returns -1. */
static int __attribute__((format(printf, 2, 3)))
complain(const struct opening *o, const char *fmt, ...)
{
	char what[256];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	(void)snprintf(
	    o->errbuf, o->errlen, "control socket %s: %s", o->path, what);
	return -1;
}

/* The group to share with: -1 unless it exists and we may give to it. */
static gid_t
find_group(const char *group)
{
	const struct group *gr;

	if (group == NULL || geteuid() != 0)
		return (gid_t)-1;
	gr = getgrnam(group);
	return gr == NULL ? (gid_t)-1 : gr->gr_gid;
}

/* Take the path apart. */
static int
read_path(struct opening *o)
{
	const char *slash = strrchr(o->path, '/');

	if (*o->path == '\0' || strlen(o->path) >= sizeof(o->sun.sun_path))
		return complain(o, "the path must have 1 to %zu octets",
		    sizeof(o->sun.sun_path) - 1);
	(void)strlcpy(o->sun.sun_path, o->path, sizeof(o->sun.sun_path));
	if (slash == NULL)
		(void)strlcpy(o->dir, ".", sizeof(o->dir));
	else if (slash == o->path)
		(void)strlcpy(o->dir, "/", sizeof(o->dir));
	else
		(void)strlcpy(o->dir, o->path, (size_t)(slash - o->path) + 1);
	return 0;
}

/* Make the directory if it is missing, and see that it is not everyone's. */
static int
prepare_directory(const struct opening *o)
{
	struct stat st;

	if (mkdir(o->dir, DIRECTORY_MODE) == 0) {
		if (o->gid != (gid_t)-1 &&
		    chown(o->dir, (uid_t)-1, o->gid) == 0)
			(void)chmod(o->dir, DIRECTORY_MODE); /* umask or not */
	} else if (errno != EEXIST)
		return complain(
		    o, "cannot make its directory: %s", strerror(errno));
	if (stat(o->dir, &st) != 0)
		return complain(o, "%s", strerror(errno));
	if ((st.st_mode & S_IWOTH) != 0 && (st.st_mode & S_ISVTX) == 0)
		return complain(o, "its directory can be written by everyone; "
				   "choose another");
	return 0;
}

/* Whether somebody listens there: 1 yes, 0 no, -1 with errno. */
static int
is_live(const struct sockaddr_un *sun)
{
	int fd = socket_new(), error = 0;

	if (fd < 0)
		return -1;
	if (connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) != 0)
		error = errno;
	(void)close(fd);
	if (error == 0 || error == EINPROGRESS || would_block(error))
		return 1; /* EAGAIN: more wait there than it accepts */
	if (error == ECONNREFUSED || error == ENOENT)
		return 0;
	errno = error;
	return -1;
}

/* Remove a socket that a dead process left; refuse all else. */
static int
remove_stale(const struct opening *o)
{
	struct stat st;
	int live;

	if (lstat(o->path, &st) != 0)
		return errno == ENOENT ? 0 : complain(o, "%s", strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return complain(o, "something else is there; choose another");
	live = is_live(&o->sun);
	if (live == 1)
		return complain(o, "another softprobe listens on it");
	if (live == 0 && (unlink(o->path) == 0 || errno == ENOENT))
		return 0;
	return complain(o, "cannot replace it: %s", strerror(errno));
}

/*
 * Bind and listen.  The socket is born with mode 0600, so that nobody ever
 * finds it wider than it shall be.
 */
static int
listen_at(const struct opening *o, int fd)
{
	const struct sockaddr *sa = (const struct sockaddr *)&o->sun;
	mode_t mask = umask(0177);
	int rc = bind(fd, sa, sizeof(o->sun));

	(void)umask(mask);
	if (rc != 0)
		return complain(o, "%s", strerror(errno));
	if (listen(fd, SOMAXCONN) != 0) {
		(void)complain(o, "%s", strerror(errno));
		(void)unlink(o->path);
		return -1;
	}
	if (o->gid != (gid_t)-1 && chown(o->path, (uid_t)-1, o->gid) == 0)
		(void)chmod(o->path, 0660);
	return 0;
}

/* Remember which file is ours: its absolute path, device and inode. */
static int
remember(struct control *ctl, const struct opening *o)
{
	const char *slash = strrchr(o->path, '/');
	char *dir = realpath(o->dir, NULL);
	struct stat st;
	int rc = -1;

	if (dir != NULL && lstat(o->path, &st) == 0)
		rc = asprintf(&ctl->path, "%s/%s", dir,
		    slash == NULL ? o->path : slash + 1);
	free(dir);
	if (rc < 0) {
		ctl->path = NULL;
		return complain(o, "it was taken away: %s", strerror(errno));
	}
	ctl->dev = st.st_dev;
	ctl->ino = st.st_ino;
	return 0;
}

static int
control_open(struct control *ctl, struct opening *o)
{
	if (read_path(o) != 0 || prepare_directory(o) != 0 ||
	    remove_stale(o) != 0)
		return -1;
	ctl->fd = socket_new();
	if (ctl->fd < 0)
		return complain(o, "%s", strerror(errno));
	if (listen_at(o, ctl->fd) != 0)
		return -1;
	return remember(ctl, o);
}

struct control *
control_new(const char *path, const char *group,
    const struct control_command *table, void *arg, char *errbuf, size_t errlen)
{
	struct opening o = { .path = path,
		.gid = find_group(group),
		.sun.sun_family = AF_UNIX,
		.errbuf = errbuf,
		.errlen = errlen };
	struct control *ctl = calloc(1, sizeof(*ctl));

	if (ctl == NULL) {
		(void)complain(&o, "out of memory");
		return NULL;
	}
	ctl->fd = -1;
	ctl->table = table;
	ctl->arg = arg;
	if (control_open(ctl, &o) == 0)
		return ctl;
	control_free(ctl);
	return NULL;
}

/* The request line. */

struct words {
	bool json;
	char *command;
	char *argument;
};

static char *
skip_blanks(char *at)
{
	return at + strspn(at, " \t");
}

/* End the word at `at` and return what follows it. */
static char *
cut_word(char *at)
{
	at += strcspn(at, " \t");
	if (*at != '\0')
		*at++ = '\0';
	return skip_blanks(at);
}

/*
 * Cut a request line of len octets, which a NUL follows, into its words.
 * Returns NULL, or what is wrong with it.
 */
static const char *
parse_line(char *line, size_t len, struct words *words)
{
	if (memchr(line, '\0', len) != NULL)
		return "the request holds a NUL octet";
	while (len > 0 && strchr(" \t\r", line[len - 1]) != NULL)
		line[--len] = '\0';
	words->command = skip_blanks(line);
	words->argument = cut_word(words->command);
	words->json = strcmp(words->command, "json") == 0;
	if (words->json) {
		words->command = words->argument;
		words->argument = cut_word(words->command);
	}
	return *words->command == '\0' ? "the request is empty; try help"
				       : NULL;
}

/* Commands. */

static void
help_json(FILE *out, const struct control_command *table)
{
	(void)fputc('[', out);
	for (const struct control_command *c = table; c->name != NULL; c++)
		(void)fprintf(out,
		    "%s{\"name\":\"%s\",\"arguments\":\"%s\",\"help\":\"%s\"}",
		    c == table ? "" : ",", c->name,
		    c->arguments == NULL ? "" : c->arguments, c->help);
	(void)fputs("]\n", out);
}

static enum control_result
help_run(struct control_request *req, void *arg)
{
	const struct control *ctl = arg;

	if (req->json) {
		help_json(req->out, ctl->table);
		return CONTROL_DONE;
	}
	for (const struct control_command *c = ctl->table; c->name != NULL;
	     c++) {
		const char *arguments = c->arguments;
		int width = 28 - (int)strlen(c->name);

		if (arguments == NULL)
			arguments = "";
		(void)fprintf(req->out, "%s %-*s %s\n", c->name,
		    width > 0 ? width : 0, arguments, c->help);
	}
	return CONTROL_DONE;
}

static const struct control_command help_command = { "help", NULL,
	"list the commands", help_run };

static const struct control_command *
find_command(const struct control *ctl, const char *name)
{
	for (const struct control_command *c = ctl->table; c->name != NULL; c++)
		if (strcmp(c->name, name) == 0)
			return c;
	return strcmp(name, help_command.name) == 0 ? &help_command : NULL;
}

/* Clients. */

static void
drop(struct client *c)
{
	if (c->request.out != NULL)
		(void)fclose(c->request.out);
	free(c->piece);
	hang_up(c->fd);
	memset(c, 0, sizeof(*c));
	c->state = FREE;
}

/* Send what is left of the piece, as far as the client reads. */
static void
write_piece(struct client *c, uint64_t mono_ns)
{
	while (c->sent < c->piece_len) {
		ssize_t n = send(c->fd, c->piece + c->sent,
		    c->piece_len - c->sent, MSG_NOSIGNAL);

		if (n < 0 && would_block(errno))
			return;
		if (n <= 0) {
			drop(c);
			return;
		}
		c->sent += (size_t)n;
		c->deadline_ns = mono_ns + DEADLINE_NS;
	}
	if (!c->more)
		drop(c);
}

/* Begin to write the piece that c->piece holds. */
static void
start_writing(struct client *c, bool more, uint64_t mono_ns)
{
	c->state = WRITING;
	c->sent = 0;
	c->more = more;
	c->answered = true;
	c->deadline_ns = mono_ns + DEADLINE_NS;
	write_piece(c, mono_ns);
}

/* Answer with one line of error, and nothing after it. */
static void
answer_error(struct client *c, const char *message, uint64_t mono_ns)
{
	int len = asprintf(&c->piece, "error: %s\n", message);

	if (len < 0) {
		c->piece = NULL;
		drop(c);
		return;
	}
	c->piece_len = (size_t)len;
	for (char *at = c->piece; at < c->piece + len - 1; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = '?';
	start_writing(c, false, mono_ns);
}

static void
answer_unknown(const struct control *ctl, struct client *c, const char *name,
    uint64_t mono_ns)
{
	char *message = NULL;
	size_t len;
	FILE *out = open_memstream(&message, &len);

	if (out == NULL) {
		drop(c);
		return;
	}
	(void)fprintf(out, "unknown command \"%.64s\"; commands are: %s", name,
	    help_command.name);
	for (const struct control_command *k = ctl->table; k->name != NULL; k++)
		(void)fprintf(out, " %s", k->name);
	if (fclose(out) == 0)
		answer_error(c, message, mono_ns);
	else
		drop(c);
	free(message);
}

/* The request line is complete: find its command and get in turn. */
static void
take_request(
    struct control *ctl, struct client *c, size_t len, uint64_t mono_ns)
{
	struct words words;
	const char *wrong;

	c->line[len] = '\0';
	wrong = parse_line(c->line, len, &words);
	if (wrong != NULL) {
		answer_error(c, wrong, mono_ns);
		return;
	}
	c->command = find_command(ctl, words.command);
	if (c->command == NULL) {
		answer_unknown(ctl, c, words.command, mono_ns);
		return;
	}
	c->request.json = words.json;
	c->request.argument = words.argument;
	c->state = RUNNING;
	c->turn = ctl->turns++;
}

/* Read on until there is a whole line, or nothing to read. */
static void
read_line(struct control *ctl, struct client *c, uint64_t mono_ns)
{
	while (c->line_len < sizeof(c->line)) {
		char *at = c->line + c->line_len;
		ssize_t n = recv(c->fd, at, sizeof(c->line) - c->line_len, 0);
		const char *newline;

		if (n < 0 && would_block(errno))
			return;
		if (n < 0 || (n == 0 && c->line_len == 0)) {
			drop(c);
			return;
		}
		newline = memchr(at, '\n', (size_t)n);
		if (newline != NULL || n == 0) {
			take_request(ctl, c,
			    newline == NULL ? c->line_len
					    : (size_t)(newline - c->line),
			    mono_ns);
			return;
		}
		c->line_len += (size_t)n;
	}
	answer_error(c, "the request line is too long", mono_ns);
}

/* Open the stream for a piece; the first one begins with "ok". */
static int
open_piece(struct client *c)
{
	free(c->piece);
	c->piece = NULL;
	c->piece_len = 0;
	c->request.out = open_memstream(&c->piece, &c->piece_len);
	if (c->request.out == NULL)
		return -1;
	if (!c->answered)
		(void)fputs("ok\n", c->request.out);
	return 0;
}

/* The handler made a piece: close its stream and send it. */
static void
finish_piece(struct client *c, bool more, uint64_t mono_ns)
{
	FILE *out = c->request.out;
	char *message;

	c->request.out = NULL;
	if (fclose(out) != 0) {
		drop(c);
		return;
	}
	if (!c->request.failed || c->answered) {
		start_writing(c, more && !c->request.failed, mono_ns);
		return;
	}
	message = c->piece;
	message[strcspn(message + 3, "\n") + 3] = '\0';
	answer_error(c, message + 3, mono_ns); /* without the "ok" */
	free(message);
}

/* Call the client's handler; true if the turn goes to the next one. */
static bool
run_handler(struct control *ctl, struct client *c, uint64_t mono_ns)
{
	enum control_result result;

	if (c->state == RUNNING && open_piece(c) != 0) {
		drop(c);
		return true;
	}
	result = c->command->run(
	    &c->request, c->command == &help_command ? ctl : ctl->arg);
	c->request.step++;
	if (result == CONTROL_WAIT) {
		c->state = WAITING;
		return false;
	}
	finish_piece(c, result == CONTROL_PART, mono_ns);
	return true;
}

/* The client whose turn it is: the one that is waiting, if one is. */
static struct client *
next_in_turn(struct control *ctl)
{
	struct client *next = NULL;

	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		struct client *c = &ctl->client[i];

		if (c->state != RUNNING && c->state != WAITING)
			continue;
		if (next == NULL || c->turn < next->turn)
			next = c;
	}
	return next;
}

static void
run_handlers(struct control *ctl, uint64_t mono_ns)
{
	for (size_t n = 0; n < CONTROL_CLIENTS_MAX; n++) {
		struct client *c = next_in_turn(ctl);

		if (c == NULL || !run_handler(ctl, c, mono_ns))
			return;
	}
}

/* A client's socket is ready. */
static void
serve_client(struct control *ctl, struct client *c, uint64_t mono_ns)
{
	if (c->state == READING)
		read_line(ctl, c, mono_ns);
	else if (c->state == WRITING && c->sent < c->piece_len)
		write_piece(c, mono_ns);
	else if (c->state == WRITING) { /* all sent, and there is room again */
		c->state = RUNNING;
		c->turn = ctl->turns++;
	}
}

static struct client *
find_client(struct control *ctl, int fd)
{
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
		if (ctl->client[i].state != FREE && ctl->client[i].fd == fd)
			return &ctl->client[i];
	return NULL;
}

/* Take a new client in, or send it away. */
static void
admit(struct control *ctl, int fd, uint64_t mono_ns)
{
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		struct client *c = &ctl->client[i];

		if (c->state != FREE)
			continue;
		c->fd = fd;
		c->state = READING;
		c->deadline_ns = mono_ns + DEADLINE_NS;
		return;
	}
	say(fd, "error: too many clients\n");
	hang_up(fd);
}

static void
accept_clients(struct control *ctl, uint64_t mono_ns)
{
	for (int n = 0; n < ACCEPTS_MAX; n++) {
		int fd = accept(ctl->fd, NULL, NULL);

		if (fd < 0) {
			/* Out of descriptors: it would stay readable. */
			if (!would_block(errno) && errno != ECONNABORTED)
				ctl->pause_ns = mono_ns + PAUSE_NS;
			return;
		}
		if (socket_settle(fd) != 0)
			(void)close(fd);
		else
			admit(ctl, fd, mono_ns);
	}
}

static bool
has_deadline(const struct client *c)
{
	return c->state == READING || c->state == WRITING;
}

static void
drop_late(struct control *ctl, uint64_t mono_ns)
{
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		struct client *c = &ctl->client[i];

		if (!has_deadline(c) || mono_ns < c->deadline_ns)
			continue;
		if (c->state == READING)
			say(c->fd, "error: no request in time\n");
		drop(c);
	}
}

/* The doors. */

size_t
control_pollfds(const struct control *ctl, struct pollfd *pfd)
{
	size_t n = 0;

	if (ctl->pause_ns == 0)
		pfd[n++] = (struct pollfd){ .fd = ctl->fd, .events = POLLIN };
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		const struct client *c = &ctl->client[i];

		if (has_deadline(c))
			pfd[n++] = (struct pollfd){ .fd = c->fd,
				.events =
				    c->state == READING ? POLLIN : POLLOUT };
	}
	return n;
}

void
control_serve(
    struct control *ctl, const struct pollfd *pfd, size_t n, uint64_t mono_ns)
{
	bool accepting = false;

	for (size_t i = 0; i < n; i++) {
		struct client *c = find_client(ctl, pfd[i].fd);

		if (pfd[i].revents == 0)
			continue;
		if (pfd[i].fd == ctl->fd)
			accepting = true;
		else if (c != NULL)
			serve_client(ctl, c, mono_ns);
	}
	run_handlers(ctl, mono_ns);
	drop_late(ctl, mono_ns);
	if (mono_ns >= ctl->pause_ns)
		ctl->pause_ns = 0;
	if (accepting) /* last: a new client may get a descriptor just closed */
		accept_clients(ctl, mono_ns);
}

int
control_poll_ms(const struct control *ctl, uint64_t mono_ns)
{
	uint64_t next_ns = ctl->pause_ns == 0 ? UINT64_MAX : ctl->pause_ns;

	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		const struct client *c = &ctl->client[i];

		if (has_deadline(c) && c->deadline_ns < next_ns)
			next_ns = c->deadline_ns;
	}
	if (next_ns == UINT64_MAX)
		return -1;
	if (next_ns <= mono_ns)
		return 0;
	return (int)((next_ns - mono_ns + 999999) / 1000000);
}

void
control_free(struct control *ctl)
{
	struct stat st;

	if (ctl == NULL)
		return;
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
		if (ctl->client[i].state != FREE)
			drop(&ctl->client[i]);
	/* Before the close: from then on it looks stale to another one. */
	if (ctl->path != NULL && lstat(ctl->path, &st) == 0 &&
	    st.st_dev == ctl->dev && st.st_ino == ctl->ino)
		(void)unlink(ctl->path);
	if (ctl->fd >= 0)
		(void)close(ctl->fd);
	free(ctl->path);
	free(ctl);
}
