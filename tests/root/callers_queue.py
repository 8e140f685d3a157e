"""qmail-queue, and programs in its place (contract §5.3, §6, Appendix B)."""
import os
import re
import resource
import signal
import subprocess
import time

import lab
from callers import ALIAS, ANN, BIN, BOB, HOME, PLAIN, QMAILD, ROOT, Catcher, cases, control, directory, is_, put, run, smtp


def queue(message, envelope, who=ANN, program=BIN + "/qmail-queue", **more):
    """Runs it as qmail's clients do: pipes on 0 and 1. (exit code, pid)"""
    m, e = os.pipe(), os.pipe()
    with subprocess.Popen([program], stdin=m[0], stdout=e[0], stderr=subprocess.PIPE, env={}, cwd=HOME, user=who[0],
                          group=who[1], extra_groups=[], **more) as p:
        os.close(m[0]), os.close(e[0])
        for fd, data in ((m[1], message), (e[1], envelope)):
            try:
                with os.fdopen(fd, "wb") as f:
                    f.write(data)
            except BrokenPipeError:
                pass
        err = p.stderr.read()
        p.wait(20)
    is_(err, b"")
    return p.returncode, p.pid


def log_since(mark):
    return lab.mail.log()[mark:]


def mark():
    return len(lab.mail.log())


# ---- codes -----------------------------------------------------------------------------

LONG = 1000 * b"a" + b"@h"


@cases([
    ("one", b"Fs@x.test\0Tann@lab.test\0\0", 0),
    ("no-recipients", b"Fs@x.test\0\0", 0),
    ("null-sender", b"F\0Tann@lab.test\0\0", 0),
    ("double-bounce-sender", b"F#@[]\0Tann@lab.test\0\0", 0),
    ("verp-sender", b"Fl-@lab.test-@[]\0Tann@lab.test\0\0", 0),
    ("rest-ignored", b"F\0Tann@lab.test\0\0anything\0", 0),
    ("longest", b"F" + LONG + b"\0\0", 0),
    ("longest-recipient", b"F\0T" + 993 * b"a" + b"@lab.test\0\0", 0),
    ("long", b"Fa" + LONG + b"\0\0", 11),
    ("long-recipient", b"F\0Ta" + LONG + b"\0\0", 11),
    ("long-unended", b"Faa" + LONG, 11),
    ("empty", b"", 54),
    ("cut-in-sender", b"Fs@x.te", 54),
    ("cut-after-sender", b"Fs@x.test\0", 54),
    ("cut-in-recipient", b"Fs@x.test\0Tann", 54),
    ("cut-before-end", b"Fs@x.test\0Tann@lab.test\0", 54),
    ("not-f", b"Ts@x.test\0\0", 91),
    ("nul-first", b"\0", 91),
    ("not-t", b"Fs@x.test\0Fann@lab.test\0\0", 91),
    ("garbage", b"hello", 91),
])
def check_code(name, envelope, code):
    is_(queue(b"Subject: x\n\nx\n", envelope)[0], code)


def check_closed_descriptors():
    is_(subprocess.run([BIN + "/qmail-queue"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env={},
                       check=False).returncode, 54)
    is_(subprocess.run(["/bin/sh", "-c", f"exec {BIN}/qmail-queue <&- >&-"], env={}, check=False).returncode, 54)
    # No message is not an empty message.
    envelope = put(directory() + "/envelope", b"Fs@x\0Tann@lab.test\0\0")
    is_(subprocess.run(["/bin/sh", "-c", f"exec {BIN}/qmail-queue <&- 1<{envelope}"], env={}, check=False).returncode, 54)


@cases([("empty", b""), ("binary", bytes(range(256)) * 3), ("open-end", b"Subject: x\n\nx"),
        ("large", b"Subject: x\n\n" + 30000 * (99 * b"x" + b"\n"))])
def check_content_is_kept(name, message):
    box = directory()
    os.chown(box, *ANN)
    put(f"{lab.LAB}/ann/.qmail-keep", f"|cat >{box}/tmp && mv {box}/tmp {box}/got\n")
    os.chown(f"{lab.LAB}/ann/.qmail-keep", *ANN)
    code, pid = queue(message, b"Fs@x.test\0Tann-keep@lab.test\0\0")
    is_(code, 0)
    assert lab.until(lambda: os.path.exists(box + "/got")), lab.mail.log()[-600:]
    with open(box + "/got", "rb") as f:
        field, rest = f.read().split(b"\n", 1)
    assert re.fullmatch(rb"Received: \(qmail %d invoked by uid 2001\); [1-9]\d? [A-Z][a-z]{2} \d{4} "
                        rb"\d\d:\d\d:\d\d -0000" % pid, field), field
    assert rest == message, "the content changed"


@cases([
    ("ann", ANN, "by uid 2001"), ("root", ROOT, "by uid 0"), ("alias", ALIAS, "by alias"),
    ("qmaild", QMAILD, "from network"), ("qmails", (7796, 2107), "for bounce"), ("nobody", (65534, 65534), "by uid 65534"),
    ("no-account", (54321, 54321), "by uid 54321"),
])
def check_caller(name, who, text):
    at = mark()
    code, pid = queue(f"Subject: caller {name}\n\n".encode(), b"Fs@x.test\0Tann@lab.test\0\0", who)
    is_(code, 0)
    _, content = lab.delivered("ann", f"caller {name}")
    assert f"Received: (qmail {pid} invoked {text}); " in content, content
    assert f"from <s@x.test> qp {pid} uid {who[0]}\n" in log_since(at), log_since(at)


def check_message_before_envelope():
    """The envelope may only come when the message is read to its end, and nothing is accepted before both are."""
    m, e = os.pipe(), os.pipe()
    with subprocess.Popen([BIN + "/qmail-queue"], stdin=m[0], stdout=e[0], env={}, close_fds=True) as p:
        os.close(m[0]), os.close(e[0])
        os.write(m[1], b"Subject: slow\n\n")
        os.close(m[1])
        time.sleep(0.1)
        is_(p.poll(), None)
        os.write(e[1], b"Fs@x.test\0")
        time.sleep(0.1)
        is_(p.poll(), None)
        os.write(e[1], b"\0")
        is_(p.wait(10), 0)
        os.close(e[1])


def ignores(pid, number):
    with open(f"/proc/{pid}/status", encoding="utf-8") as f:
        return int(re.search(r"SigIgn:\t(\w+)", f.read()).group(1), 16) >> number - 1 & 1


@cases([(s.name, s) for s in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGPIPE, signal.SIGXCPU)])
def check_signals_are_ignored(name, number):
    m, e = os.pipe(), os.pipe()
    with subprocess.Popen([BIN + "/qmail-queue"], stdin=m[0], stdout=e[0], env={}) as p:
        os.close(m[0]), os.close(e[0])
        assert lab.until(lambda: ignores(p.pid, number)), "it does not ignore the signal"
        p.send_signal(number)
        os.write(m[1], b"x\n")
        os.close(m[1])
        os.write(e[1], b"Fs@x.test\0\0")
        os.close(e[1])
        is_(p.wait(10), 0)


def check_environment_is_not_read():
    is_(run("qmail-queue", data="", env={"QMAILQUEUE": "/bin/true", "RELAYCLIENT": "x"}).code, 54)


# ---- a program in its place ---------------------------------------------------------------

TEXTS = {
    11: "Denvelope address too long for qq (#5.1.3)", 115: "Denvelope address too long for qq (#5.1.3)",
    12: "Dqq permanent problem (#5.3.0)", 31: "Dmail server permanently rejected message (#5.3.0)",
    32: "Dqq permanent problem (#5.3.0)", 40: "Dqq permanent problem (#5.3.0)",
    10: "Zqq temporary problem (#4.3.0)", 41: "Zqq temporary problem (#4.3.0)", 1: "Zqq temporary problem (#4.3.0)",
    51: "Zqq out of memory (#4.3.0)", 52: "Zqq timeout (#4.3.0)", 53: "Zqq write error or disk full (#4.3.0)",
    54: "Zqq read error (#4.3.0)", 55: "Zqq unable to read configuration (#4.3.0)",
    56: "Zqq trouble making network connection (#4.3.0)", 61: "Zqq trouble in home directory (#4.3.0)",
    62: "Zqq trouble creating files in queue (#4.3.0)", 63: "Zqq trouble creating files in queue (#4.3.0)",
    64: "Zqq trouble creating files in queue (#4.3.0)", 65: "Zqq trouble creating files in queue (#4.3.0)",
    66: "Zqq trouble creating files in queue (#4.3.0)", 71: "Zmail server temporarily rejected message (#4.3.0)",
    72: "Zconnection to mail server timed out (#4.4.1)", 73: "Zconnection to mail server rejected (#4.4.1)",
    74: "Zcommunication with mail server failed (#4.4.2)", 81: "Zqq internal bug (#4.3.0)",
    82: "Zqq temporary problem (#4.3.0)", 88: "Zqq temporary problem (#4.3.0)", 91: "Zqq internal bug (#4.3.0)",
    99: "Zqq temporary problem (#4.3.0)", 100: "Zqq temporary problem (#4.3.0)",
    111: "Zqq temporary problem (#4.3.0)", 120: "Zunable to exec qq (#4.3.0)", 255: "Zqq temporary problem (#4.3.0)",
}
SMTP_MESSAGE = "MAIL FROM:<s@x.test>\nRCPT TO:<ann@lab.test>\nDATA\nx\n.\nQUIT\n"


def answers(env, text):
    """Both clients tell the same: qmail-smtpd by SMTP, qmail-inject on stderr."""
    code = "554 " if text[0] == "D" else "451 "
    is_(smtp(SMTP_MESSAGE, env).lines[4], code + text[1:])
    for program in (("qmail-inject", "ann@lab.test"), ("sendmail", "ann@lab.test")):
        r = run(*program, data="Subject: x\n\nx\n", env=env)
        is_(r.err.decode(), f"qmail-inject: fatal: {text[1:]}\n")
        is_(r.code, 100 if text[0] == "D" else 111)


@cases(sorted(TEXTS.items()))
def check_text(code, text):
    answers(Catcher(code).env, text)


@cases([
    ("permanent", "printf 'Dspam, go away (#5.7.1)' >&6", "Dspam, go away (#5.7.1)"),
    ("temporary", "printf 'Zcome back later' >&6", "Zcome back later"),
    ("older", "printf 'Dspam, go away (#5.7.1)' >&4", "Dspam, go away (#5.7.1)"),
    ("line", "echo 'Dwith a newline' >&6", "Dwith a newline"),
    ("longest", "printf D%0254d 7 >&6", "D" + 253 * "0" + "7"),
    ("too-short", "printf 'Dx' >&6", "Zqq temporary problem (#4.3.0)"),
    ("no-letter", "printf 'spam' >&6", "Zqq temporary problem (#4.3.0)"),
])
def check_own_text(name, words, text):
    answers(Catcher(82, words).env, text)


def check_own_text_needs_82():
    answers(Catcher(31, "printf 'Dspam' >&6").env, "Dmail server permanently rejected message (#5.3.0)")
    assert smtp(SMTP_MESSAGE, Catcher(0, "printf 'Dspam' >&6").env).lines[4].startswith("250 ok ")


@cases([
    ("killed", "kill -9 $$", "Zqq crashed (#4.3.0)"),
    ("missing", None, "Zunable to exec qq (#4.3.0)"),
])
def check_trouble(name, words, text):
    answers({"QMAILQUEUE": "/nonexistent"} if words is None else Catcher(0, words).env, text)


def check_success_without_reading_everything_is_a_failure():
    script = put(directory() + "/queue", "#!/bin/sh\nexec <&-\nsleep 0.2\nexit 0\n", 0o755)
    r = run("qmail-inject", "ann@lab.test", data=b"Subject: x\n\n" + 300000 * b"x", env={"QMAILQUEUE": script})
    is_(r.err, b"qmail-inject: fatal: qq read error (#4.3.0)\n")
    is_(r.code, 111)


def check_relative_path_and_surroundings():
    """The path is relative to the home; no arguments; the environment and other descriptors are passed on."""
    catcher = Catcher(words="cat <&9 >nine")
    name = HOME + "/bin/test-queue"
    os.symlink(catcher.path, name)
    read, write = os.pipe()
    os.write(write, b"nine\n")
    os.close(write)
    try:
        os.dup2(read, 9, inheritable=True)
        subprocess.run([BIN + "/qmail-inject", "ann@lab.test"], input=b"Subject: x\n\nx\n", cwd="/tmp", check=True,
                       env={**PLAIN, "QMAILQUEUE": "bin/test-queue", "SPECIAL": "yes"}, pass_fds=(9,))
    finally:
        os.unlink(name)
        os.close(read), os.close(9)
    is_(catcher.read("place"), HOME.encode() + b"\n")
    is_(catcher.read("arguments"), b"0\n")
    is_(catcher.read("nine"), b"nine\n")
    assert b"SPECIAL=yes\n" in catcher.read("environment")


def check_session_variables_are_visible():
    catcher = Catcher()
    smtp(SMTP_MESSAGE, {**catcher.env, "RELAYCLIENT": "", "TCPREMOTEIP": "192.0.2.1", "TCPREMOTEHOST": "c.test"})
    lines = catcher.read("environment").split(b"\n")
    for line in (b"RELAYCLIENT=", b"TCPREMOTEIP=192.0.2.1", b"TCPREMOTEHOST=c.test"):
        assert line in lines, lines


def check_wrapper_script():
    """Adds a field, and hands both descriptors on to bin/qmail-queue."""
    path = put(directory() + "/wrap", f"#!/bin/sh\nexec 7<&1\n{{ echo 'X-Scanned: yes'; cat; }} | "
               f"{BIN}/qmail-queue 1<&7\n", 0o755)
    r = smtp(SMTP_MESSAGE.replace("\nx\n", "\nSubject: wrapped\n\nx\n"), {"QMAILQUEUE": path})
    assert r.lines[4].startswith("250 ok "), r
    _, content = lab.delivered("ann", "wrapped")
    assert re.search(r"\nReceived: \(qmail \d+ invoked from network\); .*\nX-Scanned: yes\nReceived: from ", content), \
        content


def check_wrapper_execs():
    path = put(directory() + "/wrap", f"#!/bin/sh\nexec {BIN}/qmail-queue\n", 0o755)
    r = smtp(SMTP_MESSAGE.replace("\nx\n", "\nSubject: execed\n\nx\n"), {"QMAILQUEUE": path})
    pid = r.lines[4].split()[-1]
    _, content = lab.delivered("ann", "execed")
    assert f"(qmail {pid} invoked from network)" in content, content


SCANNER = """#!/usr/bin/python3
# As simscan does: everything is read first, then another process runs the real queue.
import os, subprocess, sys
message, envelope = b"", b""
while data := os.read(0, 7):
    message += data
while not envelope.endswith(b"\\0\\0"):
    envelope += os.read(1, 1)
if b"virus" in message:
    os.write(6, b"Dyour mail has a virus")
    sys.exit(82)
if b"spam" in message:
    sys.exit(31)
if b"filter is down" in message:
    sys.exit(71)
r, w = os.pipe()
os.write(w, envelope)
os.close(w)
m = os.pipe()
child = subprocess.Popen(["{bin}/qmail-queue"], stdin=m[0], stdout=r)
os.close(m[0])
with os.fdopen(m[1], "wb") as f:
    f.write(b"X-Scanner: " + os.environ["TCPREMOTEIP"].encode() + b"\\n" + message)
sys.exit(child.wait())
"""


def check_scanner():
    path = put(directory() + "/scan", SCANNER.replace("{bin}", BIN), 0o755)
    env = {"QMAILQUEUE": path, "TCPREMOTEIP": "192.0.2.9"}
    for text, reply in (("virus", "554 your mail has a virus"),
                        ("spam", "554 mail server permanently rejected message (#5.3.0)"),
                        ("filter is down", "451 mail server temporarily rejected message (#4.3.0)")):
        is_(smtp(SMTP_MESSAGE.replace("\nx\n", f"\n{text}\n"), env).lines[4], reply)
    r = smtp(SMTP_MESSAGE.replace("\nx\n", "\nSubject: scanned\n\nx\n"), env)
    assert r.lines[4].startswith("250 ok "), r
    _, content = lab.delivered("ann", "scanned")
    assert "X-Scanner: 192.0.2.9\nReceived: from unknown (192.0.2.9)\n" in content, content


def check_set_id_scanner():
    """A scanner may have become another user on the way to the queue."""
    if not lab.confined_build():
        return  # leaks cannot be looked for behind a set-id program
    helper = directory() + "/env"
    subprocess.run(["cp", "/usr/bin/env", helper], check=True)
    os.chown(helper, 2002, 2002)
    os.chmod(helper, 0o4755)
    path = put(directory() + "/wrap", f"#!/bin/sh\nexec {helper} {BIN}/qmail-queue\n", 0o755)
    r = smtp(SMTP_MESSAGE.replace("\nx\n", "\nSubject: as bob\n\nx\n"), {"QMAILQUEUE": path})
    assert r.lines[4].startswith("250 ok "), r
    _, content = lab.delivered("ann", "as bob")
    assert "invoked from network" in content, content  # the real user id counts


def check_list_manager():
    """As ezmlm: bin/qmail-queue with pipes, a VERP sender, many recipients."""
    at = mark()
    code, _ = queue(b"Mailing-List: list@lab.test\nSubject: issue\n\nx\n",
                    b"Flist-return-7-@lab.test-@[]\0Tann@lab.test\0Tbob@lab.test\0\0", who=BOB)
    is_(code, 0)
    _, content = lab.delivered("bob", "issue")
    assert "Return-Path: <list-return-7-bob=lab.test@lab.test>\n" in content, content
    assert lab.until(lambda: "end msg" in log_since(at))
    assert "from <list-return-7-@lab.test-@[]>" in log_since(at)


def check_few_resources():
    """A caller that may have few descriptors and little address space, such as a CGI."""
    if not lab.confined_build():
        return  # instrumented programs need much
    def limits():
        resource.setrlimit(resource.RLIMIT_NOFILE, (8, 8))
        resource.setrlimit(resource.RLIMIT_AS, (16 << 20, 16 << 20))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    is_(queue(b"Subject: x\n\n" + 3000 * b"x", b"Fs@x.test\0Tann@lab.test\0\0", who=(33, 33), preexec_fn=limits)[0], 0)


def check_closed_descriptors():
    for redirection in ("<&-", ">&-", "<&- >&-", "</"):
        is_(run("/bin/sh", "-c", f"exec {BIN}/qmail-queue {redirection}").code, 54)


def check_home_is_missing():
    os.rename(HOME + "/run", HOME + "/run.away")
    try:
        is_(queue(b"", b"F\0\0")[0], 62)
        r = run("sendmail", "ann@lab.test", data="x")
        is_(r.code, 111)
        assert r.err.startswith(b"qmail-inject: fatal: unable to run qmail-queue"), r
        is_(smtp(SMTP_MESSAGE).lines[3], "451 qqt failure (#4.3.0)")
    finally:
        os.rename(HOME + "/run.away", HOME + "/run")


def check_answer_in_the_turn_of_a_sync():
    """The journal finds a finished message and its timer for syncing results in one turn; the caller is answered."""
    with open(f"/proc/{lab.mail.send.pid}/comm", encoding="ascii") as f:
        is_(f.read(), "qmail-send\n")
    journal = int(subprocess.run(["pgrep", "-x", "qmail-journal"], capture_output=True, check=True).stdout)
    m, e = os.pipe(), os.pipe()
    # A large message keeps the journal busy: stopped while it waits, it would come back for the timer alone.
    with open("/dev/zero", "rb") as zero, \
            subprocess.Popen([BIN + "/qmail-queue"], stdin=m[0], stdout=e[0], env={}) as p:
        os.close(m[0]), os.close(e[0])
        os.write(m[1], b"Subject: x\n\n")
        os.close(m[1])
        time.sleep(0.1)
        at = mark()
        is_(queue(b"Subject: other\n\n", b"Fs@x.test\0Tann@lab.test\0\0")[0], 0)
        assert lab.until(lambda: "end msg" in log_since(at))
        large = subprocess.Popen([BIN + "/qmail-queue"], stdin=zero, env={})
        time.sleep(0.1)
        os.kill(journal, signal.SIGSTOP)
        try:
            os.write(e[1], b"Fs@x.test\0\0")
            os.close(e[1])
            time.sleep(1.2)
        finally:
            large.kill()
            os.kill(journal, signal.SIGCONT)
            large.wait()
        try:
            is_(p.wait(5), 0)
        finally:
            p.kill()
