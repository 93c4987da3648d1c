#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
e2e_packaging.py - what is installed and packaged: make install and its
reverse, the tarball, systemd's units, completion.
"""
import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
import tarfile

import e2e
from e2e import check, equal, need, skip

EXPOSURE = 18  # tenths; the services of other exporters have 87 and more
UNITS = ("softprobe.service", "softprobe@.service")


def run(*words, **more):
    """Run a command that must not fail; returns its output."""
    env = {name: value for name, value in os.environ.items()
        if not name.startswith("MAKE") and name != "MFLAGS"}
    env.update(more.pop("env", {}))
    done = subprocess.run(words, stdin=subprocess.DEVNULL, env=env,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=e2e.SECONDS,
        **more)
    text = done.stdout.decode(errors="replace")
    if done.returncode != 0:
        raise RuntimeError("%s: exit %d: %s" % (words, done.returncode, text))
    return text


def make(*words, **more):
    return run("make", "-s", "-C", e2e.TREE, *words, **more)


def installed(root):
    """{path below root: permissions} of all files there."""
    return {os.path.relpath(os.path.join(folder, name), root):
        stat.S_IMODE(os.stat(os.path.join(folder, name)).st_mode)
        for folder, _, names in os.walk(root) for name in names}


PROGRAMS = {"usr/sbin/softprobe": 0o755, "usr/sbin/softprobectl": 0o755,
    "usr/share/man/man5/softprobe.conf.5": 0o644,
    "usr/share/man/man8/softprobe.8": 0o644,
    "usr/share/man/man8/softprobectl.8": 0o644}
SYSTEMD = {"etc/softprobe.conf": 0o644,
    "usr/lib/systemd/system/softprobe.service": 0o644,
    "usr/lib/systemd/system/softprobe@.service": 0o644,
    "usr/lib/sysusers.d/softprobe.conf": 0o644}
COMPLETION = {
    "usr/share/zsh/site-functions/_softprobe": 0o644,
    "usr/share/bash-completion/completions/softprobe": 0o644,
    "usr/share/bash-completion/completions/softprobectl": 0o644}


def what_is_installed_is_uninstalled():
    if not need("make install", "make"):
        return
    root = e2e.path("root")
    where = ("DESTDIR=" + root, "PREFIX=/usr")
    strict = {"umask": 0o077}
    make("install", *where, **strict)
    equal("make install", installed(root), PROGRAMS)
    make("install-systemd", "install-completion", *where, **strict)
    equal("make install-systemd install-completion", installed(root),
        {**PROGRAMS, **SYSTEMD, **COMPLETION})
    make("uninstall", *where)
    equal("make uninstall leaves no file", installed(root), {})
    make("uninstall", *where)
    own = os.path.join(root, "etc", "softprobe.conf")
    with open(own, "w", encoding="ascii") as f:
        f.write("interface eth0\n")
    make("install-systemd", *where)
    make("uninstall", *where)
    with open(own, encoding="ascii") as f:
        equal("a configuration that was edited stays", f.read(),
            "interface eth0\n")


def unit_folder():
    """The units, with the programs where they say."""
    folder = e2e.path("units")
    if not os.path.isdir(folder):
        make("install-systemd", "UNITDIR=" + folder, "SYSUSERSDIR=" + folder,
            "SBINDIR=" + e2e.TREE, "DEFAULTDIR=/nowhere/default",
            "SYSCONFDIR=" + e2e.path("etc"))
    return folder


def lines(unit):
    with open(os.path.join(unit_folder(), unit), encoding="ascii") as f:
        return f.read().splitlines()


def units_say_what_make_was_told():
    if not need("systemd's units", "make"):
        return
    for unit, files, command in ((UNITS[0], "", ""), (UNITS[1], "@%i",
            "--interface %i --wait --control /run/softprobe/%i.ctl ")):
        text = lines(unit)
        check("%s: nothing is left to be filled in" % unit,
            not re.search("@[A-Z]+@", "\n".join(text)))
        equal("%s: where options are" % unit,
            [l for l in text if l.startswith("EnvironmentFile=")],
            ["EnvironmentFile=-/nowhere/default/softprobe" + files])
        equal("%s: what is run" % unit,
            [l for l in text if l.startswith("ExecStart=")],
            ["ExecStart=%s/softprobe --foreground --config %s/softprobe.conf "
                "%s$OPTIONS" % (e2e.TREE, e2e.path("etc"), command)])


def configuration_that_is_installed_is_valid():
    """As it is it says nothing; with its examples it would start."""
    with open(os.path.join(e2e.TREE, "packaging", "softprobe.conf"),
            encoding="ascii") as f:
        text = f.read()
    examples = re.sub(r"^#([a-z].*)", r"\1", text, flags=re.M)
    check("there are examples", len(examples) < len(text) - 5)
    where = e2e.path("installed.conf")
    for name, said, more in (("as it is", text, ("-r", "x")),
            ("with all its examples", examples, ())):
        with open(where, "w", encoding="ascii") as f:
            f.write(said)
        os.chmod(where, 0o644)
        result = e2e.probe("--config", where, "--check", *more)
        equal(name, (result.code, result.err), (0, ""))


def analyze(*words):
    """Run systemd-analyze; its exit code and output."""
    done = subprocess.run(["systemd-analyze", *words], timeout=e2e.SECONDS,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT)
    return done.returncode, done.stdout.decode(errors="replace")


def units_are_without_fault():
    if not need("units", "make", "systemd-analyze"):
        return
    for unit in UNITS:
        path = os.path.join(unit_folder(), unit)
        code, said = analyze("verify", "--man=no", path)
        equal("%s: systemd has nothing to say" % unit,
            [l for l in said.splitlines() if "softprobe" in l], [])
        name = "%s: exposure is at most %.1f" % (unit, EXPOSURE / 10)
        code, said = analyze("security", "--no-pager", "--offline=true",
            "--threshold=%d" % EXPOSURE, path)
        if "unrecognized option" in said:
            skip(name, "systemd-analyze is too old")
        else:
            check(name, code == 0, said[-300:])


def completed(*words):
    """What bash offers for the last of these words."""
    script = """
        . "$1"; shift
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
        _softprobe "$1" "${!#}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    return [w for w in run("bash", "-c", script, "bash", os.path.join(
        e2e.TREE, "packaging", "bash-completion"), *words).splitlines() if w]


def listed_options():
    """Long options of the table in config.c, but for those it refuses."""
    with open(os.path.join(e2e.TREE, "config.c"), encoding="ascii") as f:
        return re.findall(r"^\t\{ GROUP_(?!LATER)[A-Z]+, [^,]+, \"([a-z0-9-]+)\"",
            f.read(), re.M)


def completion_knows_every_option():
    if not need("completion", "bash"):
        return
    wanted = sorted("--" + name for name in listed_options())
    check("there are options", len(wanted) > 40, wanted)
    equal("each long option is completed", sorted(completed(e2e.SOFTPROBE,
        "--")), wanted)
    equal("some of them", completed(e2e.SOFTPROBE, "--tls-c"),
        ["--tls-ca", "--tls-cert"])
    for words, value in ((("-T", ""), ["ip", "proto", "full", "tos", "vlan",
            "ether"]), (("--time-unit", "=", "m"), ["milli", "micro"]),
            (("-P", "="), ["udp", "tcp", "sctp", "tls", "dtls"]),
            (("--fields", "flowId,+sourceMac"),
                ["flowId,+sourceMacAddress"]), (("-i", "an"), ["any"]),
            (("-r", e2e.PCAP + "/zeek__wiki"),
                [e2e.PCAP + "/zeek__wikipedia.pcap"]), (("-m", ""), [])):
        equal("values: " + " ".join(words), completed(e2e.SOFTPROBE, *words),
            value)


def completed_by_zsh(*words):
    """What zsh offers for the last of these words, its own functions aside."""
    script = r"""
        compadd() {
            shift
            for w; do [[ $w == $PREFIX* ]] && print -r -- $w; done
            return 0
        }
        compset() { PREFIX=${PREFIX##${~2}} }
        _files() { print files }
        _users() { print users }
        file=$1; shift
        words=("$@") CURRENT=$# PREFIX=$words[$#]
        . $file
    """
    return run("zsh", "-f", "-c", script, "zsh", os.path.join(e2e.TREE,
        "packaging", "zsh-completion"), *words).split()


def completion_of_zsh_knows_the_same():
    if not need("completion of zsh", "zsh"):
        return
    equal("each long option is completed", sorted(completed_by_zsh(
        e2e.SOFTPROBE, "--")), sorted("--" + n for n in listed_options()))
    equal("some of them", completed_by_zsh(e2e.SOFTPROBE, "--tls-c"),
        ["--tls-ca", "--tls-cert"])
    for words, value in ((("-T", ""), ["ip", "proto", "full", "tos", "vlan",
            "ether"]), (("--time-unit=m",), ["milli", "micro"]),
            (("-P", "t"), ["tcp", "tls"]), (("-i", "an"), ["any"]),
            (("--fields", "flowId,+sourceMac"), ["sourceMacAddress"]),
            (("--options", "sampling,st"), ["statistics"]),
            (("--user", ""), ["users"]), (("--config", ""), ["files"])):
        equal("values: " + " ".join(words), completed_by_zsh(e2e.SOFTPROBE,
            *words), value)
    equal("each command is completed", completed_by_zsh(e2e.SOFTPROBECTL, ""),
        completed(e2e.SOFTPROBECTL, ""))


def completion_knows_every_command():
    if not need("completion", "bash"):
        return
    with open(os.path.join(e2e.TREE, "softprobectl.c"), encoding="ascii") as f:
        wanted = re.findall(r"^\t\{ \"([a-z+-]+)[^\"]*\", \"", f.read(), re.M)
    check("there are commands", len(wanted) > 10, wanted)
    equal("each command is completed", completed(e2e.SOFTPROBECTL, ""), wanted)
    equal("an option of softprobectl", completed(e2e.SOFTPROBECTL, "--j"),
        ["--json"])


def tarball_has_the_same_octets_twice():
    name = "make dist twice"
    if not need(name, "make", "git", "xz"):
        return
    sums, bills = [], []
    for n, env in enumerate(({"TZ": "UTC"}, {"TZ": "Asia/Tokyo",
            "XZ_DEFAULTS": "-T2", "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "tar.umask", "GIT_CONFIG_VALUE_0": "user"})):
        copy = e2e.path("clone%d" % n)
        try:
            run("git", "clone", "-q", "--depth", "1", "file://" + e2e.TREE, copy)
        except RuntimeError as error:
            skip(name, "not in a repository: " + str(error)[-100:].strip())
            return
        # What is compared is this Makefile's rule, committed or not.
        shutil.copy(os.path.join(e2e.TREE, "Makefile"), copy)
        run("make", "-s", "-C", copy, "dist", env=env, umask=0o077 * n)
        made = [f for f in os.listdir(copy) if f.endswith(".tar.xz")]
        equal("make dist makes one file", len(made), 1)
        tarball = os.path.join(copy, made[0])
        with open(tarball, "rb") as f:
            sums.append(hashlib.sha256(f.read()).hexdigest())
        bills.append(run(os.path.join(e2e.TREE, "packaging", "sbom.py"),
            tarball, env=env))
    equal("make dist makes the same octets twice", sums[0], sums[1])
    check("its bill of materials is the same twice", bills[0] == bills[1])
    bill_is_of(json.loads(bills[0]), tarball, sums[0])


def bill_is_of(bill, path, sum256):
    """Check what the bill of materials says of that tarball."""
    package = bill["packages"][0]
    equal("the bill names the tarball's sum",
        [c["checksumValue"] for c in package["checksums"]
            if c["algorithm"] == "SHA256"], [sum256])
    equal("... and the version", package["versionInfo"], version())
    with tarfile.open(path) as tar:
        wanted = {"./" + m.name.split("/", 1)[1]:
            hashlib.sha1(tar.extractfile(m).read()).hexdigest()
            for m in tar if m.isfile()}
    equal("... and each file", {f["fileName"]:
        f["checksums"][0]["checksumValue"] for f in bill["files"]}, wanted)
    with open(os.path.join(e2e.TREE, "Makefile"), encoding="ascii") as f:
        asked = set(re.findall(r"--(?:exists|cflags) '?(lib[a-z-]+|openssl|zlib)",
            f.read())) - {"libfixbuf"}
    equal("... and each library that the Makefile asks for",
        {p["name"] for p in bill["packages"][1:]}, asked | {"libbsd-overlay"})


def version():
    with open(os.path.join(e2e.TREE, "VERSION"), encoding="ascii") as f:
        return f.read().strip()


# Packages have to repeat the version: the first number there is the one.
VERSIONS = {"CHANGELOG.md": r"^## (\S+?),? ",
    "packaging/alpine/APKBUILD": r"^pkgver=(.*)",
    "packaging/debian/changelog": r"^softprobe \((.*)-\d+\)",
    "packaging/freebsd/Makefile": r"^DISTVERSION=\t(.*)",
    "packaging/openwrt/softprobe/Makefile": r"^PKG_VERSION:=(.*)",
    "packaging/rpm/softprobe.spec": r"^Version: +(.*)"}


def version_is_the_same_everywhere():
    for name, line in VERSIONS.items():
        with open(os.path.join(e2e.TREE, name), encoding="utf-8") as f:
            found = re.search(line, f.read(), re.M)
        equal("%s has the version of VERSION" % name,
            found and found.group(1), version())
    equal("softprobe tells the version of VERSION",
        run(e2e.SOFTPROBE, "--version").strip(), version())
    check("and nothing else in C does", not re.search(
        r'"%s"' % re.escape(version()), "".join(open(os.path.join(e2e.TREE,
            n), encoding="utf-8").read() for n in os.listdir(e2e.TREE)
            if n.endswith((".c", ".h")))))


if __name__ == "__main__":
    e2e.main([what_is_installed_is_uninstalled, units_say_what_make_was_told,
        configuration_that_is_installed_is_valid,
        units_are_without_fault, completion_knows_every_option,
        completion_knows_every_command, completion_of_zsh_knows_the_same,
        version_is_the_same_everywhere, tarball_has_the_same_octets_twice])
