"""control/rcptcheck: recipients that do not exist are refused at RCPT; and the service in qmail-lspawn behind it."""
import ctypes
import os
import random
import socket
import struct
import subprocess
import time

import pytest

from quilltest import BIN, Instance
from quilltest.lspawn import Lspawn
from quilltest.net import wait_until

ABSENT = (550, b"sorry, no mailbox here by that name. (#5.1.1)")
EXISTS, MAY_EXIST, NONE, UNKNOWN = 1, 2, 3, 4
JOE, ANN = 20811, 20812
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="needs root to become other users")

# ---- as SMTP clients see it ---------------------------------------------------------------


@pytest.fixture(name="site")
def instance():
    with Instance(control={"rcptcheck": "1", "rcpthosts": "a.test\nv.test\nfar.test", "locals": "a.test",
                           "percenthack": "a.test", "virtualdomains": "v.test:joe-v", "envnoathost": "a.test"}) as i:
        i.add_user("joe", list="&ann@a.test\n", v_known="./Maildir/\n", prog_default="|exit 100\n")
        i.add_user("ann")
        yield i.start()


def rcpt(site, *addresses, sender="s@client.test"):
    with site.smtp() as c:
        c.ehlo()
        c.mail(sender)
        return [c.docmd(f"RCPT TO:{a}") for a in addresses]


def refused(site, *addresses):
    return [code == 550 for code, _ in rcpt(site, *addresses)]


def test_absent_mailboxes_are_refused(site):
    replies = rcpt(site, "<joe@a.test>", "<nobody@a.test>", "<JOE-List@A.test>", "<joe-other@a.test>")
    assert replies == [(250, b"ok"), ABSENT, (250, b"ok"), ABSENT]
    site.wait_log("refused to <nobody@a.test> from <s@client.test>")


def test_others_get_the_message_and_nobody_a_bounce(site):
    assert site.send("s@a.test", ["joe@a.test", "nobody@a.test", "ann@a.test"], b"Subject: x\n\nbody\n") == \
        {"nobody@a.test": ABSENT}
    site.wait_delivered("joe")
    site.wait_delivered("ann")
    site.wait_empty()
    assert "bounce msg" not in site.log()


def test_a_program_decides_later(site):
    assert refused(site, "<joe-prog-any@a.test>") == [False]


def test_every_spelling_is_the_address_that_is_delivered(site):
    absent = ["<nobody>", "<nobody%a.test@a.test>", "<@relay.test:nobody@a.test>", '<"nobody"@a.test>', "<NoBody@A.TEST>",
              '<"no\\body"@a.test>', "<unknown@v.test>", "<joe-v-unknown@a.test>", "<joe%v.test@a.test>", "nobody@a.test"]
    there = [a.replace('no\\body', 'j\\oe').replace("nobody", "joe").replace("NoBody", "Joe").replace("unknown", "known")
             .replace("joe%v.test", "known%v.test") for a in absent]
    assert refused(site, *absent) == [True] * len(absent)
    assert refused(site, *there) == [False] * len(there)


def test_remote_recipients_are_nobodys_business(site):
    assert refused(site, "<nobody@far.test>", "<nobody%far.test@a.test>") == [False, False]


def test_reserved_forms_are_accepted_as_delivery_does(site):
    """An empty local part is delivered to nobody, silently, by qmail-lspawn."""
    assert refused(site, "<@a.test>") == [False]
    site.write("alias/.qmail-postmaster", "&joe@a.test\n")
    assert refused(site, "<postmaster>", "<postmaster@a.test>", "<abuse@a.test>") == [False, False, True]


def test_bounces_to_absent_mailboxes_are_refused_too(site):
    assert rcpt(site, "<nobody@a.test>", sender="<>") == [ABSENT]


def test_guessing_ends_the_session(site):
    site.control(maxsmtperrors="5")
    time.sleep(1.5)
    with site.smtp() as c:
        c.ehlo()
        c.mail("s@client.test")
        codes = []
        for i in range(10):
            try:
                codes.append(c.docmd(f"RCPT TO:<guess{i}@a.test>")[0])
            except Exception:  # pylint: disable=broad-exception-caught  # smtplib has several for a closed connection
                break
    assert len(codes) < 8 and set(codes) <= {550, 421, -1}


def test_it_is_off_by_default_and_counts_at_once(site):
    for text in (None, "0"):
        site.control(rcptcheck=text)
        wait_until(lambda: refused(site, "<nobody@a.test>") == [False], 5, "the check to be off")
        site.control(rcptcheck="1")
        wait_until(lambda: refused(site, "<nobody@a.test>") == [True], 5, "the check to be on")


def test_new_addresses_exist_within_seconds(site):
    assert refused(site, "<joe-new@a.test>") == [True]
    site.add_user("joe", new="")
    wait_until(lambda: refused(site, "<joe-new@a.test>") == [False], 4, "joe-new to exist")


def test_nobody_is_refused_while_lspawn_is_down(site):
    assert refused(site, "<nobody@a.test>") == [True]
    site.signal("qmail-lspawn", 19)  # SIGSTOP
    begun = time.monotonic()
    assert refused(site, "<nobody@a.test>", "<nobody2@a.test>", "<nobody3@a.test>") == [False] * 3
    assert 3 < time.monotonic() - begun < 8  # one wait, not three
    site.signal("qmail-lspawn", 18)
    site.wait_log("qmail-lspawn does not say whether recipients exist")
    wait_until(lambda: refused(site, "<nobody@a.test>") == [True], 5, "answers again")
    site.signal("qmail-lspawn", 9)
    wait_until(lambda: refused(site, "<nobody@a.test>") == [True], 15, "answers of a new process")


def test_session_goes_on_when_lspawn_is_started_again(site):
    with site.smtp() as c:
        c.ehlo()
        c.mail("s@client.test")
        assert c.docmd("RCPT TO:<nobody@a.test>") == ABSENT
        old = site.pid_of("qmail-lspawn")
        site.signal("qmail-lspawn", 9)
        wait_until(lambda: any(n == "qmail-lspawn" and p != old for p, n in site.leftovers().items()), 10, "a new one")
        assert c.docmd("RCPT TO:<nobody@a.test>") == ABSENT
        assert c.docmd("RCPT TO:<joe@a.test>") == (250, b"ok")


@pytest.mark.parametrize("relay,want", [(None, ["250", "550", "553"]), ("", ["250", "550", "250"]),
                                        ("@v.test", ["550", "550", "550"])])
def test_single_sessions(site, relay, want):
    """As under tcpserver, with and without RELAYCLIENT; its value is part of the address."""
    environment = {"TCPREMOTEIP": "192.0.2.1", "TCPREMOTEHOST": "client.test"}
    if relay is not None:
        environment["RELAYCLIENT"] = relay
    script = b"HELO x\r\nMAIL FROM:<>\r\n" + b"".join(
        b"RCPT TO:<%s>\r\n" % a for a in (b"joe@a.test", b"nobody@a.test", b"x@other.test")) + b"QUIT\r\n"
    out = site.run(f"{BIN}/qmail-smtpd", input=script, environment=environment).stdout.decode().split("\r\n")
    assert [line[:3] for line in out[3:6]] == want


def test_socket_is_private(site):
    st = os.stat(f"{site.home}/run/recipient")
    assert st.st_mode & 0o777 == 0o600 and st.st_uid == site.uid


# ---- the service ---------------------------------------------------------------------------


@pytest.fixture(name="lspawn")
def running_lspawn():
    with Lspawn() as l:
        l.add_user("joe", JOE)
        l.add_user("ann", ANN)
        yield l.start()


def connect(lspawn):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.settimeout(15)
    s.connect(f"{lspawn.home}/run/recipient")
    return s


def question(address, number=1):
    return struct.pack("<BII", 1, number, len(address)) + address


def answer(packet, number=1):
    kind, got, what, _room = struct.unpack("<BIBQ", packet)
    assert kind == 2 and got == number
    return what


def ask(lspawn, address):
    with connect(lspawn) as s:
        s.send(question(address.encode() if isinstance(address, str) else address))
        return answer(s.recv(4096))


def test_answers(lspawn):
    lspawn.dotqmail("joe", "|exit 0\n", "-prog")
    lspawn.dotqmail("joe", "./Maildir/\n", "-box")
    lspawn.dotqmail("joe", "./Maildir/\n", "-open", mode=0o666)
    lspawn.dotqmail("joe", "\n", "-blank")
    os.mkfifo(lspawn.users["joe"][1] + "/.qmail-fifo")
    for address, want in (("joe@a.test", EXISTS), ("JOE@x", EXISTS), ("joe-prog@a.test", MAY_EXIST),
                          ("joe-BOX@a.test", EXISTS), ("joe-open@a.test", UNKNOWN), ("joe-blank@a.test", UNKNOWN),
                          ("joe-fifo@a.test", NONE), ("joe-none@a.test", NONE), ("@a.test", EXISTS),
                          ("joe", NONE), (b"joe\0@a.test", NONE), (b"", NONE), ("joe-../../../etc/passwd@a.test", NONE)):
        assert ask(lspawn, address) == want, address


def test_the_same_answer_as_a_delivery(lspawn):
    """K for what exists, D for what does not, Z for what is not known."""
    lspawn.dotqmail("joe", "./Maildir/\n", "-a-default")
    lspawn.dotqmail("joe", "", "-b")
    lspawn.dotqmail("joe", "#\n", "-c")
    lspawn.dotqmail("joe", "./Maildir/\n", "-x", mode=0o755)
    lspawn.dotqmail("joe", "./Maildir/\0\n", "-nul")
    for local in ("joe", "joe-a", "joe-a-", "joe-a-1", "joe-a-1-2", "joe-b", "joe-b-", "joe-c", "joe-x", "joe-nul", "joe-",
                  "joe-default", "joe-a-default", "ann", "ann-x", "Ann-"):
        want = {"K": EXISTS, "D": NONE, "Z": UNKNOWN}[lspawn.deliver(local + "@a.test")[0]]
        assert ask(lspawn, local + "@a.test") == want, local


def test_nothing_is_run_or_written(lspawn):
    home = lspawn.users["joe"][1]
    lspawn.dotqmail("joe", "|touch ran\n./made/\n./mbox\n&x@y.test\n")
    before = sorted(os.listdir(home))
    assert ask(lspawn, "joe@a.test") == MAY_EXIST
    assert sorted(os.listdir(home)) == before


@needs_root
def test_links_tell_nothing_that_the_user_could_not_see(lspawn):
    """A search as root would tell joe which files exist where he may not look."""
    uid, home = lspawn.users["joe"]
    secret = lspawn.dir + "/secret"
    os.mkdir(secret, 0o700)
    with open(secret + "/there", "w", encoding="ascii") as f:
        f.write("./Maildir/\n")
    for ext, target in (("1", "there"), ("2", "missing"), ("3", "there/below")):
        os.symlink(f"{secret}/{target}", f"{home}/.qmail-{ext}")
        os.lchown(f"{home}/.qmail-{ext}", uid, uid)
    assert [ask(lspawn, f"joe-{i}@a.test") for i in (1, 2, 3)] == [UNKNOWN] * 3


@needs_root
def test_files_and_homes_that_cannot_be_read(lspawn):
    lspawn.dotqmail("joe", "./Maildir/\n", "-locked", mode=0)
    assert ask(lspawn, "joe-locked@a.test") == UNKNOWN
    os.chmod(lspawn.users["joe"][1], 0)
    assert ask(lspawn, "joe-other@a.test") == UNKNOWN
    os.chmod(lspawn.users["joe"][1], 0o702)
    assert ask(lspawn, "joe-third@a.test") == UNKNOWN
    os.rename(lspawn.users["ann"][1], lspawn.users["ann"][1] + ".away")
    assert ask(lspawn, "ann@a.test") == UNKNOWN


@needs_root
def test_not_as_root(lspawn):
    lspawn.write_users("=boss:root:0:0:/root:::\n")
    assert ask(lspawn, "boss@a.test") == UNKNOWN


def test_damaged_database_is_not_known(lspawn):
    with open(f"{lspawn.home}/users/cdb", "wb") as f:
        f.write(b"\xff" * 3000)
    assert ask(lspawn, "joe@a.test") == UNKNOWN


def test_answers_are_remembered_and_forgotten(lspawn):
    assert ask(lspawn, "joe-late@a.test") == NONE
    lspawn.dotqmail("joe", "", "-late")
    assert ask(lspawn, "joe-late@a.test") == NONE
    time.sleep(2.1)
    assert ask(lspawn, "joe-late@a.test") == EXISTS
    os.unlink(lspawn.users["joe"][1] + "/.qmail-late")
    assert ask(lspawn, "joe-LATE@A.test") == EXISTS


def test_connections_are_used_again(lspawn):
    with connect(lspawn) as s:
        for i in range(100):
            s.send(question(b"joe-%d@a.test" % (i % 3), i))
            assert answer(s.recv(4096), i) == NONE


def test_questions_before_the_answer_wait(lspawn):
    with connect(lspawn) as s:
        for i in range(20):
            s.send(question(b"joe-q%d@a.test" % i, i))
        assert [answer(s.recv(4096), i) for i in range(20)] == [NONE] * 20


def test_more_connections_than_places(lspawn):
    """The longest idle ones give way; whoever asks is answered."""
    connections = [connect(lspawn) for _ in range(600)]
    for i, s in enumerate(connections[-200:]):
        s.send(question(b"joe-m%d@a.test" % (i % 40)))
    assert [answer(s.recv(4096)) for s in connections[-200:]] == [NONE] * 200
    assert connections[0].recv(10) == b""
    for s in connections:
        s.close()
    assert ask(lspawn, "joe@a.test") == EXISTS


def test_nonsense_ends_its_connection_only(lspawn):
    rng = random.Random(20251121)
    with connect(lspawn) as good:
        for i in range(300):
            with connect(lspawn) as s:
                packet = rng.randbytes(rng.choice((1, 5, 9, 20, 4000)))
                if i % 3 == 0:
                    packet = question(b"a" * rng.randrange(50))[:-1]
                s.send(packet)
                assert s.recv(4096) == b""
        with connect(lspawn) as s:
            s.send(b"\1" * 100000)  # larger than any packet
            assert s.recv(4096) == b""
        with connect(lspawn) as s, open("/dev/null", "rb") as null:
            for _ in range(50):
                socket.send_fds(s, [question(b"joe@a.test")], [null.fileno()] * 5)
                assert answer(s.recv(4096)) == EXISTS
        good.send(question(b"joe@a.test"))
        assert answer(good.recv(4096)) == EXISTS
    fds = os.listdir(f"/proc/{lspawn.process.pid}/fd")
    assert len(fds) < 20, fds


def test_who_leaves_before_the_answer(lspawn):
    for i in range(100):
        with connect(lspawn) as s:
            s.send(question(b"joe-gone%d@a.test" % i))
    assert ask(lspawn, "joe@a.test") == EXISTS
    children = subprocess.run(["ps", "--no-headers", "--ppid", str(lspawn.process.pid)], capture_output=True, check=False)
    wait_until(lambda: len(children.stdout.splitlines()) <= 16, 5, "few children")


@needs_root
def test_others_may_not_ask(lspawn):
    """Also where the socket's mode would let them: the kernel says who it is."""
    code = ("import socket,sys; s=socket.socket(socket.AF_UNIX,socket.SOCK_SEQPACKET); s.connect(sys.argv[1]);"
            "s.send(bytes.fromhex(sys.argv[2])); print(len(s.recv(100)))")
    r = subprocess.run(["/usr/bin/python3", "-c", code, f"{lspawn.home}/run/recipient", question(b"joe@a.test").hex()],
                       user=JOE, group=JOE, extra_groups=[], capture_output=True, text=True, timeout=20, check=False)
    assert r.stdout != "6\n"
    wait_until(lambda: f"refused a question from uid {JOE}" in lspawn.log_text(), 5, "a warning")


def block_opens(directory):
    """From now on opening a file in directory waits; closing the result ends that. None: the kernel cannot."""
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.fanotify_init(0x4 | 0x1, os.O_RDONLY)
    if fd < 0:
        return None
    libc.fanotify_mark.argtypes = [ctypes.c_int, ctypes.c_uint, ctypes.c_uint64, ctypes.c_int, ctypes.c_char_p]
    if libc.fanotify_mark(fd, 1, 0x10000 | 0x08000000, -100, directory.encode()) < 0:
        os.close(fd)
        return None
    return fd


@needs_root
def test_searches_that_hang_are_given_up(lspawn):
    """As with a home on a file server that does not answer."""
    lspawn.dotqmail("joe", "./Maildir/\n", "-default")
    gate = block_opens(lspawn.users["joe"][1])
    if gate is None:
        pytest.skip("this kernel has no fanotify permissions")
    try:
        begun = time.monotonic()
        waiting = [connect(lspawn) for _ in range(40)]
        for i, s in enumerate(waiting):
            s.send(question(b"joe-h%d@a.test" % (i // 2)))
        assert [answer(s.recv(4096)) for s in waiting] == [UNKNOWN] * 40
        assert 1.5 < time.monotonic() - begun < 5
        for s in waiting:
            s.close()
        # It is known for a while that this is not known.
        begun = time.monotonic()
        assert ask(lspawn, "joe-h0@a.test") == UNKNOWN
        assert time.monotonic() - begun < 1
        wait_until(lambda: ask(lspawn, "ann@a.test") == EXISTS, 5, "an answer for somebody else")
    finally:
        os.close(gate)
    time.sleep(2.1)
    assert ask(lspawn, "joe-h0@a.test") == EXISTS


def test_known_answers_cost_little(lspawn):
    """Also on a machine that is busy with other tests: well below the time of a process."""
    with connect(lspawn) as s:
        packet, best = question(b"joe@a.test"), 1.0
        for _ in range(20):
            begun = time.monotonic()
            for _ in range(100):
                s.send(packet)
                s.recv(4096)
            best = min(best, (time.monotonic() - begun) / 100)
    assert best < 300e-6, f"{best * 1e6:.0f} microseconds"
