#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
sbom.py - a bill of materials (SPDX 2.3, JSON) of a tarball of softprobe:

	packaging/sbom.py softprobe-0.1.0.tar.xz >softprobe-0.1.0.spdx.json

Lists each file with its sums and licence, and the libraries that the Makefile
asks pkg-config for, with the versions that this machine has.  The same
tarball on the same machine gives the same octets: the only time in it is the
youngest file's.
"""
import datetime
import hashlib
import json
import re
import subprocess
import sys
import tarfile

HOME = "https://softprobe.invalid/spdx/"
LICENSE = re.compile(rb"SPDX-License-Identifier: ([A-Za-z0-9.-]+)")
# Libraries by pkg-config's name: licence, and whether softprobe needs it.
LIBRARIES = {"libpcap": ("BSD-3-Clause", True),
    "libbsd-overlay": ("BSD-3-Clause", True), "zlib": ("Zlib", False),
    "openssl": ("Apache-2.0", False), "libseccomp": ("LGPL-2.1-only", False),
    "libmnl": ("LGPL-2.1-or-later", False),
    "libmicrohttpd": ("LGPL-2.1-or-later", False)}


def version(library):
    """The library's version here, or None."""
    try:
        return subprocess.run(["pkg-config", "--modversion", library],
            check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            ).stdout.decode().strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def sums(octets):
    return [{"algorithm": name, "checksumValue": function(octets).hexdigest()}
        for name, function in (("SHA1", hashlib.sha1),
            ("SHA256", hashlib.sha256))]


def file_entry(number, name, octets):
    found = LICENSE.search(octets[:400])
    return {"SPDXID": "SPDXRef-File-%d" % number, "fileName": "./" + name,
        "checksums": sums(octets),
        "licenseConcluded": "NOASSERTION",
        "licenseInfoInFiles": [found.group(1).decode() if found
            else "NOASSERTION"],
        "copyrightText": "NOASSERTION"}


def library_entry(name):
    license_id, _ = LIBRARIES[name]
    entry = {"SPDXID": "SPDXRef-Library-" + name, "name": name,
        "downloadLocation": "NOASSERTION", "filesAnalyzed": False,
        "licenseConcluded": "NOASSERTION", "licenseDeclared": license_id,
        "copyrightText": "NOASSERTION"}
    if version(name) is not None:
        entry["versionInfo"] = version(name)
    return entry


def verification_code(files):
    """SPDX 2.3 section 7.9."""
    ones = sorted(f["checksums"][0]["checksumValue"] for f in files)
    return hashlib.sha1("".join(ones).encode()).hexdigest()


def relations(files):
    yield "SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-softprobe"
    for entry in files:
        yield "SPDXRef-softprobe", "CONTAINS", entry["SPDXID"]
    for name, (_, needed) in LIBRARIES.items():
        library = "SPDXRef-Library-" + name
        if needed:
            yield "SPDXRef-softprobe", "DEPENDS_ON", library
        else:
            yield library, "OPTIONAL_DEPENDENCY_OF", "SPDXRef-softprobe"


def bill(path):
    with open(path, "rb") as f:
        whole = f.read()
    with tarfile.open(path) as tar:
        members = sorted((m for m in tar if m.isfile()), key=lambda m: m.name)
        files = [file_entry(n, m.name.split("/", 1)[1],
            tar.extractfile(m).read()) for n, m in enumerate(members)]
        release = members[0].name.split("/", 1)[0]
        made = datetime.datetime.fromtimestamp(max(m.mtime for m in members),
            datetime.timezone.utc)
    digest = sums(whole)
    return {"spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT", "name": release,
        "documentNamespace": HOME + release + "-" +
            digest[1]["checksumValue"][:16],
        "creationInfo": {"created": made.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "creators": ["Tool: softprobe-sbom"]},
        "packages": [{"SPDXID": "SPDXRef-softprobe", "name": "softprobe",
            "versionInfo": release.split("-", 1)[1],
            "packageFileName": path.rsplit("/", 1)[-1],
            "downloadLocation": "NOASSERTION", "filesAnalyzed": True,
            "packageVerificationCode": {
                "packageVerificationCodeValue": verification_code(files)},
            "checksums": digest, "licenseConcluded": "NOASSERTION",
            "licenseDeclared": "ISC", "copyrightText": "NOASSERTION",
            "licenseInfoFromFiles": sorted({f["licenseInfoInFiles"][0]
                for f in files})}] + [library_entry(l) for l in LIBRARIES],
        "files": files,
        "relationships": [{"spdxElementId": a, "relationshipType": how,
            "relatedSpdxElement": b} for a, how, b in relations(files)]}


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("sbom.py: give one tarball of make dist")
    json.dump(bill(sys.argv[1]), sys.stdout, indent=1)
    print()
