"""Checks of qmail-start, the processes, loggers and what can go wrong at a start (see labrun.py)."""
import os
import re
import shutil
import signal
import stat
import subprocess
import time

from labrun import HOME, equal, lab, processes, wait

CHECKS = []
DAEMONS = {"qmail-send": (7796, 2107), "qmail-lspawn": (0, 2107), "qmail-rspawn": (7795, 2107),
           "qmail-journal": (7794, 2107), "qmail-resolve": (7793, 2108)}


def check(f):
    CHECKS.append(f)
    return f


@check
def process_tree(m):
    equal([p[0] for p in processes("qmail-send")], [m.send.pid])
    for name, (uid, gid) in DAEMONS.items():
        assert wait(lambda: processes(name)), name
        found = processes(name)
        equal([(p[2], p[3], p[4]) for p in found], [(uid, gid, [gid])])
    watch = processes("qmail-start")
    equal([p[1] for p in watch], [m.send.pid])
    for name in DAEMONS:
        if name != "qmail-send":
            equal(processes(name)[0][1], watch[0][0])


@check
def add_ons_find_qmail_send(m):
    """vpopmail looks for a process whose ps line contains qmail-send and sends it a HUP."""
    r = subprocess.run(["ps", "-axo", "pid,args"], capture_output=True, text=True, check=True)
    found = [line.split()[0] for line in r.stdout.splitlines()
             if "qmail-send" in line and not re.search("supervise|multilog|runsv|svscan|ps -axo", line)]
    equal(found, [str(m.send.pid)])
    r = subprocess.run(["ps", "-axo", "args"], capture_output=True, text=True, check=True)
    assert any(re.fullmatch(r"(\S*/)?qmail-lspawn \./Maildir/", line) for line in r.stdout.splitlines()), r.stdout


@check
def hup_to_every_process_is_harmless(m):
    for name in list(DAEMONS) + ["qmail-start"]:
        for p in processes(name):
            os.kill(p[0], signal.SIGHUP if name == "qmail-send" else signal.SIGALRM if name == "qmail-start" else 0)
    time.sleep(0.1)
    m.send_mail("ann@lab.test").expect("success", "did_1+0+0/")


@check
def owners_of_queue_and_run(m):
    for path, uid, modes in (("queue", 7794, (0o750, 0o700)), ("queue/journal", 7794, (0o700,)), ("run", 0, (0o755,))):
        st = os.stat(f"{HOME}/{path}")
        equal((path, st.st_uid, st.st_gid), (path, uid, 2107))
        assert stat.S_IMODE(st.st_mode) in modes, (path, oct(st.st_mode))


@check
def logger(m):
    m.put(m.dir + "/logger", f"#!/bin/sh\necho args:$1:$2: >{m.dir}/logged/a\nid -u >>{m.dir}/logged/a\n"
          f"id -g >>{m.dir}/logged/a\nls /proc/$$/fd >{m.dir}/logged/fds\nexec cat >{m.dir}/logged/log\n", 0o755)
    os.mkdir(m.dir + "/logged")
    os.chown(m.dir + "/logged", 7792, 2108)
    m.stop()
    send = subprocess.Popen([HOME + "/bin/qmail-start", "./Maildir/", m.dir + "/logger", "t", "./main dir"], cwd="/",
                            env=m.start_environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL)
    try:
        assert wait(lambda: "status: local" in read(m.dir + "/logged/log"))
        equal(read(m.dir + "/logged/a"), "args:t:./main dir:\n7792\n2108\n")
        m.queue(["ann@lab.test"])
        assert wait(lambda: "end msg" in read(m.dir + "/logged/log"))
        # The shell has its own from 10 on.
        equal([n for n in re.findall(r"\d+", read(m.dir + "/logged/fds")) if int(n) < 10], ["0", "1", "2"])
    finally:
        send.terminate()
        equal(send.wait(10), 0)
    log = read(m.dir + "/logged/log")
    assert wait(lambda: not processes("cat")), "the logger outlives its pipe"
    assert read(m.dir + "/logged/log").endswith("status: exiting\n"), log
    equal(send.stdout.read(), b"")
    m.start()


def read(path):
    try:
        with open(path) as f:
            return f.read()
    except FileNotFoundError:
        return ""


@check
def splogger(m):
    """qmail-start ./Maildir/ splogger qmail, found in PATH; without syslog mail goes on."""
    m.stop()
    send = subprocess.Popen([HOME + "/bin/qmail-start", "./Maildir/", "splogger", "qmail"], cwd="/",
                            env=m.start_environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)
    m.clear_inbox("ann")
    assert wait(lambda: processes("splogger"))
    equal([(p[2], p[3]) for p in processes("splogger")], [(7792, 2108)])
    m.queue(["ann@lab.test"])
    assert wait(lambda: m.inbox("ann"))
    send.terminate()
    equal(send.wait(10), 0)
    assert wait(lambda: not processes("splogger"))
    m.start()


def start_with_logger(m, *logger):
    m.stop()
    m.clear_inbox("ann")
    return subprocess.Popen([HOME + "/bin/qmail-start", "./Maildir/", *logger], cwd="/", env=m.start_environment,
                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def mail_flows(m):
    before = len(m.inbox("ann"))

    def accepted():
        try:
            return m.queue(["ann@lab.test"])
        except (AssertionError, BrokenPipeError):
            return None
    assert wait(accepted)
    assert wait(lambda: len(m.inbox("ann")) > before), "no delivery"


@check
def logger_that_does_not_exist(m):
    send = start_with_logger(m, "no-such-logger")
    try:
        mail_flows(m)
    finally:
        send.terminate()
        equal(send.wait(10), 0)
        m.start()


@check
def logger_that_dies(m):
    send = start_with_logger(m, "cat")
    try:
        mail_flows(m)
        for p in processes("cat"):
            os.kill(p[0], signal.SIGKILL)
        mail_flows(m)
        mail_flows(m)
    finally:
        send.terminate()
        equal(send.wait(10), 0)
        m.start()


@check
def closed_descriptors(m):
    """Started by something that closes everything but the log."""
    m.stop()
    m.clear_inbox("ann")
    mark = m.mark()
    send = subprocess.Popen(["/bin/sh", "-c", f"exec {HOME}/bin/qmail-start ./Maildir/ 0<&- 2>&- 5>>{m.log_path} >>"
                             f"{m.log_path}"], env=m.start_environment, cwd="/")
    m.wait_log("^status: ", mark)
    m.queue(["ann@lab.test"])
    assert wait(lambda: m.inbox("ann"))
    send.terminate()
    equal(send.wait(10), 0)
    m.start()


@check
def second_start(m):
    r = subprocess.run([HOME + "/bin/qmail-start", "./Maildir/"], env=m.start_environment, capture_output=True, text=True,
                       timeout=20, check=False)
    equal(r.returncode, 111)
    equal((r.stdout + r.stderr).count("\n"), 1)
    assert r.stdout.startswith("alert: cannot start: qmail-send is already running"), r
    # Its log is descriptor 0.
    log = open(m.dir + "/second.log", "w+", encoding="ascii")
    equal(subprocess.run([HOME + "/bin/qmail-send"], stdin=log, env=m.start_environment, timeout=20, check=False).returncode,
          111)
    log.seek(0)
    equal(log.read(), "alert: cannot start: qmail-send is already running\n")
    m.send_mail("ann@lab.test").expect("success", "did_1+0+0/")


def failing_start(m, what, pattern):
    m.stop()
    what()
    r = subprocess.run([HOME + "/bin/qmail-start", "./Maildir/"], env=m.start_environment, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True, timeout=20, check=False)
    equal(r.returncode, 111)
    r = r.stdout
    assert re.search(pattern, r, re.M), r
    assert wait(lambda: not processes("qmail-journal") and not processes("qmail-lspawn")), "half a start"


@check
def me_and_locals_missing(m):
    def away():
        for name in ("me", "locals"):
            os.rename(f"{HOME}/control/{name}", f"{HOME}/control/{name}.away")
    failing_start(m, away, r"^alert: cannot start: unable to read controls")
    # With locals, but no name: local mail goes on.
    os.rename(HOME + "/control/locals.away", HOME + "/control/locals")
    try:
        m.start()
        m.send_mail("ann@lab.test").expect("success", "did_1+0+0/")
        m.clear_inbox("bob")
        m.bounce_story(m.send_mail("nobody@lab.test", sender=b"bob@lab.test"))
        assert b"\nFrom: MAILER-DAEMON@bouncehost\n" in m.inbox("bob")[0]
        m.try_mail("x@far.test").expect("deferral", "Unable_to_read_control_files._(#4.3.0)/")
    finally:
        os.rename(HOME + "/control/me.away", HOME + "/control/me")
    m.control("smtproutes", ":127.0.0.1:1\n")
    m.try_mail("x@far.test").expect("deferral", "Sorry,_I_wasn't_able_to_establish_an_SMTP_connection._(#4.4.1)/"
                                    "Tried_127.0.0.1:_connection_refused./")
    m.control("smtproutes", None)
    m.restart()


@check
def unreadable_control_file(m):
    m.put(HOME + "/control/virtualdomains", "x:y\n", 0)
    failing_start(m, lambda: None, r"^alert: cannot start: unable to read controls.*virtualdomains")
    os.unlink(HOME + "/control/virtualdomains")
    m.start()


@check
def queue_of_another(m):
    failing_start(m, lambda: os.chown(HOME + "/queue", 2001, 2001), r"queue")
    os.chown(HOME + "/queue", 7794, 2107)
    m.start()
    failing_start(m, lambda: os.chown(HOME + "/queue/journal", 0, 0), r"queue/journal")
    os.chown(HOME + "/queue/journal", 7794, 2107)
    m.start()
    m.send_mail("ann@lab.test").expect("success", "did_1+0+0/")


@check
def missing_account(m):
    with open("/etc/passwd") as f:
        passwd = f.read()

    def away(name):
        # The file is a mount of its own: written in place.
        with open("/etc/passwd", "w") as f:
            f.write("".join(line for line in passwd.splitlines(True) if not line.startswith(name + ":")))
    for name in ("qmails", "qmailr", "alias"):
        failing_start(m, lambda: away(name), rf"unable to find user {name}")
        with open("/etc/passwd", "w") as f:
            f.write(passwd)
        m.start()


@check
def queue_is_made(m):
    m.stop()
    shutil.rmtree(HOME + "/queue")
    shutil.rmtree(HOME + "/run")
    m.start()
    m.send_mail("ann@lab.test").expect("success", "did_1+0+0/")
    owners_of_queue_and_run(m)


@check
def root_can_queue_mail_while_the_system_is_down(m):
    before = len(m.inbox("ann"))
    m.stop()
    # The watching process holds the sockets to its end.
    assert wait(lambda: not processes("qmail-journal") and not processes("qmail-start"))
    r = subprocess.run([HOME + "/bin/sendmail", "ann@lab.test"], input=b"Subject: later\n\nx\n", capture_output=True,
                       check=False)
    equal((r.returncode, r.stderr), (0, b""))
    for name in ("journal", "lock/sendmutex"):
        equal(os.stat(f"{HOME}/queue/{name}").st_uid, DAEMONS["qmail-journal"][0])
    m.start()
    assert wait(lambda: len(m.inbox("ann")) > before), "no delivery"


@check
def alias_account_goes_while_running(m):
    with open("/etc/passwd") as f:
        passwd = f.read()
    with open("/etc/passwd", "w") as f:
        f.write("".join(line for line in passwd.splitlines(True) if not line.startswith("alias:")))
    try:
        m.try_mail("whoever-else@lab.test").expect("deferral", "Unable_to_find_alias_user!/")
    finally:
        with open("/etc/passwd", "w") as f:
            f.write(passwd)


@check
def new_accounts_get_mail_at_once(m):
    m.send_mail("newcomer@lab.test", sender=b"#@[]").expect(
        "failure", "Sorry,_no_mailbox_here_by_that_name._(#5.1.1)/")
    os.mkdir(m.dir + "/newcomer")
    os.chown(m.dir + "/newcomer", 2050, 2050)
    m.put(m.dir + "/newcomer/.qmail", "|id -u\n")
    with open("/etc/passwd", "a") as f:
        f.write(f"newcomer:x:2050:2050::{m.dir}/newcomer:/bin/sh\n")
    m.send_mail("newcomer@lab.test").expect("success", "2050/did_0+0+1/")


@check
def missing_directory_of_alias(m):
    os.rename(HOME + "/alias", HOME + "/alias.away")
    m.try_mail("whoever@lab.test").expect("deferral", f"Unable_to_switch_to_{HOME}/alias:_file_does_not_exist._(#4.3.0)/")
    os.rename(HOME + "/alias.away", HOME + "/alias")


# ---- kill -9 -----------------------------------------------------------------------------------

def kill_and_deliver(m, name):
    m.clear_inbox("ann")
    # One that has just started and dies is not started again at once.
    time.sleep(2.1)
    for p in processes(name):
        if p[2] == DAEMONS[name][0]:
            os.kill(p[0], signal.SIGKILL)

    def accepted():
        try:
            return m.queue(["ann@lab.test"], b"Subject: after the kill\n\n")
        except (AssertionError, BrokenPipeError):
            return None
    assert wait(accepted)
    assert wait(lambda: m.inbox("ann"), 20), m.log()[-1500:]
    assert wait(lambda: processes(name))


@check
def kill_lspawn(m):
    kill_and_deliver(m, "qmail-lspawn")


@check
def kill_rspawn(m):
    kill_and_deliver(m, "qmail-rspawn")


@check
def kill_journal(m):
    kill_and_deliver(m, "qmail-journal")


@check
def kill_resolve(m):
    kill_and_deliver(m, "qmail-resolve")


@check
def kill_lspawn_during_a_delivery(m):
    m.restart()
    time.sleep(2.1)
    m.dot("ann", "-kl", "|test -f klgo && exit 0; sleep 5; exit 0\n")
    mark = m.mark()
    qp = m.queue(["ann-kl@lab.test"])
    m.wait_log("^starting delivery", mark)
    for p in processes("qmail-lspawn"):
        if p[2] == 0:
            os.kill(p[0], signal.SIGKILL)
    m.wait_log(r"^delivery \d+: deferral: ", mark)
    m.put(m.home("ann") + "/klgo", "")
    m.wait_log("connected to qmail-lspawn again", mark)
    m.signal(signal.SIGALRM)
    equal(m.story(qp, mark).deliveries[-1][2], "success")


@check
def kill_send(m):
    """The pid that a supervisor sees is gone: everything ends, and the next start finds the mail."""
    m.dot("ann", "-ks", "|test -f ksgo || { sleep 3; exit 111; }\n")
    mark = m.mark()
    m.queue(["ann-ks@lab.test"])
    m.wait_log("^starting delivery", mark)
    m.send.kill()
    m.send.wait()
    m.put(m.home("ann") + "/ksgo", "")
    assert wait(lambda: not processes("qmail-journal"), 10), "qmail-journal outlives qmail-send"
    mark = m.start()
    m.signal(signal.SIGALRM)
    m.wait_log(r"^delivery \d+: success: did_0\+0\+1/$", mark)


@check
def kill_watching_process(m):
    for p in processes("qmail-start"):
        os.kill(p[0], signal.SIGKILL)
    m.send.wait(10)
    # Deliveries that are under way may end.
    assert wait(lambda: not any(processes(n) for n in DAEMONS), 70), [n for n in DAEMONS if processes(n)]
    m.start()
    m.send_mail("ann@lab.test").expect("success", "did_1+0+0/")


@check
def users_cannot_reach_what_is_not_theirs(m):
    for path in ("queue", "queue/journal", "run/queue", "run/lspawn", "run/rspawn"):
        r = subprocess.run(["/usr/bin/python3", "-c", "import os, sys; sys.exit(os.access(sys.argv[1], os.W_OK))",
                            f"{HOME}/{path}"], user=2001, group=2001, extra_groups=[], env=lab.CLEAN, check=False)
        equal((path, r.returncode), (path, 0))
