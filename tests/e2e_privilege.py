#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
e2e_privilege.py - what is left of root after the start: users, groups,
capabilities and sandbox of every thread of a running softprobe, as the kernel
tells them.  In namespaces of its own, where a user softprobe exists.
"""
import os
import re
import resource
import shutil
import signal
import stat
import struct
import subprocess
import time

import e2e
from collect import Collector
from e2e import Probe, check, ctl, equal, probe, sh, wait_for
from e2e_live import FAR, NEAR, Live, Wire, alive, ended_well
from frames import eth, udp4

UID = GID = 64990  # nobody has it
NET_ADMIN, NET_RAW = 1 << 12, 1 << 13
PIDFILE, CONTROL = "/run/softprobe/softprobe.pid", "/run/softprobe/softprobe.ctl"
CAPTURE = e2e.capture("zeek__wikipedia.pcap")
DISCARD = "127.0.0.1:9"
SECCOMP = SANITIZED = False  # what there is here


def add_user():
    """A user softprobe in this mount namespace; its directory is scratch."""
    for name, line in (("passwd", "softprobe:x:%d:%d::/:/bin/false\n" % (UID,
            GID)), ("group", "softprobe:x:%d:\n" % GID)):
        with open("/etc/" + name, encoding="utf-8") as f:
            lines = [l for l in f if not l.startswith("softprobe:")]
        copy = e2e.path(name)
        with open(copy, "w", encoding="utf-8") as f:
            f.writelines(lines + [line])
        os.chmod(copy, 0o644)
        sh("mount", "--bind", copy, "/etc/" + name)
    os.chown(e2e.scratch(), UID, GID)


class Status(dict):
    """/proc/PID/task/TID/status."""

    def __init__(self, pid, tid):
        with open("/proc/%d/task/%d/status" % (pid, tid),
                encoding="ascii") as f:
            super().__init__(line.rstrip("\n").split(":\t", 1) for line in f)

    def capabilities(self):
        """Those of each set: permitted, effective, inheritable and so on."""
        return {name: int(self["Cap" + name], 16)
            for name in ("Prm", "Eff", "Inh", "Bnd", "Amb")}


def threads(pid):
    """The exporting thread's status, and those of the metering threads."""
    exporting, *metering = [Status(pid, tid) for tid in e2e.threads(pid)]
    return exporting, metering


def check_threads(name, pid, keep, uid=UID, bounding=0):
    """Every thread is the user's; only metering threads keep anything."""
    def confined():
        main, others = threads(pid)
        return all(s["Seccomp"] == "2" for s in [main] + others)
    if SECCOMP:  # a thread that just started enters the sandbox first
        wait_for(confined)
    main, others = threads(pid)
    check(name + ": there are metering threads", others)
    for who, status, kept in [("the exporting thread", main, 0)] + [
            ("a metering thread", status, keep) for status in others]:
        who = "%s: %s " % (name, who)
        equal(who + "is the user's", status["Uid"].split(), [str(uid)] * 4)
        if uid == UID:
            equal(who + "is the group's", status["Gid"].split(),
                [str(GID)] * 4)
            check(who + "has no other groups", set(status["Groups"].split())
                <= {str(GID)}, status["Groups"])
        equal(who + "keeps the capabilities that its job needs",
            status.capabilities(), {"Prm": kept, "Eff": kept, "Inh": 0,
            "Bnd": bounding, "Amb": 0})
        equal(who + "cannot gain privileges", status["NoNewPrivs"], "1")
        if SECCOMP:
            equal(who + "is confined by a filter", status["Seccomp"], "2")
    with open("/proc/%d/limits" % pid, encoding="ascii") as f:
        core = [l.split()[4:6] for l in f if l.startswith("Max core file")]
    equal(name + ": no core is dumped", core, [["0", "0"]])
    if not SANITIZED:  # its leak checker looks at itself
        equal(name + ": its memory is closed to its own user",
            os.stat("/proc/%d/environ" % pid).st_uid, 0)


def root_is_given_up_in_the_foreground():
    with Live("-n", DISCARD) as run:
        check_threads("in the foreground", run.pid, NET_RAW)
        ended_well("in the foreground", run)
        check("the socket is removed by the user", not os.path.exists(run.ctl))
    for args, count in (("--workers", "2"), 2), (("-i", NEAR), 1):
        with Live("-n", DISCARD, *args) as run:
            check_threads(" ".join(args), run.pid, NET_RAW)
            equal("%s: metering threads" % " ".join(args),
                len(threads(run.pid)[1]), count)


def root_is_given_up_as_a_daemon():
    result = probe("-i", FAR, "-n", DISCARD)
    check("a daemon starts", result.code == 0 and not result.err, result)
    with open(PIDFILE, encoding="ascii") as f:
        pid = int(f.read())
    check_threads("as a daemon", pid, NET_RAW)
    there = [os.stat(p) for p in (os.path.dirname(CONTROL), CONTROL)]
    equal("the directory is the user's, and others cannot write there",
        (there[0].st_uid, there[0].st_gid, there[0].st_mode & 0o022),
        (UID, GID, 0))
    equal("the socket is 0660 root:softprobe", (there[1].st_uid,
        there[1].st_gid, stat.S_IMODE(there[1].st_mode)), (0, GID, 0o660))
    equal("it answers", ctl(CONTROL, "statistics")[0], 0)
    os.kill(pid, signal.SIGTERM)
    check("the user removes pidfile and socket", wait_for(lambda: not
        os.path.exists(PIDFILE) and not os.path.exists(CONTROL), 10))
    check("the daemon leaves", wait_for(lambda: not alive(pid), 10))


def directory_of_an_earlier_run_as_root():
    os.makedirs(os.path.dirname(CONTROL), exist_ok=True)
    os.chown(os.path.dirname(CONTROL), 0, 0)
    with Probe("-d", "-i", FAR, "-n", DISCARD) as run:
        check("the default socket answers", wait_for(lambda:
            ctl(CONTROL, "statistics")[0] == 0), run)
        equal("the default directory is made the user's",
            os.stat(os.path.dirname(CONTROL)).st_uid, UID)
        ended_well("default directory", run)
    check("a socket in it is removed at the end", not os.path.exists(CONTROL))


def lost_interface_is_opened_again_without_root():
    e2e.veth("near3", "far3")
    with Live("--json", "-t", "idle=1", sources=("-i", "far3")) as run:
        for how in ("down and up", "deleted and recreated"):
            before = run.err.count("capturing")
            if how == "down and up":
                sh("ip", "link", "set", "far3", "down")
                check("down is noticed", wait_for(lambda: "went down" in
                    run.err, 5), run)
                sh("ip", "link", "set", "far3", "up")
            else:
                sh("ip", "link", "del", "near3")
                check("its end is noticed", wait_for(lambda:
                    "disappeared" in run.err, 5), run)
                e2e.veth("near3", "far3")
            check("an interface %s is opened again" % how, wait_for(lambda:
                run.err.count("capturing") > before, 10), run)
            received = run.received()
            def back():
                try:
                    with Wire("near3") as wire:
                        wire.send(eth(udp4(1)))
                except OSError:  # the carrier needs a moment
                    pass
                time.sleep(0.1)
                return run.received() > received
            check("packets after %s are metered" % how, wait_for(back, 10),
                run)
        check_threads("after opening again", run.pid, NET_RAW)
        ended_well("opened again", run)
    sh("ip", "link", "del", "near3")


def interface_that_comes_later():
    with Live("-n", DISCARD, "--wait", sources=("-i", "far4")) as run:
        check_threads("waiting", run.pid, NET_RAW)
        e2e.veth("near4", "far4")
        check("an interface that comes later is opened without root",
            wait_for(lambda: "far4: capturing" in run.err, 10), run)
        ended_well("come later", run)
    sh("ip", "link", "del", "near4")


def a_netfilter_log_needs_another_capability():
    with Live("-n", DISCARD, sources=("-i", "nflog:5"), ready=False) as run:
        if not wait_for(lambda: not run.running() or run.answers(), 10) or (
                not run.running()):
            e2e.skip("a netfilter log keeps CAP_NET_ADMIN",
                "no nflog here: " + run.err.strip())
            return
        check_threads("nflog", run.pid, NET_ADMIN)
    with Live("-n", DISCARD, sources=("-i", "nflog:5", "-i", FAR)) as run:
        check_threads("nflog and an interface", run.pid, NET_RAW | NET_ADMIN)
    if e2e.need("a netfilter log without the right", "setpriv"):
        with Probe("-d", "-i", "nflog:5", "-c", "none",
                prefix=as_user(",+net_raw")) as run:
            equal("a netfilter log without the right", run.wait(), 1)
            check("is refused in one line that names it", "CAP_NET_ADMIN" in
                run.err and run.err.count("\n") == 1, run)


def as_user(capabilities="", uid=UID):
    """What in front of a command makes it the user's from the start."""
    return ["setpriv", "--reuid", str(uid), "--regid", str(uid),
        "--clear-groups", "--inh-caps", "-all" + capabilities,
        "--ambient-caps", "-all" + capabilities]


def start_without_root():
    if not e2e.need("started without root", "setpriv"):
        return
    socket = e2e.path("user.ctl")
    words = ("-d", "-i", FAR, "-n", DISCARD, "-c", socket)
    with Probe(*words, prefix=as_user(",+net_raw")) as run:
        check("a user with CAP_NET_RAW captures", wait_for(lambda: not
            run.running() or ctl(socket, "statistics")[0] == 0), run)
        main = Status(run.pid, run.pid)
        check_threads("started without root", run.pid, NET_RAW,
            bounding=int(main["CapBnd"], 16))
        equal("a user's socket is 0600",
            stat.S_IMODE(os.stat(socket).st_mode), 0o600)
        ended_well("started without root", run)
    with Probe(*words, prefix=as_user()) as run:
        equal("a user without it is refused", run.wait(), 1)
        check("the missing privilege is named in one line",
            run.err.count("\n") == 1 and "CAP_NET_RAW" in run.err and
            FAR in run.err, run)
    check("nothing is left there", not os.path.exists(socket))


def program_file_may_permit_the_capability():
    if not e2e.need("a program file that permits CAP_NET_RAW", "setpriv"):
        return
    words = ("-d", "-i", FAR, "-n", DISCARD, "-c", e2e.path("file.ctl"))
    program = e2e.path("softprobe")
    shutil.copy(e2e.SOFTPROBE, program)
    os.chmod(program, 0o755)
    # VFS_CAP_REVISION_2: permitted, inheritable of 32 bits each; no "effective"
    os.setxattr(program, "security.capability",
        struct.pack("<5I", 0x02000000, NET_RAW, 0, 0, 0))
    e2e.SOFTPROBE, ours = program, e2e.SOFTPROBE
    try:
        with Probe(*words, prefix=as_user()) as run:
            check("a user captures with a file that permits it", wait_for(
                lambda: not run.running() or
                ctl(e2e.path("file.ctl"), "statistics")[0] == 0), run)
            ended_well("started from such a file", run)
        without = subprocess.run(as_user() + ["--bounding-set", "-net_raw",
            program, "--json", "--quiet", "-r", "-"], stdin=open(CAPTURE, "rb"),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=e2e.SECONDS)
        equal("without the capability it still replays", without.stdout,
            probe("--json", "--quiet", "-r", CAPTURE).out)
    finally:
        e2e.SOFTPROBE = ours


def replay_needs_no_right():
    wanted = probe("--json", "-r", CAPTURE).out
    if e2e.need("a replay as nobody", "setpriv"):
        with open(CAPTURE, "rb") as f, Probe("--json", "-r", "-", stdin=f,
                prefix=as_user(uid=65534)) as run:
            equal("nobody can replay", (run.wait(), run.out), (0, wanted))


def replay_gives_root_up():
    secret = e2e.path("secret.pcap")
    with open(CAPTURE, "rb") as f, open(secret, "wb") as to:
        to.write(f.read())
    os.chmod(secret, 0o600)
    equal("what only root may read is opened before root is given up",
        probe("--json", "-r", CAPTURE).out,
        probe("--json", "-r", secret).out)
    fifo = e2e.path("replay.fifo")
    os.mkfifo(fifo)
    with Probe("--json", "-r", fifo) as run:
        with open(fifo, "wb"):
            check("a replay is the user's", wait_for(lambda:
                Status(run.pid, run.pid)["NoNewPrivs"] == "1" and
                threads(run.pid)[1]), run)
            check_threads("a replay", run.pid, 0)


def files_are_written_by_the_user():
    mine, roots = e2e.path("mine"), e2e.path("roots")
    for path, owner in ((mine, UID), (roots, 0)):
        os.mkdir(path, 0o755)
        os.chown(path, owner, -1)
    os.chmod(e2e.scratch(), 0o711)  # root has no capability to pass
    result = probe("-r", CAPTURE, "-n", "json:%s/j" % mine)
    equal("a file in the user's directory is written", (result.code,
        os.stat(mine + "/j").st_uid), (0, UID))
    result = probe("-r", CAPTURE, "-n", "file:%s/%%Y.ipfix" % roots)
    check("one in root's is not, and it is said who may not", result.code == 1
        and "user softprobe may not write there" in result.err, result)
    result = probe("-r", CAPTURE, "-n", "file:%s/%%Y.ipfix" % roots, "--user",
        "none")
    equal("unless root is to stay", (result.code, len(os.listdir(roots))),
        (0, 1))


def chosen_user():
    with Live("-n", DISCARD, "--user", "none") as run:
        check_threads("--user none", run.pid, NET_RAW, uid=0)
        check("--user none is silent", "user" not in run.err, run)
    with Live("-n", DISCARD, "--user", "nobody") as run:
        equal("--user nobody", Status(run.pid, run.pid)["Uid"].split(),
            ["65534"] * 4)
    result = probe("-i", FAR, "--user", "nosuch", "-c", e2e.path("n.ctl"))
    check("an unknown user is refused in one line, before anything is made",
        result.code == 2 and "--user nosuch" in result.err and
        result.err.count("\n") == 1 and not os.path.exists(e2e.path("n.ctl")),
        result)
    if e2e.need("a user who wants to be another", "setpriv"):
        with Probe("--user", "nobody", "-r", CAPTURE, prefix=as_user()
                ) as run:
            equal("only root can become another user", (run.wait(), "only root"
                in run.err), (2, True))


def without_the_user_root_has_no_capabilities():
    sh("umount", "/etc/passwd")
    try:
        with Live("-n", DISCARD) as run:
            check_threads("without the user", run.pid, NET_RAW, uid=0)
            check("that there is no such user is said in one line",
                run.err.count("no user softprobe") == 1, run)
        result = probe("-r", CAPTURE)
        check("a replay does not mind", "no user" not in result.err, result)
    finally:
        sh("mount", "--bind", e2e.path("passwd"), "/etc/passwd")


def descriptors_are_limited():
    with Live("-n", DISCARD) as run:
        with open("/proc/%d/limits" % run.pid, encoding="ascii") as f:
            files = [l.split()[3:5] for l in f if "open files" in l][0]
        equal("soft and hard limit of descriptors", files[0], files[1])
        check("they are few", int(files[0]) <= 512 and int(files[0]) <=
            resource.getrlimit(resource.RLIMIT_NOFILE)[1], files)


def names_are_looked_up_in_the_sandbox():
    """By the C library itself, and by a module that it loads for it."""
    settings = e2e.path("nsswitch.conf")
    for order in ("files", "compat hesiod files", "files dns"):
        with open(settings, "w", encoding="ascii") as f:
            f.write("hosts: %s\n" % order)
        os.chmod(settings, 0o644)
        if os.path.exists("/etc/nsswitch.conf"):
            sh("mount", "--bind", settings, "/etc/nsswitch.conf")
        with Collector() as collector:
            name = "localhost:%d" % collector.port
            result = probe("-r", CAPTURE, "-n", name, "-v", "5")
            equal("hosts: %s: a collector's name is found" % order,
                (result.code, "sandbox" in result.err), (0, False))
            check("hosts: %s: records arrive" % order, wait_for(lambda:
                collector.decoded().records), result)
            result = probe("-r", CAPTURE, "-n", "no-such.invalid:1", "-n",
                collector.name)
            check("hosts: %s: a name that is not found is said" % order,
                result.code == 1 and "no-such.invalid" in result.err and
                "sandbox" not in result.err, result)
        if os.path.exists("/etc/nsswitch.conf"):
            sh("umount", "/etc/nsswitch.conf")


def killed_daemon_is_started_again():
    words = ("-i", FAR, "-n", DISCARD)
    for turn in range(2):
        result = probe(*words)
        check("a daemon starts, turn %d" % turn, result.code == 0, result)
        with open(PIDFILE, encoding="ascii") as f:
            pid = int(f.read())
        again = probe(*words)
        check("beside a live one another is refused", again.code == 1 and
            again.err.count("\n") == 1 and alive(pid), again)
        os.kill(pid, signal.SIGKILL)
        check("it is dead", wait_for(lambda: not alive(pid), 10))
        check("it left pidfile and socket behind", os.path.exists(PIDFILE) and
            os.path.exists(CONTROL))
    os.unlink(PIDFILE)
    os.unlink(CONTROL)


def cache_that_does_not_fit_is_refused():
    if SANITIZED or not e2e.need("a cache that does not fit", "prlimit"):
        return
    with Probe("-d", "-i", FAR, "-n", DISCARD, "-m", "10000000", "-c",
            e2e.path("large.ctl"), prefix=["prlimit", "--as=400000000"]
            ) as run:
        equal("a cache that there is no memory for ends it", run.wait(), 1)
        check("one line names the option", "-m 10000000" in run.err and
            run.err.count("\n") == 1, run)
    check("nothing is left there", not os.path.exists(e2e.path("large.ctl")))


def binary_is_hardened():
    if SANITIZED or not e2e.need("a hardened binary", "readelf"):
        return
    said = sh("readelf", "--wide", "--file-header", "--program-headers",
        "--dynamic", "--symbols", e2e.SOFTPROBE)
    for name, pattern in (("position-independent", r"Type:\s+DYN"),
            ("with read-only relocations", r"GNU_RELRO"),
            ("bound at the start", r"BIND_NOW|Flags:.*NOW"),
            ("without an executable stack", r"GNU_STACK\s.*\sRW\s"),
            ("with a stack protector", r"__stack_chk_fail"),
            ("with checked copies", r"__\w+_chk\b")):
        check("the binary is " + name, re.search(pattern, said), said[-300:])
    mode = os.stat(e2e.SOFTPROBE).st_mode
    equal("it is not set-user-ID", mode & (stat.S_ISUID | stat.S_ISGID), 0)
    values = e2e.make_value("CC", "FORTIFY", "HARDEN")
    if not e2e.need("what the compiler can do", values[0], "objdump"):
        return
    # Those who give a level of their own have it.
    check("copies are checked at the highest level the compiler has",
        "-D_FORTIFY_SOURCE=2" not in values or not compiles(values[0],
        "long f(char *p) "
        "{ return (long)__builtin_dynamic_object_size(p, 0); }"), values)
    if "-fcf-protection" in values:
        check("indirect calls and jumps have their targets marked",
            sh("objdump", "-d", "--no-show-raw-insn",
            e2e.SOFTPROBE).count("endbr64") > 100)


def compiles(compiler, text):
    return subprocess.run([compiler, "-Werror", "-x", "c", "-c", "-o",
        "/dev/null", "-"], input=text.encode(), capture_output=True
        ).returncode == 0


if __name__ == "__main__":
    if os.geteuid() != 0:
        e2e.skip("all of it", "becoming another user needs root")
        e2e.main([])
    if not e2e.private_network("all of it"):
        e2e.main([])
    add_user()
    CHECK = probe("--check", "-i", "lo").out.decode()
    SECCOMP = re.search(r"^seccomp: each", CHECK, re.M)
    SANITIZED = "sanitizer" in CHECK
    if not SECCOMP:
        e2e.skip("filters of system calls", "--check says they are off")
    e2e.veth(NEAR, FAR)
    e2e.main([root_is_given_up_in_the_foreground,
        root_is_given_up_as_a_daemon, directory_of_an_earlier_run_as_root,
        lost_interface_is_opened_again_without_root,
        interface_that_comes_later,
        a_netfilter_log_needs_another_capability,
        start_without_root, program_file_may_permit_the_capability,
        replay_needs_no_right, replay_gives_root_up,
        files_are_written_by_the_user, chosen_user,
        without_the_user_root_has_no_capabilities,
        descriptors_are_limited, names_are_looked_up_in_the_sandbox,
        killed_daemon_is_started_again,
        cache_that_does_not_fit_is_refused, binary_is_hardened])
