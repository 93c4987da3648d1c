#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
e2e_systemd.py - the services under a systemd of the test's own: process 1 of
namespaces whose root is an overlay of the machine's, with no unit but ours.
"""
import os
import subprocess

import e2e
from e2e import check, equal, need, skip, wait_for
from e2e_packaging import make

SYSTEMD = "/lib/systemd/systemd"
NET_RAW = 1 << 13
# sh -c BOOT sh SCRATCH TREE: what becomes process 1.
BOOT = r"""
set -e
world=$1/world root=$1/world/root
mount --make-rprivate /
mkdir "$world"
mount -t tmpfs tmpfs "$world"
mkdir "$world/upper" "$world/work" "$root"
mount -t overlay -o "lowerdir=/,upperdir=$world/upper,workdir=$world/work" \
    overlay "$root"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
for place in run dev tmp; do
	mount -t tmpfs -o mode=755 tmpfs "$root/$place"
done
for device in null:3 zero:5 full:7 random:8 urandom:9; do
	mknod -m 666 "$root/dev/${device%:*}" c 1 "${device#*:}"
done
mknod -m 666 "$root/dev/tty" c 5 0
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
cp "$2/softprobe" "$2/softprobectl" "$root/usr/sbin/"
cp -R "$1/image/units" "$1/default" "$1/etc" "$root/run/"
systemd-sysusers --root="$root" "$1/image/sysusers/softprobe.conf"
ip link set lo up
exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    SYSTEMD_UNIT_PATH=/run/units SYSTEMD_GENERATOR_PATH=/nowhere \
    chroot "$root" /lib/systemd/systemd --system --unit=test.target \
    --log-target=console
"""
UNITS = {"test.target": "[Unit]\nWants=softprobe.service softprobe@lo.service "
        "softprobe@later.service\n",
    "softprobe.service.d/log.conf": "[Service]\nStandardOutput=null\n"
        "StandardError=append:/run/%n.log\nWatchdogSec=6\n"}
UNITS["softprobe@.service.d/log.conf"] = UNITS["softprobe.service.d/log.conf"]
for name in "sysinit", "basic", "network-online", "shutdown":
    UNITS[name + ".target"] = "[Unit]\nDefaultDependencies=no\n"
# What all share; softprobe@lo has no more, and the others override some.
CONFIG = "interface nosuch\ncollector 127.0.0.1:9\nmax-flows 100\n"
OPTIONS = {"softprobe": "-i lo --filter 'udp port 53'",
    "softprobe@later": "-n json:/var/lib/softprobe/flows.json"}
SERVICES = ["softprobe", "softprobe@lo", "softprobe@later"]


def write(folder, files):
    for name, text in files.items():
        where = e2e.path(os.path.join(folder, name))
        os.makedirs(os.path.dirname(where), exist_ok=True)
        with open(where, "w", encoding="ascii") as f:
            f.write(text)


class Machine:
    """A systemd that runs beside the test; it ends with the block."""

    def __init__(self, cgroup):
        self.cgroup = os.path.join(cgroup, "softprobe-test-%d" % os.getpid())
        self.log = e2e.path("boot.log")

    def __enter__(self):
        os.mkdir(self.cgroup)
        join = 'echo $$ >"$0/cgroup.procs" && exec "$@"'
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(["sh", "-c", join, self.cgroup,
                "unshare", "--kill-child", "-pfmniuC", "sh", "-c", BOOT, "sh",
                e2e.scratch(), e2e.TREE], stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT)
        return self

    def __exit__(self, *exc):
        self.process.kill()
        self.process.wait()
        def removed():
            try:
                for folder, _, _ in os.walk(self.cgroup, topdown=False):
                    os.rmdir(folder)
            except OSError:
                pass
            return not os.path.exists(self.cgroup)
        wait_for(removed)

    def init(self):
        """The process that is 1 inside."""
        pid = self.process.pid
        with open("/proc/%d/task/%d/children" % (pid, pid),
                encoding="ascii") as f:
            return f.read().split()[0]

    def run(self, *words):
        """Run a command inside; its exit code and output."""
        done = subprocess.run(["nsenter", "-t", self.init(), "-m", "-p", "-n",
            "-i", "-u", "-C", "-r", "-w", *words], timeout=e2e.SECONDS,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)
        return done.returncode, done.stdout.decode(errors="replace")

    def show(self, service, name):
        return self.run("systemctl", "show", "--value", "-p", name,
            service)[1].strip()

    def active(self):
        """What each service's state is; is-active exits 0 if any is active."""
        return self.run("systemctl", "is-active", *SERVICES)[1].split()

    def boots(self):
        """Wait until the services run, or nothing does."""
        def up():
            if self.process.poll() is not None:
                return True
            try:
                return self.active() == ["active"] * len(SERVICES)
            except (IndexError, OSError):
                return False
        wait_for(up, e2e.SECONDS)
        return self.process.poll() is None

    def said(self):
        with open(self.log, "rb") as f:
            return f.read().decode(errors="replace")[-1000:].strip()


def statuses(pid):
    """/proc/PID/task/*/status of a process, as dictionaries."""
    result = []
    for task in os.listdir("/proc/%s/task" % pid):
        with open("/proc/%s/task/%s/status" % (pid, task),
                encoding="ascii") as f:
            result.append(dict(line.rstrip("\n").split(":\t", 1)
                for line in f))
    return result


def outside(machine, service):
    """The process of a service, as it is called outside."""
    inside = machine.show(service, "MainPID")
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cgroup" % pid, encoding="ascii") as f:
                ours = os.path.basename(machine.cgroup) in f.read()
            status = statuses(pid)[0] if ours else {}
        except OSError:
            continue
        if ours and status["NSpid"].split()[-1] == inside:
            return pid
    return None


def check_confinement(machine, service):
    pid = outside(machine, service)
    check(service + ": its process is found", pid)
    threads = statuses(pid)
    uid = machine.run("id", "-u", "softprobe")[1].strip()
    equal(service + ": every thread is the user's", {t["Uid"] for t in threads},
        {"\t".join([uid] * 4)})
    equal(service + ": one thread captures, and no other could",
        sorted(int(t["CapEff"], 16) for t in threads), [0, NET_RAW])
    equal(service + ": no thread could have more", {int(t["CapBnd"], 16)
        for t in threads}, {NET_RAW})
    for thread in threads:
        equal(service + ": no new privileges, filtered calls",
            (thread["NoNewPrivs"], thread["Seccomp"]), ("1", "2"))


def services_run_confined(machine):
    for service in SERVICES:
        equal(service + " is active", machine.show(service, "ActiveState"),
            "active")
        check_confinement(machine, service)
    machine.run("bash", "-c", "for n in 1 2 3; do echo >/dev/udp/127.0.0.1/53; "
        "done")
    for path, name in (("/run/softprobe/softprobe.ctl", "all options"),
            ("/run/softprobe/lo.ctl", "an instance")):
        check(name + ": packets are metered", wait_for(lambda: (e2e.number(
            machine.run("softprobectl", "-c", path, "statistics")[1],
            "packets received") or 0) >= 3), machine.run("softprobectl", "-c",
            path, "statistics"))
    equal("a quoted filter is one word", machine.run("sh", "-c",
        "tr '\\0' '\\n' </proc/%s/cmdline | tail -n 1" % machine.show(
        "softprobe", "MainPID")), (0, "udp port 53\n"))


def watchdog_is_told(machine):
    for service in SERVICES:
        equal(service + " is ready by its own word", machine.show(service,
            "Type"), "notify")
        first = machine.show(service, "WatchdogTimestampMonotonic")
        check(service + ": the watchdog is told that it lives", wait_for(
            lambda: machine.show(service, "WatchdogTimestampMonotonic") !=
            first))


def filters(machine, service):
    """How many filters of system calls the kernel asks for each thread."""
    return {int(thread["Seccomp_filters"]) for thread in statuses(outside(
        machine, service))}


def service_keeps_the_own_sandbox(machine):
    """What the service forbids is not what the program confines itself by."""
    layers = e2e.probe("--check", "-i", "lo", "-n", "127.0.0.1:9").out
    if b"seccomp: each thread" not in layers:
        skip("the own sandbox in a service", layers.decode())
        return
    own = filters(machine, "softprobe@lo")
    machine.run("systemctl", "stop", "softprobe@lo")
    machine.run("sh", "-c",
        "echo OPTIONS=--no-sandbox >/run/default/softprobe@lo")
    machine.run("systemctl", "start", "softprobe@lo")
    bare = filters(machine, "softprobe@lo")
    machine.run("rm", "/run/default/softprobe@lo")
    equal("each thread has a filter of its own beside the service's", own,
        {n + 1 for n in bare})


def interface_comes_later(machine):
    for words in ("add later type veth peer name other", "set other up",
            "set later up"):
        equal("ip link " + words, machine.run("ip", "link", *words.split()),
            (0, ""))
    control = "/run/softprobe/later.ctl"
    check("an instance takes up an interface that comes later", wait_for(
        lambda: " up " in machine.run("softprobectl", "-c", control,
            "interfaces")[1]), machine.run("cat",
            "/run/softprobe@later.service.log"))
    equal("a file as a collector is the user's alone", machine.run("stat",
        "-c", "%U %a", "/var/lib/softprobe/flows.json"), (0, "softprobe 600\n"))


def services_reload_and_stop(machine):
    equal("reload", machine.run("systemctl", "reload", *SERVICES)[0], 0)
    equal("after it they are active", machine.active(), ["active"] *
        len(SERVICES))
    equal("stop", machine.run("systemctl", "stop", *SERVICES)[0], 0)
    for service in SERVICES:
        equal(service + " ended well", [machine.show(service, name) for name
            in ("Result", "ExecMainStatus", "NRestarts")], ["success", "0",
            "0"])
    check("what it counted is balanced", "account: balanced" in machine.run(
        "cat", "/run/softprobe@lo.service.log")[1])


def refused_options_are_not_tried_again(machine):
    machine.run("sh", "-c", "echo OPTIONS=--nosuch >/run/default/softprobe")
    machine.run("systemctl", "start", "softprobe")
    check("a refused option ends it", wait_for(lambda: machine.show(
        "softprobe", "ActiveState") == "failed"))
    equal("it is not tried again", [machine.show("softprobe", name) for name in
        ("ExecMainStatus", "NRestarts")], ["2", "0"])


def crash_is_followed_by_a_start(machine):
    machine.run("systemctl", "start", "softprobe@lo")
    before = machine.show("softprobe@lo", "MainPID")
    machine.run("systemctl", "kill", "-s", "KILL", "softprobe@lo")
    check("what died is started again", wait_for(lambda: machine.show(
        "softprobe@lo", "ActiveState") == "active" and machine.show(
        "softprobe@lo", "MainPID") not in (before, "0"), 20))


def services():
    with open("/proc/mounts", encoding="ascii") as f:
        groups = [l.split()[1] for l in f if l.split()[2] == "cgroup2"]
    if not groups:
        skip("services", "no cgroup2 is mounted")
        return
    make("install-systemd", "DESTDIR=" + e2e.path("image"),
        "SBINDIR=/usr/sbin", "DEFAULTDIR=/run/default", "SYSCONFDIR=/run/etc",
        "UNITDIR=/units", "SYSUSERSDIR=/sysusers")
    write("image/units", UNITS)
    write("default", {service: 'OPTIONS="%s"\n' % options
        for service, options in OPTIONS.items()})
    write("etc", {"softprobe.conf": CONFIG})
    try:
        machine = Machine(groups[0]).__enter__()
    except OSError as error:
        skip("services", str(error))
        return
    try:
        if not machine.boots():
            skip("services", "no systemd of our own: " + machine.said())
            return
        for function in (services_run_confined, watchdog_is_told,
                service_keeps_the_own_sandbox, interface_comes_later,
                services_reload_and_stop, refused_options_are_not_tried_again,
                crash_is_followed_by_a_start):
            function(machine)
    finally:
        machine.__exit__()


if __name__ == "__main__":
    if os.geteuid() != 0:
        skip("services", "a systemd of our own needs root")
    elif e2e.SANITIZED:
        skip("services", "a sanitizer needs what the services forbid")
    elif not os.path.exists(SYSTEMD):
        skip("services", "there is no systemd")
    elif need("services", "make", "unshare", "nsenter", "mount", "ip",
            "systemctl", "systemd-sysusers"):
        e2e.main([services])
    e2e.main([])
