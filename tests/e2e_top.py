#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
e2e_top.py - softprobectl top: as text for scripts, and on a terminal (tmux):
keys, sizes, signals, and that the terminal is left as it was found.
"""
import os
import shlex
import signal
import socket
import subprocess
import threading

import e2e
from e2e import check, equal, need, number, wait_for
from e2e_control import Fed, conversations
from frames import ACK, at, eth, ip4, tcp, udp4

TIMEOUTS = ("-t", "idle=1h", "-t", "maxlife=0")  # flows stay


def big(n, second=0):
    """Packets of one conversation that is larger than all others."""
    return [(at(second), eth(ip4("10.9.9.9", "192.0.2.9", 6, tcp(4000, 443,
        ACK, b"x" * 1000))))] * n


def rows_of(page):
    """The rows of one page of text, as lists of words."""
    lines = page.splitlines()
    head = next((n for n, line in enumerate(lines) if "SENT/S" in line), None)
    return [] if head is None else [line.split() for line in lines[head + 1:]
        if line.strip()]


# ---- text ---------------------------------------------------------------

class Batch:
    """top -b beside the test; pages() are those that are whole."""

    def __init__(self, run, *words):
        self.path = e2e.path("top.out")
        with open(self.path, "wb") as out:
            self.process = subprocess.Popen([e2e.SOFTPROBECTL, "-c", run.ctl,
                "top", "-b", "-d", "200ms", *words], stdin=subprocess.DEVNULL,
                stdout=out, stderr=subprocess.STDOUT)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.kill()
        self.process.wait()

    def pages(self):
        with open(self.path, encoding="utf-8") as f:
            return f.read().split("\n\n")[:-1]


def rates_are_of_the_time_between_two_pictures():
    with Fed("--json", *TIMEOUTS) as run:
        run.feed(*conversations(30))
        run.feed(*big(3))
        with Batch(run) as top:
            check("there are pages", wait_for(lambda: len(top.pages()) > 1,
                20))
            rows = rows_of(top.pages()[-1])
            equal("at most 20 rows", len(rows), 20)
            check("nothing is sent: by what there is", rows[0] == ["tcp",
                "10.9.9.9:4000", "192.0.2.9:443", "0", "0", "0", "3.1k"],
                rows[0])
            run.feed((at(1), eth(udp4(7))))
            def first_is_small():
                return any(rows_of(page)[0][1] == "10.0.0.7:1000" and
                    rows_of(page)[0][3] != "0" for page in top.pages())
            check("who sends now comes before who sent more", wait_for(
                first_is_small, 20), top.pages()[-3:])
            check("when he is silent it ends", wait_for(lambda: rows_of(
                top.pages()[-1])[0][1] == "10.9.9.9:4000", 20),
                top.pages()[-1])
        run.end()


def each_view_has_its_rows():
    with Fed("--json", *TIMEOUTS) as run:
        run.feed(*conversations(5), *big(2))
        def once(*words):
            code, text, err = run.ask("top", "-b", "-n", "1", "-d", "100ms",
                *words)
            equal("top %s: exit" % " ".join(words), (code, err), (0, ""))
            return rows_of(text)
        equal("hosts", [row[0] for row in once("hosts")][:2], ["10.9.9.9",
            "192.0.2.9"])
        equal("a host has all its flows", [row for row in once("hosts")
            if row[0] == "192.0.2.1"][0][4], "240")
        equal("ports", [row[:2] for row in once("ports")], [["tcp", "443"],
            ["udp", "53"]])
        equal("flows", len(once("flows")), 6)
        equal("fewer rows", len(once("-l", "2")), 2)
        run.end()


def many_flows_are_looked_at_and_the_largest_kept():
    with Fed("--json", "-m", "20000", *TIMEOUTS) as run:
        run.feed(*conversations(9000), *big(5))
        code, text, _ = run.ask("largest", "octets")
        head = [int(word) for word in text.splitlines()[0].split()]
        equal("of 9001 flows 4096 are kept: exit and counts", (code, head[0],
            head[2], head[3]), (0, 9001, 9005, 4096))
        equal("a line each", len(text.splitlines()), 4097)
        equal("the sum is that of the statistics", head[1], number(
            run.statistics(), "octets in flows"))
        check("the largest is among them", any(line.startswith(
            "tcp 10.9.9.9 4000 192.0.2.9 443 5200 5 0 0 ")
            for line in text.splitlines()))
        _, text, _ = run.ask("top", "-b", "-n", "1", "-d", "100ms")
        check("top says that it shows a part", "9001 active flows" in text and
            "the largest 4096 of them" in text, text[:200])
        run.end()
        check("looking costs no packet", e2e.balanced(run.err), run)


def mistakes():
    with Fed("--json") as run:
        for words in (("top", "nonsense"), ("top", "flows", "hosts"),
                ("top", "-d", "0"), ("top", "-d", "x"), ("top", "-n", "0"),
                ("top", "-l", "x"), ("top", "-s", "x"), ("top", "-j"),
                ("statistics", "-b"), ("top",)):
            code, out, err = run.ask(*words)
            check("%s is refused in one line" % " ".join(words), code == 2 and
                not out and len(err.splitlines()) == 1, (code, out, err))
        for words in (("largest", "x"), ("--json", "largest")):
            code, out, err = run.ask(*words)
            check("%s is refused in one line" % " ".join(words), code == 1 and
                not out and len(err.splitlines()) == 1, (code, out, err))
        run.end()
    code, out, err = e2e.ctl(e2e.path("nobody.ctl"), "top", "-b")
    check("without a probe there is one line", code == 1 and not out and
        "nobody.ctl" in err and len(err.splitlines()) == 1, err)


def what_is_no_picture_is_not_shown():
    """A daemon that answers with escape sequences."""
    path = e2e.path("liar.ctl")
    with socket.socket(socket.AF_UNIX) as liar:
        liar.bind(path)
        liar.listen()
        def lie():
            client, _ = liar.accept()
            client.recv(100)
            client.sendall(b"ok\n1 1 1 1 0 0\nt\x1b[2Jp 10.0.0.1 1 "
                b"10.0.0.2 2 1 1 1 1 1\n")
            client.close()
        thread = threading.Thread(target=lie)
        thread.start()
        code, out, err = e2e.ctl(path, "top", "-b", "-n", "1")
        thread.join()
    check("an answer with escape sequences is refused in one line",
        code == 1 and not out and "\x1b" not in err and
        len(err.splitlines()) == 1, (code, out, err))


# ---- a terminal ------------------------------------------------------------

class Terminal:
    """
    A tmux of its own with one window, where a shell runs top, notes how the
    terminal was before and after, and stays.
    """

    count = 0

    def __init__(self, run, *words):
        Terminal.count += 1
        self.socket = e2e.path("tmux%d" % Terminal.count)
        self.notes = e2e.path("notes%d" % Terminal.count)
        command = " ".join(shlex.quote(word) for word in (e2e.SOFTPROBECTL,
            "-c", run.ctl, "top", "-d", "300ms", *words))
        script = ("stty -g >%s.before; %s; echo $? >%s.status; "
            "stty -g >%s.after; echo LEFT; sleep 300" % (self.notes, command,
            self.notes, self.notes))
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", "100", "-y",
            "12", script)
        wait_for(lambda: "SENT/S" in self.text(), 20)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.tmux("kill-server")

    def tmux(self, *words):
        done = subprocess.run(["tmux", "-S", self.socket, *words],
            stdin=subprocess.DEVNULL, capture_output=True,
            timeout=e2e.SECONDS, env=dict(os.environ, LC_ALL="C.UTF-8",
            TERM="xterm"))
        return done.stdout.decode(errors="replace")

    def text(self):
        return self.tmux("capture-pane", "-p")

    def flag(self, name):
        return self.tmux("display-message", "-p", "#{%s}" % name).strip()

    def key(self, name):
        self.tmux("send-keys", name)

    def shows(self, *words):
        return wait_for(lambda: all(word in self.text() for word in words), 20)

    def pid(self):
        """Of softprobectl, the child of the shell in the window."""
        shell = self.flag("pane_pid")
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/stat" % pid, encoding="ascii") as f:
                    name, words = f.read().rsplit(")", 1)
            except OSError:  # it has ended
                continue
            if words.split()[1] == shell and "softprobectl" in name:
                return int(pid)
        raise RuntimeError("top does not run: " + self.text())

    def note(self, name):
        try:
            with open(self.notes + "." + name, encoding="ascii") as f:
                return f.read().strip()
        except OSError:
            return ""

    def left_well(self, name):
        """That top has left, and the terminal is as it was."""
        check(name + ": top leaves", wait_for(lambda: self.note("after"), 20)
            and self.shows("LEFT"), self.text())
        equal(name + ": the modes of the terminal are as before",
            self.note("after"), self.note("before"))
        equal(name + ": so are page and cursor", (self.flag("alternate_on"),
            self.flag("cursor_flag")), ("0", "1"))


def keys_choose_what_is_shown():
    with Fed("--json", *TIMEOUTS) as run:
        run.feed(*conversations(30), *big(3))
        with Terminal(run) as terminal:
            check("flows at first", terminal.shows("SOURCE", "DESTINATION",
                "10.9.9.9:4000", "31 active flows"), terminal.text())
            equal("on a page of its own, without a cursor", (
                terminal.flag("alternate_on"), terminal.flag("cursor_flag")),
                ("1", "0"))
            check("a line says which keys there are", all(word in
                terminal.text() for word in ("f flows", "h hosts", "p ports",
                "s sort by packets", "q quit")), terminal.text())
            equal("as many rows as fit", len(rows_of(terminal.text())), 8)
            terminal.key("h")
            check("h: hosts", terminal.shows("HOST ", "10.9.9.9"),
                terminal.text())
            terminal.key("p")
            check("p: ports", terminal.shows("PORT ", "443", "53"),
                terminal.text())
            terminal.key("s")
            check("s: by the other measure", terminal.shows("by packets",
                "s sort by octets") and rows_of(terminal.text())[0][:2] ==
                ["udp", "53"], terminal.text())
            terminal.key("f")
            terminal.key("s")
            check("and back", terminal.shows("SOURCE", "by octets"),
                terminal.text())
            terminal.tmux("resize-window", "-x", "40", "-y", "7")
            check("another size: fewer rows, cut at the edge", wait_for(
                lambda: len(rows_of(terminal.text())) in (0, 3) and max(len(
                line) for line in terminal.text().splitlines()) <= 40 and
                "flows" in terminal.text(), 20), terminal.text())
            terminal.tmux("resize-window", "-x", "120", "-y", "30")
            check("a larger size: more rows", wait_for(lambda: len(rows_of(
                terminal.text())) == 26, 20), terminal.text())
            terminal.key("x")
            terminal.key("q")
            terminal.left_well("q")
            equal("q: exit", terminal.note("status"), "0")
        run.end()


def signals_leave_the_terminal_as_it_was():
    with Fed("--json", *TIMEOUTS) as run:
        run.feed(*conversations(3))
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with Terminal(run) as terminal:
                os.kill(terminal.pid(), signum)
                terminal.left_well(signum.name)
                equal(signum.name + ": exit", terminal.note("status"), "0")
        with Terminal(run) as terminal:
            pid = terminal.pid()
            os.kill(pid, signal.SIGTSTP)
            check("stopped: the terminal is given back", wait_for(lambda: (
                terminal.flag("alternate_on"), terminal.flag("cursor_flag")) ==
                ("0", "1"), 20), terminal.text())
            os.kill(pid, signal.SIGCONT)
            check("continued: the page is there again", wait_for(lambda:
                terminal.flag("alternate_on") == "1", 20) and
                terminal.shows("SENT/S"), terminal.text())
            terminal.key("q")
            terminal.left_well("stopped and continued")
        run.end()


def a_probe_that_goes_away_is_told_after_the_page():
    with Fed("--json", *TIMEOUTS) as run:
        run.feed(*conversations(3))
        with Terminal(run) as terminal:
            run.ask("exit")
            run.wait(20)
            terminal.left_well("the probe is gone")
            check("and why is told", "cannot reach softprobe" in
                terminal.text(), terminal.text())
            equal("the probe is gone: exit", terminal.note("status"), "1")


if __name__ == "__main__":
    tests = [rates_are_of_the_time_between_two_pictures,
        each_view_has_its_rows, many_flows_are_looked_at_and_the_largest_kept,
        mistakes, what_is_no_picture_is_not_shown]
    if need("top on a terminal", "tmux"):
        tests += [keys_choose_what_is_shown,
            signals_leave_the_terminal_as_it_was,
            a_probe_that_goes_away_is_told_after_the_page]
    e2e.main(tests)
