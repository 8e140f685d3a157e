"""Checks of what operators do, as root with the historical accounts (see labrun.py)."""
import json
import os
import pwd
import subprocess
import tarfile
import tempfile
import time

import lab
from labrun import HOME, equal, wait

CHECKS = []
FIXTURE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../classicqueue/left-behind.tar.xz")


def check(f):
    CHECKS.append(f)
    return f


def quill(*arguments, uid=0, program="quill"):
    return subprocess.run([f"{HOME}/bin/{program}", *map(str, arguments)], capture_output=True, text=True, user=uid,
                          group=uid, extra_groups=[], env=lab.CLEAN, cwd="/", timeout=60, check=False)


def listed(*filters):
    r = quill("queue", "list", "--json", *filters)
    equal((r.returncode, r.stderr), (0, ""))
    return [json.loads(line) for line in r.stdout.splitlines()]


@check
def root_decides_and_users_do_not(m):
    m.dot("ann", "-wait", "|echo not now; exit 111\n")
    number = m.try_mail("ann-wait@lab.test").number
    mark = m.mark()
    message, = listed()
    assert message["id"] == number and "not now" in message["recipients"][0]["answer"]
    for arguments in (["queue"], ["queue", "show", number], ["queue", "remove", number], ["queue", "hold", "--all"]):
        r = quill(*arguments, uid=2001)
        equal((r.returncode, len(r.stderr.splitlines()), r.stdout), (100, 1, ""))
        assert "access denied" in r.stderr, r.stderr
    equal(quill("-l", uid=2001, program="qmHandle").returncode, 100)
    equal(quill("queue", "hold", number).returncode, 0)
    equal(listed()[0]["state"], "held")
    m.wait_log(rf"^operator: hold msg {number} by uid 0$", mark)
    equal(quill("queue", "remove", "--all").stdout, "1 message removed\n")
    equal(listed(), [])


@check
def the_way_of_a_message_is_told(m):
    story = m.send_mail("ann@lab.test")
    with tempfile.NamedTemporaryFile("w") as log:
        log.write(m.log())
        log.flush()
        text = quill("trace", story.number, log.name).stdout
    assert "to local ann@lab.test: success" in text and "nothing of it is left" in text, text
    # Files that only she may read are read as her.
    m.dot("ann", "-secret", "&someone@else.test\n")
    r = quill("why", "ann-secret@lab.test")
    assert r.returncode == 0 and "someone@else.test" in r.stdout and ".qmail-secret" in r.stdout, r
    assert quill("why", "ann-nothing@lab.test").returncode == 100


@check
def queues_come_and_go(m):
    """As root, also while the system is down; the files belong to whom qmail expects."""
    old, new = tempfile.mkdtemp(), tempfile.mkdtemp() + "/queue"
    with tarfile.open(FIXTURE) as tar:
        tar.extractall(old)
    for top, _, files in os.walk(old):
        for name in files:
            os.utime(os.path.join(top, name), times=(time.time() - 3600,) * 2)
    m.stop()
    equal(quill("queue", "import", old).stdout.splitlines()[0], "4 messages imported, 0 had been before")
    equal(len(listed()), 4)
    r = quill("queue", "export", new, "--remove")
    equal((r.returncode, r.stdout), (0, "4 messages exported, 0 had been before\n"))
    equal(listed(), [])
    owners = {"mess": "qmailq", "info": "qmails", "remote": "qmails", "bounce": "qmails"}
    for top, _, files in os.walk(new):
        kind = os.path.relpath(top, new).split("/")[0]
        for name in files if kind in owners else ():
            equal(pwd.getpwuid(os.stat(f"{top}/{name}").st_uid).pw_name, owners[kind])
    m.start()
    equal(quill("queue", "import", new).stdout, "4 messages imported, 0 had been before\n")
    equal(quill("queue", "hold", "--all").returncode, 0)
    wait(lambda: quill("queue", "remove", "--all").returncode in (0, 1) and not listed())
    equal(listed(), [])
