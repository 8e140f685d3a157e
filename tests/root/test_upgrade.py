"""
Replacing a qmail and going back, as docs/UPGRADE.md says it (see upgrade.py).

Where $NOTQMAIL names a built source tree of notqmail, that is what is replaced and gone back to: its programs leave a queue
to us, and deliver what ours leaves to them.
"""
import json
import os
import re
import subprocess

import pytest

from quilltest import BIN
from test_installed import HERE, TOP, lab, mount_point, pytestmark  # noqa: F401


def steps():
    with open(f"{HERE}/upgrade.py", encoding="utf-8") as f:
        return re.findall(r"^@step\ndef (\w+)\(", f.read(), re.M)


@pytest.fixture(scope="module")
def results():
    return {}


def run(lab):  # noqa: F811
    p = subprocess.run(
        ["unshare", "--mount", "--pid", "--net", "--uts", "--fork", "--kill-child", "--mount-proc", "/usr/bin/python3",
         f"{HERE}/upgrade.py", lab, BIN, TOP], capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, "PYTHONPATH": os.path.dirname(HERE)})
    lines = [json.loads(line) for line in p.stdout.splitlines() if line.startswith("{")]
    return {r["name"]: r["error"] for r in lines}, p.stderr[-3000:]


@pytest.mark.parametrize("name", steps())
def test_upgrade(results, mount_point, lab, name):  # noqa: F811
    if not results:
        results["of"] = run(lab)
    errors, trouble = results["of"]
    assert name in errors, f"not reached: {trouble}"
    assert errors[name] is None, errors[name]
