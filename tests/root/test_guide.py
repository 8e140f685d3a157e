"""The walk-through of the old administrators' guide works as it stands (see guide.py)."""
import json
import os
import re
import subprocess

import pytest

from quilltest import BIN
from test_installed import HERE, TOP, lab, mount_point, pytestmark  # noqa: F401


def steps():
    with open(f"{HERE}/guide.py", encoding="utf-8") as f:
        return re.findall(r"^@step\ndef (\w+)\(", f.read(), re.M)


@pytest.fixture(scope="module")
def results():
    """All steps run in one machine, when the first is asked for."""
    return {}


def run(lab):  # noqa: F811
    p = subprocess.run(
        ["unshare", "--mount", "--pid", "--net", "--uts", "--fork", "--kill-child", "--mount-proc", "/usr/bin/python3",
         f"{HERE}/guide.py", lab, BIN, TOP], capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, "PYTHONPATH": os.path.dirname(HERE)})
    lines = [json.loads(line) for line in p.stdout.splitlines() if line.startswith("{")]
    return {r["name"]: r["error"] for r in lines}, p.stderr[-3000:]


@pytest.mark.parametrize("name", steps())
def test_guide(results, mount_point, lab, name):  # noqa: F811
    if not results:
        results["of"] = run(lab)
    errors, trouble = results["of"]
    assert name in errors, f"not reached: {trouble}"
    assert errors[name] is None, errors[name]
