# SPDX-License-Identifier: ISC
# softprobe: plain make, no configure step; works in GNU make and in bmake.
#
#	make                       build softprobe and softprobectl
#	make check                 all tests, without network or installation
#	make CC=mips-linux-gnu-gcc PKG_CONFIG=mips-linux-gnu-pkg-config
#
# CC CFLAGS CPPFLAGS LDFLAGS LIBS PKG_CONFIG PREFIX DESTDIR are yours to set.

PREFIX = /usr/local
SBINDIR = $(PREFIX)/sbin
MANDIR = $(PREFIX)/share/man
RUNSTATEDIR = /run
UNITDIR = $(PREFIX)/lib/systemd/system
SYSUSERSDIR = $(PREFIX)/lib/sysusers.d
BASHCOMPDIR = $(PREFIX)/share/bash-completion/completions
ZSHCOMPDIR = $(PREFIX)/share/zsh/site-functions
DEFAULTDIR = /etc/default
SYSCONFDIR = /etc
PKG_CONFIG = pkg-config
INSTALL = install
CFLAGS = -O2 -g
LDFLAGS = -Wl,-z,relro,-z,now

VERSION != cat VERSION
DEPS_CFLAGS != $(PKG_CONFIG) --cflags libpcap libbsd-overlay
DEPS_LIBS != $(PKG_CONFIG) --libs libpcap libbsd-overlay
# Optional: zlib, for gzip'd capture files.  make ZLIB= builds without it.
ZLIB != $(PKG_CONFIG) --exists zlib && echo zlib || true
ZLIB_CFLAGS != test -z "$(ZLIB)" || echo "-DHAVE_ZLIB `$(PKG_CONFIG) --cflags zlib`"
ZLIB_LIBS != test -z "$(ZLIB)" || $(PKG_CONFIG) --libs zlib
# Optional: OpenSSL, for tls:// and dtls://.  make OPENSSL= builds without it.
OPENSSL != $(PKG_CONFIG) --exists 'openssl >= 3' && echo openssl || true
OPENSSL_CFLAGS != test -z "$(OPENSSL)" || echo "-DHAVE_OPENSSL `$(PKG_CONFIG) --cflags openssl`"
OPENSSL_LIBS != test -z "$(OPENSSL)" || $(PKG_CONFIG) --libs openssl

# Optional: libseccomp, to allow each thread the system calls of its job only.
SECCOMP != $(PKG_CONFIG) --exists libseccomp && echo libseccomp || true
SECCOMP_CFLAGS != test -z "$(SECCOMP)" || echo "-DHAVE_SECCOMP `$(PKG_CONFIG) --cflags libseccomp`"
SECCOMP_LIBS != test -z "$(SECCOMP)" || $(PKG_CONFIG) --libs libseccomp

# Optional: libmicrohttpd, for --metrics.  make MICROHTTPD= builds without it.
MICROHTTPD != $(PKG_CONFIG) --exists 'libmicrohttpd >= 0.9.71' && echo libmicrohttpd || true
MICROHTTPD_CFLAGS != test -z "$(MICROHTTPD)" || echo "-DHAVE_MICROHTTPD `$(PKG_CONFIG) --cflags libmicrohttpd`"
MICROHTTPD_LIBS != test -z "$(MICROHTTPD)" || $(PKG_CONFIG) --libs libmicrohttpd

# Optional: libmnl, to ask the kernel for interfaces and routes.  make MNL=
MNL != $(PKG_CONFIG) --exists libmnl && echo libmnl || true
MNL_CFLAGS != test -z "$(MNL)" || echo "-DHAVE_MNL `$(PKG_CONFIG) --cflags libmnl`"
MNL_LIBS != test -z "$(MNL)" || $(PKG_CONFIG) --libs libmnl

# What of hardening this compiler has, for this machine; checks of copies need
# optimization, and are left to those who give a level of their own.
HARDEN != for flag in -fcf-protection -fstack-clash-protection; do \
	echo 'int x;' | $(CC) -Werror $$flag -x c -c -o /dev/null - \
	    2>/dev/null && echo $$flag; done || true
FORTIFY != case "$(CFLAGS) $(CPPFLAGS)" in *_FORTIFY_SOURCE*|*-O0*) exit ;; esac; \
	echo 'long f(char *p) { return (long)__builtin_dynamic_object_size(p, 0); }' | \
	    $(CC) -Werror -Wall -Wno-missing-prototypes -x c -c -o /dev/null - \
	    2>/dev/null && echo -D_FORTIFY_SOURCE=3 || echo -D_FORTIFY_SOURCE=2

WARN = -Wall -Wextra -Wconversion -Wshadow -Wcast-qual -Wmissing-prototypes \
	-Wstrict-prototypes -Wpointer-arith -Wwrite-strings -Wvla
OWN_CPPFLAGS = -D_GNU_SOURCE $(FORTIFY) -D_FILE_OFFSET_BITS=64 \
	-DVERSION='"$(VERSION)"' -DRUNSTATEDIR='"$(RUNSTATEDIR)"' \
	$(DEPS_CFLAGS) $(ZLIB_CFLAGS) $(OPENSSL_CFLAGS) $(SECCOMP_CFLAGS) \
	$(MNL_CFLAGS) $(MICROHTTPD_CFLAGS)
OWN_CFLAGS = -std=c11 -pthread -fstack-protector-strong $(HARDEN) -fPIE $(WARN)
COMPILE = $(CC) $(OWN_CFLAGS) $(CFLAGS) $(OWN_CPPFLAGS) $(CPPFLAGS)
LINK = $(CC) $(OWN_CFLAGS) $(CFLAGS) -pie $(LDFLAGS)
ALL_LIBS = $(DEPS_LIBS) $(ZLIB_LIBS) $(OPENSSL_LIBS) $(SECCOMP_LIBS) $(MNL_LIBS) $(MICROHTTPD_LIBS) $(LIBS)

# Every room but the two programs' own; see ARCHITECTURE.md.
OBJS = capture.o capture_file.o capture_live.o commands.o conffile.o config.o confine.o conntrack.o control.o daemon.o decode.o endpoint.o exporter.o \
	extra.o fields.o flowkey.o flowtrack.o fragment.o httpd.o ie.o input.o largest.o ipfix.o lines.o links.o log.o message.o \
	meter.o meters.o metrics.o nat.o netflow1.o netflow5.o netflow9.o netlink.o notify.o offload.o own.o pcapfile.o picture.o printer.o privdrop.o queue.o report.o reload.o resolver.o route.o \
	ring.o router.o sampler.o sandbox.o sandbox_capsicum.o sandbox_landlock.o sandbox_pledge.o sandbox_seccomp.o screen.o share.o sizing.o text.o tls.o top.o transport.o transport_file.o transport_stream.o transport_udp.o values.o wake.o
PROGRAMS = softprobe softprobectl
UNIT_TESTS = tests/test_bytes tests/test_capture tests/test_conffile tests/test_config tests/test_conntrack \
	tests/test_control tests/test_decode tests/test_endpoint tests/test_exporter \
	tests/test_fields tests/test_flowtrack tests/test_fragment tests/test_golden tests/test_httpd \
	tests/test_ie tests/test_input tests/test_largest tests/test_links tests/test_message tests/test_metrics tests/test_nat tests/test_nat_events tests/test_notify tests/test_offload tests/test_own tests/test_pcapfile tests/test_picture tests/test_printer \
	tests/test_privdrop tests/test_queue tests/test_report tests/test_ring tests/test_route tests/test_router tests/test_sampler tests/test_sandbox tests/test_share tests/test_sight tests/test_transport tests/test_transport_file tests/test_transport_stream tests/test_tree tests/test_values
FUZZERS = tests/fuzz_decode tests/fuzz_capture tests/fuzz_flowtrack \
	tests/fuzz_pcapfile tests/fuzz_conffile tests/fuzz_config tests/fuzz_control tests/fuzz_endpoint \
	tests/fuzz_export tests/fuzz_fields tests/fuzz_picture tests/fuzz_reply
FUZZ_SECONDS = 10
BENCHES = bench/floor bench/generate bench/micro

all: $(PROGRAMS)

softprobe: softprobe.o libsoftprobe.a
	$(LINK) -o $@ softprobe.o libsoftprobe.a $(ALL_LIBS)

softprobectl: softprobectl.o libsoftprobe.a
	$(LINK) -o $@ softprobectl.o libsoftprobe.a $(ALL_LIBS)

libsoftprobe.a: $(OBJS)
	rm -f $@
	$(AR) rcs $@ $(OBJS)

.SUFFIXES: .c .o
.c.o:
	$(COMPILE) -c -o $@ $<

# One line of headers for all: a build takes seconds.
HEADERS = bytes.h capture.h capture_internal.h conffile.h config.h confine.h conntrack.h control.h daemon.h decode.h endpoint.h exporter.h \
	extra.h fields.h flowkey.h flowtrack.h fragment.h httpd.h ie.h input.h largest.h lines.h links.h log.h message.h meter.h \
	meters.h metrics.h nat.h netlink.h notify.h offload.h own.h pcapfile.h picture.h printer.h privdrop.h probe.h queue.h record.h report.h reload.h resolver.h route.h ring.h router.h sampler.h sandbox.h sandbox_internal.h screen.h share.h sight.h sizing.h text.h top.h \
	transport.h transport_internal.h treetype.h values.h wake.h
$(OBJS) softprobe.o softprobectl.o: $(HEADERS) Makefile VERSION

CHECK_CFLAGS = `$(PKG_CONFIG) --cflags check`
CHECK_LIBS = `$(PKG_CONFIG) --libs check`

# Optional: libfixbuf, a reference reader of IPFIX for tests/e2e_fixbuf.py.
FIXBUF != $(PKG_CONFIG) --exists libfixbuf && echo tests/read_fixbuf || true
FIXBUF_CFLAGS = `$(PKG_CONFIG) --cflags libfixbuf | sed 's/-I/-isystem /g'`

# Any test that changed makes all anew: both makes understand that.
$(UNIT_TESTS): $(UNIT_TESTS:=.c) libsoftprobe.a tests/unit.h tests/export.h \
    tests/readers.h $(HEADERS)
	$(COMPILE) -I. $(CHECK_CFLAGS) -pie $(LDFLAGS) -o $@ $@.c \
	    libsoftprobe.a $(CHECK_LIBS) $(ALL_LIBS)

tests/read_fixbuf: tests/read_fixbuf.c
	$(COMPILE) $(FIXBUF_CFLAGS) -pie $(LDFLAGS) -o $@ $@.c \
	    `$(PKG_CONFIG) --libs libfixbuf`

tests: $(UNIT_TESTS) $(FIXBUF)

# The generator and the micro-bench are for tests/e2e_instructions.py.
check: all $(UNIT_TESTS) $(FIXBUF) $(BENCHES)
	tests/run

# Replays into every real collector that is there, and the names of those that
# are not; tests/interop-install.sh fetches what Debian does not have.
check-interop: all $(FIXBUF)
	tests/run e2e_nfdump e2e_nfacctd e2e_tshark e2e_fixbuf \
	    interop_goflow2 interop_kafka interop_tls

# The same tests in a copy of the tree built with the sanitizers.
SAN_FLAGS = -O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=all
COPY = rm -rf build/$@ && mkdir -p build/$@ && \
	cp -R *.c *.h Makefile VERSION *.md bench docs man packaging tests build/$@/ && \
	cd build/$@ && $(MAKE) clean >/dev/null

asan:
	$(COPY) && ASAN_OPTIONS=detect_leaks=1 $(MAKE) check LDFLAGS= \
	    CFLAGS="$(SAN_FLAGS) -fsanitize=address,undefined"

tsan:
	$(COPY) && $(MAKE) check LDFLAGS= \
	    CFLAGS="$(SAN_FLAGS) -fsanitize=thread"

valgrind:
	$(COPY) && $(MAKE) all tests CPPFLAGS='-DSANDBOX_OFF=\"valgrind\ makes\ calls\ of\ its\ own\"' && \
	    tests/valgrind.sh

fuzz:
	FUZZ_SECONDS=$(FUZZ_SECONDS) tests/fuzz.sh $(FUZZERS)

# The same targets by AFL++.
fuzz-afl:
	FUZZ_ENGINE=afl FUZZ_SECONDS=$(FUZZ_SECONDS) tests/fuzz.sh $(FUZZERS)

coverage:
	$(COPY) && $(MAKE) check LDFLAGS= CFLAGS="-O0 -g --coverage" \
	    CPPFLAGS='-DSANDBOX_OFF=\"coverage\ writes\ files\"' && \
	    gcovr --exclude 'tests/.*' --txt

$(BENCHES): $(BENCHES:=.c) libsoftprobe.a $(HEADERS)
	$(COMPILE) -I. -pie $(LDFLAGS) -o $@ $@.c libsoftprobe.a $(ALL_LIBS)

bench: all $(BENCHES)
	bench/run

# As root; it needs tcpreplay or trafgen, and no network but its own.
bench-live: all $(BENCHES)
	bench/live

lint:
	tests/lint.sh

cross:
	tests/cross.sh

# How large it is, for this machine and those that make cross has been on.
sizes:
	mkdir -p build && packaging/sizes.sh | tee build/sizes.md

install: all
	$(INSTALL) -d $(DESTDIR)$(SBINDIR) $(DESTDIR)$(MANDIR)/man5 \
	    $(DESTDIR)$(MANDIR)/man8
	$(INSTALL) -m 755 $(PROGRAMS) $(DESTDIR)$(SBINDIR)/
	$(INSTALL) -m 644 man/softprobe.8 man/softprobectl.8 \
	    $(DESTDIR)$(MANDIR)/man8/
	$(INSTALL) -m 644 man/softprobe.conf.5 $(DESTDIR)$(MANDIR)/man5/

# One text for both units; an instance of softprobe@ is an interface.
UNIT = sed -e 's|@SBINDIR@|$(SBINDIR)|' -e 's|@DEFAULTDIR@|$(DEFAULTDIR)|' \
	-e 's|@SYSCONFDIR@|$(SYSCONFDIR)|'
INSTANCE_OPTIONS = --interface %i --wait \
	--control $(RUNSTATEDIR)/softprobe/%i.ctl

# A configuration that is there is somebody's own.
install-systemd:
	$(INSTALL) -d $(DESTDIR)$(UNITDIR) $(DESTDIR)$(SYSUSERSDIR) \
	    $(DESTDIR)$(SYSCONFDIR)
	test -e $(DESTDIR)$(SYSCONFDIR)/softprobe.conf || \
	    $(INSTALL) -m 644 packaging/softprobe.conf \
	    $(DESTDIR)$(SYSCONFDIR)/softprobe.conf
	$(UNIT) -e 's|@ON@||' -e 's|@INSTANCE@||' -e 's|@OPTIONS@||' \
	    packaging/systemd/softprobe.service.in \
	    >$(DESTDIR)$(UNITDIR)/softprobe.service
	$(UNIT) -e 's|@ON@| on %i|' -e 's|@INSTANCE@|@%i|' \
	    -e "s|@OPTIONS@|`echo $(INSTANCE_OPTIONS)` |" \
	    packaging/systemd/softprobe.service.in \
	    >$(DESTDIR)$(UNITDIR)/softprobe@.service
	chmod 644 $(DESTDIR)$(UNITDIR)/softprobe.service \
	    $(DESTDIR)$(UNITDIR)/softprobe@.service
	$(INSTALL) -m 644 packaging/systemd/softprobe.sysusers \
	    $(DESTDIR)$(SYSUSERSDIR)/softprobe.conf

install-completion:
	$(INSTALL) -d $(DESTDIR)$(BASHCOMPDIR) $(DESTDIR)$(ZSHCOMPDIR)
	$(INSTALL) -m 644 packaging/zsh-completion \
	    $(DESTDIR)$(ZSHCOMPDIR)/_softprobe
	for program in $(PROGRAMS); do $(INSTALL) -m 644 \
	    packaging/bash-completion $(DESTDIR)$(BASHCOMPDIR)/$$program || \
	    exit 1; done

uninstall:
	for program in $(PROGRAMS); do rm -f $(DESTDIR)$(SBINDIR)/$$program \
	    $(DESTDIR)$(MANDIR)/man8/$$program.8 \
	    $(DESTDIR)$(BASHCOMPDIR)/$$program; done
	rm -f $(DESTDIR)$(UNITDIR)/softprobe.service \
	    $(DESTDIR)$(UNITDIR)/softprobe@.service \
	    $(DESTDIR)$(SYSUSERSDIR)/softprobe.conf \
	    $(DESTDIR)$(MANDIR)/man5/softprobe.conf.5 \
	    $(DESTDIR)$(ZSHCOMPDIR)/_softprobe
	! cmp -s packaging/softprobe.conf \
	    $(DESTDIR)$(SYSCONFDIR)/softprobe.conf || \
	    rm -f $(DESTDIR)$(SYSCONFDIR)/softprobe.conf

# The tarball holds what git tracks, with the commit's time: same octets twice.
dist:
	git -c tar.umask=0022 archive --prefix=softprobe-$(VERSION)/ HEAD | \
	    xz -9 -T1 >softprobe-$(VERSION).tar.xz

# What is in it and what it is linked with, for those who keep books.
sbom: dist
	packaging/sbom.py softprobe-$(VERSION).tar.xz \
	    >softprobe-$(VERSION).spdx.json

# A Debian package of HEAD in build/deb, built from that tarball and linted.
deb: dist
	rm -rf build/deb && mkdir -p build/deb
	mv softprobe-$(VERSION).tar.xz \
	    build/deb/softprobe_$(VERSION).orig.tar.xz
	cd build/deb && tar -xf softprobe_$(VERSION).orig.tar.xz && \
	    cd softprobe-$(VERSION) && cp -R packaging/debian debian && \
	    dpkg-buildpackage -us -uc
	cd build/deb && lintian --fail-on error,warning \
	    softprobe_$(VERSION)-*.changes

# An RPM of the same; elsewhere: RPMBUILD="rpmbuild --nodeps --define ...".
RPMBUILD = rpmbuild
rpm: dist
	rm -rf build/rpm && mkdir -p build/rpm/SOURCES
	mv softprobe-$(VERSION).tar.xz build/rpm/SOURCES/
	$(RPMBUILD) --define "_topdir $$PWD/build/rpm" -ba \
	    packaging/rpm/softprobe.spec

clean:
	rm -rf build $(PROGRAMS) $(UNIT_TESTS) $(FUZZERS) $(BENCHES) tests/read_fixbuf *.o *.a *.gcda *.gcno \
	    tests/*.o tests/*.gcda tests/*.gcno softprobe-*.tar.xz softprobe-*.spdx.json

.PHONY: all tests check check-interop asan tsan valgrind fuzz fuzz-afl coverage bench bench-live lint \
	cross sizes install install-systemd install-completion uninstall dist sbom deb rpm clean
