"""What clients and callers see of an installed tree: replies, texts, exit codes, headers (see callers.py)."""
import importlib
import json
import os
import subprocess
import sys
import tempfile

import pytest

from quilltest import BIN
from test_installed import HERE, TOP, home_to_mount_over, pytestmark  # noqa: F401

sys.path.insert(0, HERE)
callers = importlib.import_module("callers")


def all_checks():
    modules = sorted(f[:-3] for f in os.listdir(HERE) if f.startswith("callers_") and f.endswith(".py"))
    return [pytest.param(m, i, id=f"{m[8:]}-{name}") for m in modules
            for i, (name, _, _) in enumerate(callers.checks(importlib.import_module(m)))]


@pytest.fixture(scope="module")
def server():
    with home_to_mount_over(), tempfile.TemporaryDirectory(prefix="quill-callers.") as lab:
        os.chmod(lab, 0o755)
        with subprocess.Popen(
                ["unshare", "--mount", "--pid", "--net", "--uts", "--fork", "--kill-child", "--mount-proc",
                 "/usr/bin/python3", f"{HERE}/callers.py", lab, BIN, TOP],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            yield process
            process.stdin.close()
            process.wait(30)


@pytest.mark.parametrize("module,number", all_checks())
def test_callers(server, module, number):
    server.stdin.write(f"{module} {number}\n")
    server.stdin.flush()
    answer = server.stdout.readline()
    assert answer, "the server of checks has ended"
    answer = json.loads(answer)
    if answer:
        pytest.fail(answer, pytrace=False)
