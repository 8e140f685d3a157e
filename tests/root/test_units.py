"""The systemd units, under a systemd of their own (see units.py)."""
import os
import subprocess

from quilltest import BIN
from test_installed import HERE, TOP, home_to_mount_over, pytestmark  # noqa: F401


def test_units_under_systemd():
    assert os.path.exists("/lib/systemd/systemd"), "systemd is missing: make deps"
    with home_to_mount_over():
        p = subprocess.Popen(
            ["timeout", "-k", "5", "240", "unshare", "--mount", "--pid", "--net", "--uts", "--ipc", "--cgroup", "--fork",
             "--kill-child", "--mount-proc", "/usr/bin/python3", f"{HERE}/units.py", TOP, BIN],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        lines = []
        for line in p.stdout:
            lines.append(line)
            if line == "done\n":
                break
        p.terminate()
        p.communicate(timeout=30)
    assert lines and lines[-1] == "done\n" and not [line for line in lines if line.startswith("not ok")], "".join(lines)
