"""
Known defects of qmail in queue and delivery (contract, appendix A), each with what qmail did (see labrun.py).
docs/DEFECTS.md has them all.
"""
import os
import re
import shutil
import signal
import stat
import subprocess
import time

from labrun import HOME, equal, processes, wait

CHECKS = []
NO_MAILBOX = "Sorry,_no_mailbox_here_by_that_name._(#5.1.1)/"


def check(f):
    CHECKS.append(f)
    return f


def queue_files():
    """All but the segments of the journal, which come and go."""
    return sorted(os.path.join(d, n) for d, _, names in os.walk(HOME + "/queue") for n in names
                  if not d.endswith("/journal"))


def submit(m, envelope, uid=2001):
    r, w = os.pipe()
    child = subprocess.Popen([HOME + "/bin/qmail-queue"], stdin=subprocess.DEVNULL, stdout=r, user=uid, group=uid,
                             extra_groups=[], env={})
    os.close(r)
    os.write(w, envelope)
    os.close(w)
    return child.wait(20)


@check
def defect_13_scheduler_does_no_work_of_the_queue(m):
    """qmail-send parsed and synced each new message itself, and started fewer deliveries under load. Ours has no file open."""
    for fd in os.listdir(f"/proc/{m.send.pid}/fd"):
        target = os.readlink(f"/proc/{m.send.pid}/fd/{fd}")
        assert not target.startswith(HOME + "/queue"), target


@check
def defect_14_a_long_list_delays_nobody(m):
    """qmail started all recipients of a message before it looked at the next message."""
    m.dot("ann", "-list-default", "|sleep 0.3\n")
    mark = m.mark()
    qp = m.queue([f"ann-list-{i}@lab.test" for i in range(60)], sender=b"#@[]")
    m.wait_log("^starting delivery", mark)
    m.story(m.queue(["bob@lab.test"]), mark).expect("success", "did_1+0+0/")
    assert m.log(mark).count(" to local ann-list-") < 60
    m.story(qp, mark, 30)


@check
def defect_15_more_than_255_deliveries(m):
    """qmail's delivery numbers were bytes, and beyond 120 the limit was lowered without a word."""
    for name in ("local", "remote"):
        m.control("concurrency" + name, "300\n")
    mark = m.restart()
    m.wait_log("^status: local 0/300 remote 0/300$", mark)
    for name in ("local", "remote"):
        m.control("concurrency" + name, None)
    m.restart()


@check
def defect_16_waiting_messages_are_no_files(m):
    """qmail had a file for each in todo, intd and bounce, which are not divided into subdirectories."""
    m.dot("ann", "-many", "|exit 111\n")
    before = queue_files()
    mark = m.mark()
    for _ in range(20):
        m.queue(["ann-many@lab.test", "nobody@lab.test"], sender=b"#@[]")
    assert wait(lambda: m.log(mark).count(": deferral: ") >= 20)
    equal(queue_files(), before)
    m.dot("ann", "-many", "#\n")
    m.signal(signal.SIGALRM)
    assert wait(lambda: m.log(mark).count("\nend msg ") >= 20)


@check
def defect_18_stop_can_be_forced(m):
    """qmail waited for a delivery as long as it took."""
    m.dot("ann", "-long", "|test -f longgo || sleep 60\n")
    mark = m.mark()
    m.queue(["ann-long@lab.test"])
    m.wait_log("^starting delivery", mark)
    m.signal(signal.SIGTERM)
    time.sleep(0.3)
    assert m.send.poll() is None
    # Two that come close together may count as one.
    assert wait(lambda: m.signal(signal.SIGTERM) or m.send.poll() is not None)
    equal(m.send.wait(10), 0)
    m.put(m.home("ann") + "/longgo", "")
    mark = m.start()
    m.wait_log(r"^delivery \d+: success: did_0\+0\+1/$", mark)


@check
def defect_19_settings_are_read_again(m):
    """qmail read only locals and virtualdomains on SIGHUP; for the rest it had to be started again."""
    def slots_become(n):
        mark = m.mark()
        m.signal(signal.SIGHUP)
        assert wait(lambda: m.send_mail("ann@lab.test") and f"status: local 1/{n} " in m.log(mark))

    m.quiet()
    m.control("concurrencylocal", "7\n")
    m.control("queuelifetime", "0\n")
    m.control("bouncefrom", "hup\n")
    slots_become(7)
    m.dot("ann", "-hs", "|exit 111\n")
    m.clear_inbox("bob")
    mark = m.mark()
    m.queue(["ann-hs@lab.test"], sender=b"bob@lab.test")
    m.wait_log(r"^delivery \d+: (deferral|failure): ", mark)
    time.sleep(1.2)
    m.signal(signal.SIGALRM)
    assert b"\nFrom: hup@mail.lab.test\n" in m.find_mail("bob", b"in the queue too long.")
    # What cannot be read changes nothing.
    m.control("concurrencylocal", None)
    os.mkdir(HOME + "/control/concurrencylocal")
    mark = m.mark()
    m.signal(signal.SIGHUP)
    m.wait_log("^alert: unable to reread controls: .*control/concurrencylocal", mark)
    m.send_mail("ann@lab.test")
    m.wait_log("^status: local 1/7 ", mark)
    os.rmdir(HOME + "/control/concurrencylocal")
    for name in ("queuelifetime", "bouncefrom"):
        m.control(name, None)
    slots_become(10)


@check
def defect_20_empty_local_part(m):
    """
    qmail called it a success. So do we: an empty control/doublebounceto is the known way to be rid of double bounces.
    """
    m.control("doublebounceto", "")
    m.control("doublebouncehost", "lab.test\n")
    m.restart()
    b = m.bounce_story(m.send_mail("nobody@lab.test", sender=b""))
    equal(b.only, ("local", "@lab.test", "success", ""))
    for name in ("doublebounceto", "doublebouncehost"):
        m.control(name, None)
    m.restart()


@check
def defect_23_numbers_of_accounts(m):
    """qmail had them compiled in."""
    with open("/etc/passwd") as f:
        passwd = f.read()
    m.stop()
    with open("/etc/passwd", "w") as f:
        f.write(passwd.replace("qmails:x:7796:2107", "qmails:x:8796:2107"))
    try:
        m.start()
        equal([p[2] for p in processes("qmail-send")], [8796])
        m.send_mail("ann@lab.test").expect("success", "did_1+0+0/")
        m.stop()
    finally:
        with open("/etc/passwd", "w") as f:
            f.write(passwd)
    m.start()


@check
def defect_24_a_queue_can_be_copied(m):
    """qmail's message numbers were those of inodes: a copy of its queue was no queue."""
    m.dot("ann", "-cp", "|test -f cpgo || exit 111\n")
    s = m.try_mail("ann-cp@lab.test")
    m.stop()
    shutil.move(HOME + "/queue", HOME + "/queue.old")
    subprocess.run(["cp", "-rp", HOME + "/queue.old", HOME + "/queue"], check=True)
    shutil.rmtree(HOME + "/queue.old")
    mark = m.start()
    m.put(m.home("ann") + "/cpgo", "")
    m.signal(signal.SIGALRM)
    m.wait_log(rf"^end msg {s.number}$", mark)


@check
def defect_28_what_is_not_accepted_leaves_nothing(m):
    """qmail-queue left files behind when it exited 11, 91 and others, for 36 hours or as long as somebody read them."""
    before = queue_files()
    for envelope, code in ((b"F" + 1003 * b"x" + b"\0\0", 11), (b"X", 91), (b"Fs@x\0X", 91), (b"Fs@x\0Ta@b", 54)):
        equal((envelope[-5:], submit(m, envelope)), (envelope[-5:], code))
    equal(queue_files(), before)


@check
def defect_29_nobody_can_keep_the_scheduler_busy(m):
    """Everybody could write to qmail's lock/trigger, which makes qmail-send look through its queue."""
    for directory, _, names in os.walk(HOME + "/queue"):
        for name in names:
            st = os.lstat(f"{directory}/{name}")
            assert stat.S_ISREG(st.st_mode) and not st.st_mode & 0o022, name
    writable = [n for n in os.listdir(HOME + "/run") if os.stat(f"{HOME}/run/{n}").st_mode & 0o002]
    # Who hands in mail, and who asks for a name.
    equal(sorted(writable), ["journal", "resolve"])


@check
def defect_30_envelopes_are_bounded(m):
    """qmail-queue took any number of recipients, and qmail-send had to hold them."""
    r, w = os.pipe()
    child = subprocess.Popen([HOME + "/bin/qmail-queue"], stdin=subprocess.DEVNULL, stdout=r, env={})
    os.close(r)
    recipient = b"T" + b"x" * 900 + b"@lab.test\0"
    try:
        with os.fdopen(w, "wb") as f:
            f.write(b"Fs@x.test\0")
            for _ in range(60000):
                f.write(recipient)
            f.write(b"\0")
    except BrokenPipeError:
        pass
    assert child.wait(60) != 0
    m.send_mail("ann@lab.test").expect("success", "did_1+0+0/")


@check
def defect_44_names_in_maildirs(m):
    """qmail's were TIME.PID.HOST: the same for two messages of one process number in a second, and with any byte in HOST."""
    m.clear_inbox("bob")
    for _ in range(5):
        m.send_mail("bob@lab.test")
    names = os.listdir(m.home("bob") + "/Maildir/new")
    equal(len(names), 5)
    for name in names:
        assert re.fullmatch(r"\d+\.[^./:]*[^\d./:][^./:]*\.[^/:]+", name), name


@check
def defect_57_an_accidental_name(m):
    """qmail took .qmaildefault for the user's own address when there was no .qmail."""
    m.dot("cyd", "default", "|echo accident\n")
    m.send_mail("cyd@lab.test").expect("success", "did_1+0+0/")
    os.unlink(m.home("cyd") + "/.qmaildefault")
