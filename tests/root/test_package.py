"""
The Debian package is installed, used, upgraded and removed (see package.py).

In `make test` it is made of the programs that are there, and installed over a view of this machine; `make deb-check`
builds it as Debian would, and has $PACKAGE installed in a Debian of its own, $PACKAGE_ROOT.
"""
import json
import os
import re
import shutil
import subprocess

import pytest

from quilltest import BIN
from test_installed import HERE, TOP, lab, pytestmark as in_namespaces  # noqa: F401
from test_sandbox import instrumented

pytestmark = in_namespaces + [
    pytest.mark.skipif(shutil.which("dh") is None, reason="debhelper is missing: make deps"),
    pytest.mark.skipif(instrumented(), reason="nobody packages instrumented programs"),
]


def steps():
    with open(f"{HERE}/package.py", encoding="utf-8") as f:
        return re.findall(r"^@step\ndef (\w+)\(", f.read(), re.M)


@pytest.fixture(scope="module")
def results():
    return {}


def built(into):
    p = subprocess.run([f"{TOP}/mk/deb.sh", into], cwd=TOP, env={**os.environ, "BINARIES": BIN}, capture_output=True,
                       text=True, check=False)
    assert p.returncode == 0, p.stderr + p.stdout
    return p.stdout.split()[-1]


def newer(package, into):
    """The same, with a higher version."""
    subprocess.run(["dpkg-deb", "-R", package, f"{into}/newer"], check=True)
    with open(f"{into}/newer/DEBIAN/control", encoding="utf-8") as f:
        control = f.read()
    with open(f"{into}/newer/DEBIAN/control", "w", encoding="utf-8") as f:
        f.write(re.sub("^(Version: .*)$", r"\1+newer", control, flags=re.M))
    subprocess.run(["dpkg-deb", "-Znone", "--root-owner-group", "-b", f"{into}/newer", f"{into}/newer.deb"], check=True,
                   stdout=subprocess.DEVNULL)
    shutil.rmtree(f"{into}/newer")


def run(lab):  # noqa: F811
    shutil.copy(os.environ.get("PACKAGE") or built(f"{lab}/build"), f"{lab}/quillmail.deb")
    shutil.rmtree(f"{lab}/build", ignore_errors=True)
    newer(f"{lab}/quillmail.deb", lab)
    p = subprocess.run(
        ["unshare", "--mount", "--pid", "--net", "--uts", "--fork", "--kill-child", "--mount-proc", "/usr/bin/python3",
         f"{HERE}/package.py", lab, os.environ.get("PACKAGE_ROOT", "/")], capture_output=True, text=True, timeout=400,
        check=False, env={**os.environ, "PYTHONPATH": os.path.dirname(HERE)})
    lines = [json.loads(line) for line in p.stdout.splitlines() if line.startswith("{")]
    return {r["name"]: r["error"] for r in lines}, p.stderr[-3000:]


@pytest.mark.parametrize("name", steps())
def test_package(results, lab, name):  # noqa: F811
    if not results:
        results["of"] = run(lab)
    errors, trouble = results["of"]
    assert name in errors, f"not reached: {trouble}"
    assert errors[name] is None, errors[name]
