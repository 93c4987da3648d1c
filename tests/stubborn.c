/* SPDX-License-Identifier: ISC */
/*
 * stubborn.c - a library to preload in which no interface changes its mode:
 * promiscuous mode is refused, as a filter around us may do.
 */
#include <linux/if_packet.h>
#include <sys/socket.h>

#include <dlfcn.h>
#include <errno.h>

int
setsockopt(int fd, int level, int option, const void *value, socklen_t len)
{
	__typeof__(&setsockopt) real =
	    (__typeof__(real))dlsym(RTLD_NEXT, "setsockopt");

	if (level != SOL_PACKET || option != PACKET_ADD_MEMBERSHIP)
		return real(fd, level, option, value, len);
	errno = EPERM;
	return -1;
}
