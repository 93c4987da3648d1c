#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
e2e_openwrt.py - the package of OpenWrt: which command lines the init script
makes of a configuration, whatever stands there, and what the recipe installs.
OpenWrt's own functions are stood in for by tests/openwrt; the shell is its.
"""
import os
import re
import shlex
import stat
import subprocess

import e2e
from e2e import check, equal, need
from e2e_packaging import listed_options

PACKAGE = os.path.join(e2e.TREE, "packaging", "openwrt", "softprobe")
INIT = os.path.join(PACKAGE, "files", "softprobe.init")
CONFIG = os.path.join(PACKAGE, "files", "softprobe.config")
DOUBLE = os.path.join(e2e.TREE, "tests", "openwrt")
HOSTILE = ("$(touch %s)", "`touch %s`", "'; touch %s; '", '"; touch %s; "',
    "x\ntouch %s\n", "$IFS&touch %s&", "\\", "*", "-d", "a  b\tc", "|| touch %s")
# Options of softprobe that are the script's own, or have no sense there.
OTHERS = ["capture-time", "check", "config", "control", "elements",
    "exclude-self", "foreground", "help", "interface", "ipv6", "json", "pidfile", "quiet", "read", "threads", "user",
    "version", "wait"]
BEGIN = ["/usr/sbin/softprobe", "--foreground", "--quiet", "--wait"]


def parse(text):
    """A UCI file as {section: {option: word or [words of a list]}}."""
    sections = {}
    for line in text.splitlines():
        words = shlex.split(line, comments=True)
        if not words:
            continue
        if words[0] == "config":
            current = sections[words[2]] = {"TYPE": words[1]}
        elif words[0] == "option":
            current[words[1]] = words[2]
        else:
            current.setdefault(words[1], []).append(words[2])
    return sections


def as_shell(sections):
    """The variables that OpenWrt makes of a configuration."""
    lines = ["CONFIG_SECTIONS=" + shlex.quote(" ".join(sections))]
    for section, options in sections.items():
        for name, value in {"TYPE": "probe", **options}.items():
            at = "CONFIG_%s_%s" % (section, name)
            if isinstance(value, list):
                lines += ["%s_ITEM%d=%s" % (at, n + 1, shlex.quote(v))
                    for n, v in enumerate(value)]
                lines.append("%s_LENGTH=%d" % (at, len(value)))
                value = " ".join(value)
            lines.append("%s=%s" % (at, shlex.quote(value)))
    return "\n".join(lines) + "\n"


def calls(sections, function="start_service", network="", accounts="yes",
        places="UJAIL=/bin/sh CAPABILITIES=/bin/sh"):
    """The calls that a function of the script makes, each a list of words."""
    uci, root = e2e.path("uci"), e2e.path("root")
    with open(uci, "w", encoding="utf-8") as f:
        f.write(as_shell(sections))
    os.makedirs(root + "/lib/functions", exist_ok=True)
    with open(root + "/lib/functions/network.sh", "w", encoding="ascii"):
        pass
    done = subprocess.run(["busybox", "ash", os.path.join(DOUBLE,
        "procd.sh"), INIT, function], cwd=e2e.scratch(), timeout=e2e.SECONDS,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env={"PATH": os.environ["PATH"], "UCI": uci,
            "IPKG_INSTROOT": root, "NETWORK": network, "ACCOUNTS": accounts,
            "PLACES": places})
    equal("%s succeeds and is silent" % function, (done.returncode,
        done.stderr.decode(errors="replace")), (0, ""))
    words = done.stdout.decode(errors="surrogateescape").split("\0")[:-1]
    result = []
    while words:
        count = int(words[0])
        result.append(words[1:count + 1])
        words = words[count + 1:]
    return result


def instances(made):
    """{instance: its command line} of such calls."""
    found = {}
    for call in made:
        if call[0] == "open":
            name = call[1]
        if call[:2] in (["set", "command"], ["append", "command"]):
            found[name] = ([] if call[0] == "set" else found[name]) + call[2:]
    return found


def control(name):
    return "--control=/var/run/softprobe/%s.ctl" % name


def each_section_is_an_instance():
    made = calls({
        "lan": {"enabled": "1", "interface": ["lan", "wan"],
            "collector": ["192.0.2.1:4739", "udp://c:1?version=9&mtu=600"],
            "filter": "ip and not (host 10.0.0.1 or port 53)",
            "timeout": ["active=60", "idle=10"], "max_flows": "100",
            "biflow": "on", "balance": "0", "tls_ca": "/etc/ssl/ca.pem"},
        "vlan": {"enabled": "1", "device": ["eth0.2"], "interface": "dmz",
            "collector": "c:2055", "export_version": "9"},
        "off": {"interface": ["lan"], "collector": ["c:1"]},
        "nowhere": {"enabled": "1", "interface": ["lan"]},
        "down": {"enabled": "1", "interface": ["gone"], "collector": "c:1"},
        "other": {"TYPE": "globals", "enabled": "1"}},
        network="lan=br-lan wan=pppoe-wan dmz=eth1.3")
    equal("command lines", instances(made), {
        "lan": BEGIN + [control("lan"), "--interface=br-lan",
            "--interface=pppoe-wan",
            "--filter=ip and not (host 10.0.0.1 or port 53)",
            "--max-flows=100", "--tls-ca=/etc/ssl/ca.pem",
            "--timeout=active=60", "--timeout=idle=10",
            "--collector=192.0.2.1:4739",
            "--collector=udp://c:1?version=9&mtu=600", "--biflow"],
        "vlan": BEGIN + [control("vlan"), "--interface=eth1.3",
            "--interface=eth0.2", "--export-version=9",
            "--collector=c:2055"]})
    said = [call[-1] for call in made if call[0] == "logger"]
    check("what is missing is said", len(said) == 2 and "nowhere" in said[0]
        and "collector" in said[0] and "gone is down" in said[1], said)
    equal("each is closed", [c[0] for c in made if c[0] in ("open", "close")],
        ["open", "close"] * 2)
    equal("each is started again, for ever", [c for c in made
        if "respawn" in c], [["set", "respawn", "3600", "10", "0"]] * 2)


def command_lines_are_understood():
    """softprobe itself reads what the script makes."""
    for name, options in (("shipped", parse(open(CONFIG, encoding="ascii")
            .read())["lan"]), ("more", {"device": "eth0.2", "timeout":
            ["active=60"], "collector": "[2001:db8::1]:4739", "fields":
            ["+sourceMacAddress,-tcpControlBits"], "biflow": "1",
            "max_flows": "99", "no_promiscuous": "1", "snaplen": "200",
            "filter": "tcp port 80", "template_refresh": "60,100"})):
        made = instances(calls({"lan": dict(options, enabled="1")},
            network="lan=br-lan"))
        check("%s: there is a command" % name, "lan" in made, made)
        result = e2e.probe(*made["lan"][1:], "--help")
        check("%s: softprobe understands it" % name, result.code == 0, result)


def shipped_configuration_starts_nothing():
    made = calls(parse(open(CONFIG, encoding="ascii").read()),
        network="lan=br-lan")
    equal("no instance of the configuration as it comes", instances(made), {})


def values_are_words_whatever_they_say():
    trap = e2e.path("trap")
    values = [h.replace("%s", trap) for h in HOSTILE]
    for value in values:
        made = instances(calls({"s": {"enabled": "1", "device": [value],
            "collector": [value, value], "filter": value, "domain": value,
            "timeout": value, "no_promiscuous": value, "jail": value}}))
        equal("%r is one word" % value, made, {"s": BEGIN + [control("s"),
            "--interface=" + value, "--filter=" + value, "--domain=" + value,
            "--timeout=" + value, "--collector=" + value,
            "--collector=" + value]})
        made = calls({"s": {"enabled": "1", "interface": [value],
            "collector": "c:1"}})
        equal("%r is no interface that the network is asked for" % value,
            [c for c in made if c[0] == "network_get_device"],
            [["network_get_device", "-d"]] if value == "-d" else [])
        equal("%r is no device that a network has" % value, instances(calls(
            {"s": {"enabled": "1", "interface": "lan", "collector": "c"}},
            network="lan=" + value.replace(" ", "/").replace("\n", "/"))),
            {"s": BEGIN + [control("s"), "--interface=-d", "--collector=c"]}
            if value == "-d" else {})
        check("%r was not run" % value, not os.path.exists(trap))


def every_option_can_be_configured():
    with open(INIT, encoding="ascii") as f:
        names = {kind: words.split() for kind, words in re.findall(
            r"^(VALUES|LISTS|FLAGS)='([^']*)'", f.read(), re.M)}
    equal("each option of softprobe, once", sorted(OTHERS + [
        n.replace("_", "-") for words in names.values() for n in words]),
        sorted(listed_options()))
    text = e2e.probe("--help").out.decode()
    for kind, words in names.items():
        wanted = kind != "FLAGS"
        for name in words:
            long = "--" + name.replace("_", "-")
            equal("%s has a value" % long, re.search(
                r"%s [A-Z[]" % long, text) is not None, wanted)


def jail_needs_all_of_it():
    one = {"s": {"enabled": "1", "device": "eth0", "collector": "c:1"}}
    jail = [["set", "user", "softprobe"], ["set", "group", "softprobe"],
        ["set", "capabilities", "/bin/sh"], ["set", "no_new_privs", "1"],
        ["jail", "softprobe", "log"], ["mount_rw", "/var/run/softprobe"]]
    made = calls(one)
    equal("in a jail", [c for c in jail if c not in made], [])
    check("the directory is the user's", ["chown", "softprobe:softprobe",
        "/var/run/softprobe"] in made, made)
    for name, more in (("without ujail", {"places":
            "UJAIL=/nowhere CAPABILITIES=/bin/sh"}),
            ("without capabilities", {"places":
            "UJAIL=/bin/sh CAPABILITIES=/nowhere"}),
            ("without the user", {"accounts": "no"})):
        made = calls(one, **more)
        equal(name + ": no part of a jail", [c for c in jail if c in made], [])
        equal(name + ": it runs", list(instances(made)), ["s"])
    made = calls({"s": dict(one["s"], jail="0")})
    equal("not wanted: no part of a jail", [c for c in jail if c in made], [])


def changes_are_followed():
    equal("configuration and interfaces are watched", calls({
        "a": {"interface": ["lan", "wan_6"]}, "b": {"interface": "dmz"},
        "c": {"device": "eth0"}, "d": {"interface": "$(x)"}},
        "service_triggers"), [["trigger", "softprobe"],
        ["interface_trigger", "lan"], ["interface_trigger", "wan_6"],
        ["interface_trigger", "dmz"]])


def recipe(*words):
    return subprocess.run(["make", "-s", "-C", PACKAGE, "TOPDIR=" + DOUBLE,
        *words], check=True, stdout=subprocess.PIPE, timeout=e2e.SECONDS,
        stdin=subprocess.DEVNULL, env={"PATH": os.environ["PATH"]}
        ).stdout.decode()


def recipe_says_what_openwrt_asks():
    if not need("the recipe", "make"):
        return
    with open(os.path.join(e2e.TREE, "VERSION"), encoding="ascii") as f:
        version = f.read().strip()
    with open(os.path.join(PACKAGE, "Makefile"), encoding="ascii") as f:
        check("it is of this version", "\nPKG_VERSION:=%s\n" % version in
            f.read())
    for variant, suffix, library in (("plain", "", ""),
            ("tls", "-tls", "openssl")):
        name = "softprobe" + suffix
        text = recipe("show-" + name, "BUILD_VARIANT=" + variant)
        check(name + ": its lines", all(re.search(line, text, re.M) for line in
            (r"^ *SECTION:=net$", r"^ *CATEGORY:=Network$", r"^ *TITLE:=\w",
            r"^ *DEPENDS:=\+libpcap \+libbsd \+libmnl$", r"^ *VARIANT:=%s$" % variant,
            r"^ *USERID:=softprobe:softprobe$",
            r"^conffiles:=/etc/config/softprobe$")), text)
        equal(name + ": TLS", re.search(r"OPENSSL=(\w*)$", text, re.M).group(1),
            library)
        root = e2e.path(name)
        recipe("install-" + name, "ROOT=" + root, "SOURCE=" + e2e.TREE)
        equal(name + ": what it installs", {os.path.relpath(os.path.join(
            folder, file), root): stat.S_IMODE(os.stat(os.path.join(folder,
            file)).st_mode) for folder, _, files in os.walk(root)
            for file in files}, {"usr/sbin/softprobe": 0o755,
            "usr/sbin/softprobectl": 0o755, "etc/config/softprobe": 0o600,
            "etc/init.d/softprobe": 0o755,
            "etc/capabilities/softprobe.json": 0o644})


def feeds_own_test_passes():
    with open(os.path.join(e2e.TREE, "VERSION"), encoding="ascii") as f:
        version = f.read().strip()
    for given, wanted in ((version, True), (version + "1", False)):
        done = subprocess.run(["busybox", "ash", os.path.join(PACKAGE,
            "test.sh"), "softprobe", given], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=e2e.SECONDS, env={"PATH": e2e.TREE + ":" +
                os.environ["PATH"]})
        equal("test.sh of the feed, told version " + given,
            done.returncode == 0, wanted)


if __name__ == "__main__":
    functions = [recipe_says_what_openwrt_asks]
    if need("the init script", "busybox"):
        functions += [each_section_is_an_instance,
            command_lines_are_understood,
            shipped_configuration_starts_nothing,
            values_are_words_whatever_they_say,
            every_option_can_be_configured, jail_needs_all_of_it,
            changes_are_followed, feeds_own_test_passes]
    e2e.main(functions)
