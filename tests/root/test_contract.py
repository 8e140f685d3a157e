"""What administrators, scripts and log tools rely on, seen from outside: the checks in check_*.py (see labrun.py)."""
import json
import os
import re
import subprocess

import pytest

from quilltest import BIN
from test_installed import HERE, TOP, lab, mount_point, pytestmark  # noqa: F401

MODULES = sorted(n[:-3] for n in os.listdir(HERE) if n.startswith("check_") and n.endswith(".py"))


def names(module):
    with open(f"{HERE}/{module}.py", encoding="utf-8") as f:
        return re.findall(r"^@check\ndef (\w+)\(", f.read(), re.M)


@pytest.fixture(scope="module")
def results():
    """Each module runs once, when its first check is asked for."""
    return {}


def run(module, mount_point, lab):  # noqa: F811
    result = subprocess.run(
        ["unshare", "--mount", "--pid", "--net", "--fork", "--kill-child", "--mount-proc", "/usr/bin/python3",
         f"{HERE}/labrun.py", lab, BIN, TOP, module], capture_output=True, text=True, timeout=300, check=False)
    lines = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
    return {r["name"]: r["error"] for r in lines}, result.stderr[-3000:]


@pytest.mark.parametrize("module,name", [(m, n) for m in MODULES for n in names(m)])
def test_contract(results, mount_point, lab, module, name):  # noqa: F811
    if module not in results:
        results[module] = run(module, mount_point, lab)
    errors, trouble = results[module]
    assert name in errors, f"did not run: {trouble}"
    assert errors[name] is None, errors[name]
