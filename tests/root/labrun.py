"""Runs the checks of one module (check_*.py) in an installed tree, as root in private namespaces.

  labrun.py LAB BINDIR CHECKOUT MODULE [NAME …]

Prints one line of JSON for each check: {"name": …, "error": null or text}.
One installation serves all checks of a module, so each check uses addresses
and files of its own and puts back what it changes in control/.
"""
import importlib
import json
import os
import signal
import subprocess
import sys
import time
import traceback

import lab

HOME = lab.HOME
lab.USERS = (("ann", 2001), ("bob", 2002), ("cyd", 2003), ("joe", 2004), ("joe-work", 2005), ("gone", 2006),
             ("foreign", 2007), ("Upper", 2008), ("open", 2009), ("sticky", 2010),
             ("a23456789012345678901234567890b", 2011), ("a234567890123456789012345678901c", 2012))
UIDS = dict(lab.USERS)
UIDS["alias"] = 7790


class Story:
    """What the log says about one message."""

    def __init__(self, number, lines):
        self.number = number
        self.lines = lines
        self.deliveries = []  # (channel, recipient, result, text), in the order of their starts
        self.bounce_qp = None
        open_numbers = {}
        for line in lines:
            word = line.split(" ")
            if line.startswith("starting delivery "):
                open_numbers[word[2].rstrip(":")] = len(self.deliveries)
                self.deliveries.append((word[6], word[7], None, None))
            elif line.startswith("delivery "):
                i = open_numbers[word[1].rstrip(":")]
                result, text = line.split(": ", 2)[1:]
                self.deliveries[i] = self.deliveries[i][:2] + (result, text)
            elif line.startswith("bounce msg "):
                self.bounce_qp = int(word[4])

    def results(self):
        return {r: (result, text) for _, r, result, text in self.deliveries}

    @property
    def only(self):
        assert len(self.deliveries) == 1, self.lines
        return self.deliveries[0]

    def expect(self, result, text):
        assert self.only[2:] == (result, text), f"{self.only} instead of {result}: {text}"


class Machine:
    def __init__(self, binaries, checkout):
        lab.make_machine(binaries, checkout)
        self.dir = lab.LAB
        self.start_environment = dict(lab.CLEAN)
        self.send = None
        self.log_path = lab.LAB + "/log"
        self.write_home_states()
        # The checks have the bytes of the plain form.
        self.control("bounceformat", "qsbmf\n")

    def write_home_states(self):
        os.rename(self.home("gone"), self.home("gone") + ".away")
        os.chown(self.home("foreign"), 2001, 2001)
        os.chmod(self.home("open"), 0o707)
        os.chmod(self.home("sticky"), 0o1700)

    # ---- the mail system -------------------------------------------------------------

    def start(self, *arguments, environment=None, ready=True):
        mark = self.mark()
        with open(self.log_path, "ab") as log:
            self.send = subprocess.Popen([HOME + "/bin/qmail-start", *(arguments or ("./Maildir/",))], stdout=log,
                                         env=environment or self.start_environment, cwd="/", stderr=log,
                                         stdin=subprocess.DEVNULL)
        if ready:
            self.wait_log(r"^status: local 0/\d+ remote 0/\d+$", mark)
        return mark

    def stop(self, seconds=20):
        self.send.terminate()
        return self.send.wait(seconds)

    def restart(self, *arguments, environment=None):
        assert self.stop() == 0
        return self.start(*arguments, environment=environment)

    def signal(self, number):
        self.send.send_signal(number)

    # ---- the log -----------------------------------------------------------------------

    def mark(self):
        return os.path.getsize(self.log_path) if os.path.exists(self.log_path) else 0

    def log(self, mark=0):
        with open(self.log_path, "rb") as f:
            f.seek(mark)
            return f.read().decode(errors="replace")

    def wait_log(self, pattern, mark=0, seconds=15):
        import re
        found = wait(lambda: re.search(pattern, self.log(mark), re.M), seconds)
        assert found, f"no {pattern} in:\n{self.log(mark)[-1500:]}"
        return found

    def quiet(self, seconds=15):
        """Waits until nothing is being delivered."""
        def idle():
            status = [line for line in self.log().splitlines() if line.startswith("status: local")]
            return status and status[-1].startswith("status: local 0/") and " remote 0/" in status[-1]
        assert wait(idle, seconds), self.log()[-1500:]

    # ---- files ------------------------------------------------------------------------

    def home(self, user):
        return HOME + "/alias" if user == "alias" else f"{self.dir}/{user}"

    def put(self, path, text, mode=0o644):
        with open(path, "wb") as f:
            f.write(text.encode() if isinstance(text, str) else text)
        os.chmod(path, mode)

    def dot(self, user, ext, text, mode=0o600):
        path = f"{self.home(user)}/.qmail{ext}"
        self.put(path, text, mode)
        os.chown(path, UIDS[user], UIDS[user])
        return path

    def maildir(self, user, name):
        for d in ("", "/tmp", "/new", "/cur"):
            os.mkdir(f"{self.home(user)}/{name}{d}", 0o700)
            os.chown(f"{self.home(user)}/{name}{d}", UIDS[user], UIDS[user])

    def control(self, name, text):
        """None: the file is removed."""
        path = f"{HOME}/control/{name}"
        if text is None:
            if os.path.exists(path):
                os.unlink(path)
        else:
            self.put(path, text)

    def read(self, user, name, seconds=5):
        path = f"{self.home(user)}/{name}"
        assert wait(lambda: os.path.exists(path), seconds), f"{path} does not exist"
        with open(path, "rb") as f:
            return f.read()

    def inbox(self, user, name="Maildir"):
        directory = f"{self.home(user)}/{name}/new"
        contents = []
        for n in sorted(os.listdir(directory)):
            with open(f"{directory}/{n}", "rb") as f:
                contents.append(f.read())
        return contents

    def clear_inbox(self, user, name="Maildir"):
        directory = f"{self.home(user)}/{name}/new"
        for n in os.listdir(directory):
            os.unlink(f"{directory}/{n}")

    def find_mail(self, user, what, name="Maildir"):
        """The one message in the user's Maildir that holds these bytes."""
        found = wait(lambda: [m for m in self.inbox(user, name) if what in m])
        assert found, f"{what} did not reach {user}"
        return found[0]

    # ---- sending ---------------------------------------------------------------------

    def queue(self, recipients, body=b"Subject: x\n\nbody\n", sender=b"s@client.test", uid=2001, environment=None):
        """Gives a message to qmail-queue; its pid, which the log calls qp."""
        envelope = b"F" + bytes_of(sender) + b"\0" + b"".join(b"T" + bytes_of(r) + b"\0" for r in recipients) + b"\0"
        r, w = os.pipe()
        child = subprocess.Popen([HOME + "/bin/qmail-queue"], stdin=subprocess.PIPE, stdout=r, user=uid, group=uid,
                                 extra_groups=[], env=environment or lab.CLEAN, cwd="/")
        os.close(r)
        child.stdin.write(bytes_of(body))
        child.stdin.close()
        os.write(w, envelope)
        os.close(w)
        assert child.wait(20) == 0, f"qmail-queue: {child.returncode}"
        return child.pid

    def story_so_far(self, qp, mark=0):
        lines = self.log(mark).split("\n")[:-1]
        number, story, mine = None, [], set()
        for line in lines:
            word = line.split(" ")
            if line.startswith("info msg ") and f" qp {qp} " in line:
                number = word[2].rstrip(":")
                story = [f"new msg {number}"]
            if number is None:
                continue
            if word[0] == "starting" and word[4] == number:
                mine.add(word[2])
            if (word[0] == "delivery" and word[1] in {m for m in mine}) or \
                    (len(word) > 2 and word[2].rstrip(":") == number and word[1] == "msg") or \
                    (word[0] == "starting" and word[4] == number) or line.endswith(f"discarding bounce/{number}"):
                story.append(line)
        return Story(int(number), story) if number else None

    def story(self, qp, mark=0, seconds=15):
        """Waits for the message's end."""
        def ended():
            s = self.story_so_far(qp, mark)
            return s if s and s.lines[-1] == f"end msg {s.number}" else None
        found = wait(ended, seconds)
        assert found, f"no end of qp {qp} in:\n{self.log(mark)[-1500:]}"
        return found

    def send_mail(self, recipients, *arguments, seconds=15, **keywords):
        """Sends, waits for the end of it, and tells its story."""
        mark = self.mark()
        if isinstance(recipients, (str, bytes)):
            recipients = [recipients]
        return self.story(self.queue(recipients, *arguments, **keywords), mark, seconds)

    def try_mail(self, recipients, *arguments, **keywords):
        """Sends, waits until each recipient was tried once; the message may stay in the queue."""
        mark = self.mark()
        if isinstance(recipients, (str, bytes)):
            recipients = [recipients]
        qp = self.queue(recipients, *arguments, **keywords)

        def tried():
            s = self.story_so_far(qp, mark)
            return s if s and len(s.deliveries) >= len(recipients) and all(d[2] for d in s.deliveries) else None
        found = wait(tried)
        assert found, f"qp {qp} not tried:\n{self.log(mark)[-1500:]}"
        return found

    def bounce_story(self, story, mark=0):
        return self.story(story.bounce_qp, mark)


def bytes_of(s):
    return s.encode() if isinstance(s, str) else s


def wait(condition, seconds=15):
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value or time.monotonic() > deadline:
            return value
        time.sleep(0.01)


def equal(got, expected):
    assert got == expected, f"\n got      {got!r}\n expected {expected!r}"


def processes(name):
    """(pid, parent, uid, gid, groups) of the processes of this name."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/status") as f:
                status = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
        except (FileNotFoundError, ProcessLookupError):
            continue
        if status["Name"] == name[:15] and status["State"][0] != "Z":
            found.append((int(pid), int(status["PPid"]), int(status["Uid"].split()[0]), int(status["Gid"].split()[0]),
                          sorted(int(g) for g in status["Groups"].split())))
    return sorted(found)


def main():
    binaries, checkout, module = sys.argv[2:5]
    checks = importlib.import_module(module).CHECKS
    chosen = sys.argv[5:]
    machine = Machine(binaries, checkout)
    machine.start()
    for check in checks:
        if chosen and check.__name__ not in chosen:
            continue
        error, mark, started = None, machine.mark(), time.monotonic()
        try:
            check(machine)
        except Exception as e:  # whatever goes wrong in a check is its failure
            where = traceback.extract_tb(e.__traceback__)
            place = [f"{os.path.basename(t.filename)}:{t.lineno}" for t in where if "check_" in t.filename][-1:]
            error = f"{place} {type(e).__name__}: {e}\n--- log\n{machine.log(mark)[-2500:]}"
        print(json.dumps({"name": check.__name__, "error": error,
                          "seconds": round(time.monotonic() - started, 2)}), flush=True)
    if machine.send.poll() is None:
        machine.signal(signal.SIGTERM)
        machine.send.wait(20)


if __name__ == "__main__":
    main()
