"""POP3: qmail-popup and qmail-pop3d, byte for byte, and with real clients."""
import hashlib
import os
import poplib
import re
import shutil
import socket
import ssl
import subprocess
import time

import pytest

from quilltest import Instance, program
from quilltest.certificate import Authority
from quilltest.net import free_port, wait_until
from quilltest.pop import Listener, Session, put
from test_sandbox import instrumented

ANN, PASSWORD = "ann@a.test", "open sesame"


@pytest.fixture(name="site", scope="module")
def private_home():
    with Instance() as i:
        i.run(program("quill"), "user", "add", ANN, "--apop", input=PASSWORD.encode() + b"\n")
        i.run(program("checkpassword-mailbox"), "true", check=False, preexec_fn=lambda: None, stdin=subprocess.DEVNULL)
        yield i


@pytest.fixture(name="maildir")
def fresh_maildir(site):
    path = site.home + "/mailboxes/a.test/ann/Maildir"
    for d in ("new", "cur", "tmp"):
        site.run("rm", "-rf", f"{path}/{d}")
        site.run("mkdir", "-p", "-m", "700", f"{path}/{d}")
    for name in ("mailboxes/a.test", "mailboxes/a.test/ann"):
        os.chmod(f"{site.home}/{name}", 0o700)
    return path


def pop3d(site, maildir):
    return Session(site, program("qmail-pop3d"), "Maildir", cwd=os.path.dirname(maildir))


def popup(site, *options, checker=("checkpassword-mailbox",), environment=None):
    return Session(site, program("qmail-popup"), *options, "pop.host", *checker, program("qmail-pop3d"), "Maildir",
                   environment=environment)


# ---- after the login -------------------------------------------------------------------------


def test_every_command_as_the_contract_has_it(site, maildir):
    put(site, maildir, "new/1.one.h", b"Subject: a\n\nx\n", 20)  # 13 bytes in the original's count
    put(site, maildir, "cur/2.two.h:2,S", b"Subject: b\n\n.\nlast line", 10)
    with pop3d(site, maildir) as s:
        assert s.line() == b"+OK \r\n"
        # CR LF line ends and what is added to an unfinished line count: exactly what RETR sends.
        assert s.ask("STAT") == b"+OK 2 45\r\n"
        assert s.ask("LIST 2") == b"+OK 2 28\r\n"
        assert s.lines("LIST") == (b"+OK \r\n", b"1 17\r\n2 28\r\n.\r\n")
        assert s.lines("uidl") == (b"+OK \r\n", b"1 1.one.h\r\n2 2.two.h\r\n.\r\n")
        assert s.ask("UIDL 1") == b"+OK 1 1.one.h\r\n"
        # No empty line of its own behind the message.
        assert s.lines("RETR 1") == (b"+OK \r\n", b"Subject: a\r\n\r\nx\r\n.\r\n")
        assert s.lines("RETR 2") == (b"+OK \r\n", b"Subject: b\r\n\r\n..\r\nlast line\r\n.\r\n")
        assert s.lines("TOP 2 0") == (b"+OK \r\n", b"Subject: b\r\n\r\n.\r\n")
        assert s.lines("TOP 2 1") == s.lines("RETR 2 1") == (b"+OK \r\n", b"Subject: b\r\n\r\n..\r\n.\r\n")
        assert s.ask("LAST") == b"+OK 0\r\n"
        assert s.ask("NOOP") == b"+OK \r\n"
        assert s.ask("DELE 2") == b"+OK \r\n"
        # The original's count went on to include what was deleted.
        assert s.ask("STAT") == b"+OK 1 17\r\n"
        assert s.ask("LAST") == b"+OK 2\r\n"
        assert s.lines("LIST") == (b"+OK \r\n", b"1 17\r\n.\r\n")
        assert s.ask("RSET") == b"+OK \r\n"
        assert s.ask("LAST") == b"+OK 0\r\n" and s.ask("STAT") == b"+OK 2 45\r\n"
        assert b"TOP\r\n" in s.lines("CAPA")[1]
        assert s.ask("QUIT") == b"+OK \r\n"
        assert s.wait() == 0


@pytest.mark.parametrize("command,reply", [
    ("RETR", "syntax error"), ("RETR x", "syntax error"), ("RETR 0", "messages are counted from 1"),
    ("RETR 2", "not that many messages"), ("DELE 99999999999999999999", "not that many messages"),
    ("LIST -1", "syntax error"), ("UIDL x", "syntax error"), ("TOP 0 0", "messages are counted from 1"),
    ("XYZZY", "unimplemented"), ("", "unimplemented"), ("USER joe", "unimplemented"), ("STLS", "unimplemented"),
])
def test_mistakes(site, maildir, command, reply):
    put(site, maildir, "new/1.x", b"a\n\nb\n")
    with pop3d(site, maildir) as s:
        s.line()
        assert s.ask(command) == f"-ERR {reply}\r\n".encode()
        assert s.ask("NOOP") == b"+OK \r\n"


def test_a_deleted_message_is_gone_for_the_session(site, maildir):
    put(site, maildir, "new/1.x", b"a\n\nb\n")
    with pop3d(site, maildir) as s:
        s.line()
        s.ask("DELE 1")
        for command in ("RETR 1", "TOP 1 0", "DELE 1", "LIST 1", "UIDL 1"):
            assert s.ask(command) == b"-ERR already deleted\r\n"


def test_only_quit_changes_anything(site, maildir):
    put(site, maildir, "new/1.x", b"a\n\nb\n")
    put(site, maildir, "cur/2.x:2,S", b"a\n\nb\n")
    for end in (b"", b"DELE 2\r\nQUI", b"DELE 2\r\nQUIT"):
        with pop3d(site, maildir) as s:
            s.line()
            s.ask("DELE 1")
            s.say(end)
            assert s.close() == 0
        assert os.listdir(maildir + "/new") == ["1.x"] and os.listdir(maildir + "/cur") == ["2.x:2,S"]
    put(site, maildir, "new/3.x", b"new\n")
    with pop3d(site, maildir) as s:
        s.line()
        s.ask("DELE 1")
        assert s.ask("QUIT") == b"+OK \r\n"
        s.wait()
    # What the client was told of is not new any more.
    assert os.listdir(maildir + "/new") == [] and sorted(os.listdir(maildir + "/cur")) == ["2.x:2,S", "3.x:2,"]


def test_sizes_come_from_names_that_tell_them(site, maildir):
    put(site, maildir, "new/1.x,S=6,W=777", b"a\n\nbb\n")
    with pop3d(site, maildir) as s:
        s.line()
        assert s.ask("LIST 1") == b"+OK 1 777\r\n"
        assert s.ask("UIDL 1") == b"+OK 1 1.x,S=6,W=777\r\n"


def test_messages_of_this_second_wait(site, maildir):
    """Their order is not known before the second is over."""
    put(site, maildir, "new/1.x", b"old\n")
    put(site, maildir, "new/2.x", b"now\n", -5)
    with pop3d(site, maildir) as s:
        s.line()
        assert s.ask("STAT") == b"+OK 1 5\r\n"


def test_quotas_hear_of_deletions(site, maildir):
    put(site, maildir, "new/1.x", b"12345\n")
    put(site, maildir, "new/2.x", b"1234567\n")
    site.write(maildir + "/maildirsize", "1000S\n14 2\n", 0o600)
    with pop3d(site, maildir) as s:
        s.line()
        s.ask("DELE 2")
        s.ask("QUIT")
        s.wait()
    with open(maildir + "/maildirsize", encoding="ascii") as f:
        assert f.read() == "1000S\n14 2\n-8 -1\n"
    os.unlink(maildir + "/maildirsize")


def test_a_hostile_maildir(site, maildir):
    os.mkfifo(maildir + "/new/1.pipe")
    os.symlink("/etc/passwd", maildir + "/new/2.link")
    os.mkdir(maildir + "/new/3.dir")
    put(site, maildir, "new/.hidden", b"x\n")
    put(site, maildir, "new/4.empty", b"")
    put(site, maildir, "new/" + "5" * 120, b"long name\n")
    put(site, maildir, "new/6 blank\ttab", b"a\0b\n")
    put(site, maildir, "new/7.unreadable", b"x\n")
    os.chmod(maildir + "/new/7.unreadable", 0)
    with pop3d(site, maildir) as s:
        s.line()
        ids = [line.split(b" ") for line in s.lines("UIDL")[1].split(b"\r\n")[:-2]]
        assert [len(i) for i in ids] == [2] * 4 and all(0 < len(i[1]) <= 70 for i in ids)
        assert s.lines("RETR 1") == (b"+OK \r\n", b".\r\n")
        numbers = {s.lines(f"RETR {n}")[1] for n in (2, 3)}
        assert numbers == {b"long name\r\n.\r\n", b"a\0b\r\n.\r\n"}
        assert s.ask("RETR 4") == b"-ERR unable to open that message\r\n"


def test_readers_and_deliveries_at_the_same_time(site, maildir):
    put(site, maildir, "new/1.x", b"one\n", 30)
    put(site, maildir, "new/2.x", b"two\n", 20)
    put(site, maildir, "cur/3.x:2,", b"three\n", 10)
    with pop3d(site, maildir) as s:
        s.line()
        assert s.ask("STAT")[:6] == b"+OK 3 "
        os.rename(maildir + "/new/1.x", maildir + "/cur/1.x:2,RS")
        os.unlink(maildir + "/new/2.x")
        os.rename(maildir + "/cur/3.x:2,", maildir + "/cur/3.x:2,F")
        put(site, maildir, "new/4.x", b"four\n")
        assert s.lines("RETR 1")[1] == b"one\r\n.\r\n"
        assert s.ask("RETR 2") == b"-ERR unable to open that message\r\n"
        s.ask("DELE 1")
        s.ask("DELE 2")
        s.ask("DELE 3")
        assert s.ask("QUIT") == b"+OK \r\n"
        s.wait()
    assert os.listdir(maildir + "/cur") == [] and os.listdir(maildir + "/new") == ["4.x"]


def test_no_maildir_no_root(site, maildir):
    with Session(site, program("qmail-pop3d"), "none") as s:
        assert s.line() == b"-ERR this user has no $HOME/Maildir\r\n" and s.wait() == 0
    os.rename(maildir + "/cur", maildir + "/gone")
    with pop3d(site, maildir) as s:
        assert s.line() == b"-ERR unable to scan $HOME/Maildir\r\n" and s.wait() == 0
    os.rename(maildir + "/gone", maildir + "/cur")
    if os.getuid() == 0:
        r = subprocess.run([program("qmail-pop3d"), "/tmp"], capture_output=True, stdin=subprocess.DEVNULL, check=False)
        assert (r.returncode, r.stdout) == (1, b"") and b"root" in r.stderr


def test_old_files_in_tmp_are_removed(site, maildir):
    put(site, maildir, "tmp/old", b"x\n", 40 * 3600)
    put(site, maildir, "tmp/new", b"x\n", 30 * 3600)
    with pop3d(site, maildir) as s:
        s.line()
    assert os.listdir(maildir + "/tmp") == ["new"]


def test_many_messages_in_one_breath(site, maildir):
    """A client that sends all its commands at once, and reads later."""
    for i in range(300):
        put(site, maildir, f"new/{i:04d}.x", b"Subject: %d\n\n" % i + b"y" * 3000 + b"\n", 500 - i)
    with pop3d(site, maildir) as s:
        s.line()
        s.say(b"".join(b"RETR %d\r\n" % n for n in range(1, 301)) + b"QUIT\r\n")
        got = b""
        while data := s.socket.recv(1 << 16):
            got += data
        texts = got.split(b"\r\n.\r\n")
        assert len(texts) == 301 and texts[-1] == b"+OK \r\n"
        assert all(t.startswith(b"+OK \r\nSubject: %d\r\n" % i) for i, t in enumerate(texts[:-1]))


def test_the_session_can_open_only_the_maildir(site, maildir):
    with pop3d(site, maildir) as s:
        s.line()
        with open(f"/proc/{s.process.pid}/status", encoding="ascii") as f:
            assert instrumented() or "NoNewPrivs:\t1" in f.read()


@pytest.mark.skipif(instrumented(), reason="built without a sandbox")
def test_links_do_not_lead_out_of_the_maildir(site, maildir):
    elsewhere = site.dir + "/elsewhere"
    site.run("mkdir", "-p", elsewhere)
    put(site, elsewhere, "1.x", b"secret\n")
    os.rmdir(maildir + "/new")
    os.symlink(elsewhere, maildir + "/new")
    with pop3d(site, maildir) as s:
        assert s.line() == b"-ERR unable to scan $HOME/Maildir\r\n"


# ---- before the login ----------------------------------------------------------------------------


def greeting(s):
    m = re.fullmatch(rb"\+OK (<\d+\.\d+@pop\.host>)\r\n", s.line())
    assert m
    return m.group(1).decode()


def test_user_and_pass(site, maildir):
    put(site, maildir, "new/1.x", b"hello\n")
    with popup(site) as s:
        greeting(s)
        assert s.ask("STAT") == b"-ERR authorization first\r\n"
        assert s.ask("PASS x") == b"-ERR USER first\r\n"
        assert s.ask("USER") == b"-ERR syntax error\r\n"
        assert s.ask("NOOP") == b"+OK \r\n"
        assert s.ask(f"USER {ANN}") == b"+OK \r\n"
        assert s.ask(f"PASS {PASSWORD}") == b"+OK \r\n"
        assert s.ask("STAT") == b"+OK 1 7\r\n"
        assert s.ask("QUIT") == b"+OK \r\n"
        assert s.wait() == 1 and s.stderr.startswith(b"qmail-popup: pid ")


def test_one_attempt(site):
    with popup(site) as s:
        greeting(s)
        s.ask(f"USER {ANN}")
        assert s.ask("PASS wrong") == b"-ERR authorization failed\r\n"
        assert s.line() == b"" and s.wait() == 1
        assert b"failed login of ann@a.test client [unknown]" in s.stderr


def test_a_name_cannot_forge_a_log_line(site):
    with popup(site) as s:
        greeting(s)
        s.ask("USER ann client [192.0.2.1]")
        s.ask("PASS wrong")
        assert s.wait() == 1
        assert b"failed login of ann_client_[192.0.2.1] client [unknown]" in s.stderr


@pytest.mark.skipif(not shutil.which("strace") or instrumented(), reason="needs strace, and no instruments")
def test_strangers_do_not_stay(site, maildir):
    """There is a time for all that comes before the login, and none for what comes after it."""
    with Session(site, "strace", "-f", "-qq", "-o", f"{site.dir}/calls", "-e", "trace=alarm,sendto", "-e", "signal=none",
                 program("qmail-popup"), "pop.host", "checkpassword-mailbox", program("qmail-pop3d"), "Maildir") as s:
        greeting(s)
        s.ask(f"USER {ANN}")
        assert s.ask(f"PASS {PASSWORD}") == b"+OK \r\n"
        s.ask("QUIT")
        s.wait()
    with open(f"{site.dir}/calls", encoding="ascii") as f:
        calls = re.findall(r"(alarm\(\d+\)|sendto)", f.read())
    assert calls == ["alarm(1200)", "sendto", "alarm(0)"]


def test_apop(site, maildir):
    with popup(site) as s:
        digest = hashlib.md5((greeting(s) + PASSWORD).encode()).hexdigest()
        assert s.ask(f"APOP {ANN} {digest}") == b"+OK \r\n"
        assert s.ask("STAT") == b"+OK 0 0\r\n"


@pytest.mark.parametrize("words", [["AUTH PLAIN AGFubkBhLnRlc3QAb3BlbiBzZXNhbWU="],
                                   ["AUTH PLAIN", "AGFubkBhLnRlc3QAb3BlbiBzZXNhbWU="],
                                   ["AUTH LOGIN", "YW5uQGEudGVzdA==", "b3BlbiBzZXNhbWU="]])
def test_auth(site, maildir, words):
    with popup(site) as s:
        greeting(s)
        for word in words[:-1]:
            assert s.ask(word).startswith(b"+ ")
        assert s.ask(words[-1]) == b"+OK \r\n"
        assert s.ask("STAT") == b"+OK 0 0\r\n"


def test_capabilities(site):
    with popup(site) as s:
        greeting(s)
        lines = s.lines("CAPA")[1].split(b"\r\n")
        assert {b"TOP", b"UIDL", b"USER", b"SASL PLAIN LOGIN", b"PIPELINING", b"UTF8 USER", b"."} <= set(lines)
        assert b"STLS" not in lines
        assert s.ask("UTF8") == b"+OK \r\n"


def test_what_follows_the_password_is_for_the_program(site, maildir):
    put(site, maildir, "new/1.x", b"hello\n")
    with popup(site) as s:
        s.say(f"USER {ANN}\r\nPASS {PASSWORD}\r\nSTAT\r\nRETR 1\r\nQUIT\r\n".encode())
        greeting(s)
        assert [s.line() for _ in range(7)] == [b"+OK \r\n", b"+OK \r\n", b"+OK 1 7\r\n", b"+OK \r\n", b"hello\r\n", b".\r\n",
                                                b"+OK \r\n"]


def test_the_program_gets_what_the_contract_says(site):
    script = site.write("checker", '#!/bin/sh\nexec 4<&0\ncat <&3 | od -An -c | tr -d " \\n"\necho; echo "$*"\n'
                        "for i in 0 1 2 3 4 5 6 7 8 9; do [ ! -e /proc/$$/fd/$i ] || echo -n $i; done; exit 1\n", 0o755)
    with Session(site, program("qmail-popup"), "pop.host", script, "x", "y z") as s:
        stamp = greeting(s)
        s.ask("user u")
        assert s.ask("pass  p w ") == f"u\\0pw\\0{stamp}\\0\n".encode()
        assert s.line() == b"x y z\n"
        assert s.line() == b"01234-ERR authorization failed\r\n"  # 4 is the script's own
        assert s.wait() == 1


@pytest.mark.parametrize("script,reply", [("exit 1", b"-ERR authorization failed\r\n"),
                                          ("exit 22", b"-ERR authorization failed\r\n"),
                                          ("exit 111", b"-ERR authorization failed\r\n"),
                                          ("kill -9 $$", b"-ERR aack, child crashed\r\n"), ("exit 0", b"")])
def test_other_peoples_checkers(site, script, reply):
    """Any code but 0 is a failure; what it writes to descriptor 2 is not the client's."""
    with Session(site, program("qmail-popup"), "pop.host", "/bin/sh", "-c", "echo secret >&2; " + script) as s:
        greeting(s)
        s.ask("USER u")
        assert s.ask("PASS p") == reply
        assert s.wait() == 1 and b"secret" in s.stderr


def test_usage(site):
    for words in ([], ["host"], ["-x", "host", "true"]):
        r = site.run(program("qmail-popup"), *words, check=False)
        assert (r.returncode, r.stdout) == (1, b"-ERR usage: popup hostname subprogram\r\n")
    r = site.run(program("qmail-popup"), "-S", "host", "true", check=False)
    assert r.returncode == 1 and r.stdout.startswith(b"-ERR") and b"servercert.pem" in r.stderr


def test_endless_lines_and_nonsense_end(site):
    with popup(site) as s:
        greeting(s)
        s.say(b"x" * 100000 + b"\r\nNOOP\r\n")
        assert s.line() == b"-ERR authorization first\r\n" and s.line() == b"+OK \r\n"
        s.say(b"XYZZY\r\n" * 200)
        try:
            while s.line():
                pass
        except ConnectionResetError:
            pass  # it does not read the rest
        assert s.wait() == 1


# ---- TLS ---------------------------------------------------------------------------------------------


@pytest.fixture(name="secure", scope="module")
def home_with_certificate(site):
    authority = Authority()
    with open(authority.issue("pop.test"), "rb") as f:
        site.write("control/servercert.pem", f.read(), 0o600)
    site.context = ssl.create_default_context(cadata=authority.pem)
    yield site
    os.unlink(site.home + "/control/servercert.pem")
    authority.close()


def wrapped(site, port):
    return site.context.wrap_socket(socket.create_connection(("127.0.0.1", port), 30), server_hostname="pop.test")


def test_tls_on_request(secure, maildir):
    put(secure, maildir, "new/1.x", b"Subject: s\n\n" + b"line\n" * 100000)
    with Listener(secure, "-T") as pop:
        c = pop.client()
        assert "STLS" in c.capa() and "SASL" not in c.capa()
        with pytest.raises(poplib.error_proto, match="STLS first"):
            c.user(ANN)
        assert c._shortcmd("STLS").startswith(b"+OK")
        c.sock = secure.context.wrap_socket(c.sock, server_hostname="pop.test")
        c.file = c.sock.makefile("rb")
        assert "STLS" not in c.capa() and c.capa()["SASL"] == ["PLAIN", "LOGIN"]
        c.user(ANN)
        c.pass_(PASSWORD)
        assert len(c.retr(1)[1]) == 100002
        c.dele(1)
        c.quit()
        wait_until(lambda: f"ended session of {ANN} client [127.0.0.1]" in pop.log(), 20, "the log")
    assert os.listdir(maildir + "/new") == []


def test_tls_from_the_beginning(secure, maildir):
    put(secure, maildir, "new/1.x", b"Subject: s\n\nx\n")
    with Listener(secure, "-S") as pop:
        c = wrapped(secure, pop.port)
        f = c.makefile("rb")
        assert f.readline().startswith(b"+OK <")
        # Everything in one piece: what follows the password is not lost.
        c.sendall(f"USER {ANN}\r\nPASS {PASSWORD}\r\nLIST 1\r\nDELE 1\r\n".encode())
        assert [f.readline() for _ in range(4)] == [b"+OK \r\n", b"+OK \r\n", b"+OK 1 17\r\n", b"+OK \r\n"]
        # Gone without a word: nothing is deleted.
        c.close()
        f.close()
        wait_until(lambda: "ended session" in pop.log(), 20, "the end")
    assert os.listdir(maildir + "/new") == ["1.x"]


def test_nothing_is_carried_over_into_tls(secure):
    """Commands behind STLS in the same segment are not taken for the client's later words."""
    with Listener(secure) as pop:
        with socket.create_connection(("127.0.0.1", pop.port), 30) as c:
            f = c.makefile("rb")
            f.readline()
            c.sendall(b"STLS\r\nCAPA\r\nUSER x\r\n")
            assert f.readline() == b"+OK begin TLS\r\n"
            rest = f.read()
            assert b"+OK" not in rest and b"-ERR" not in rest


def test_a_new_certificate_counts_without_a_restart(secure):
    with Listener(secure, "-S") as pop:
        with open(secure.home + "/control/servercert.pem", "rb") as f:
            pem = f.read()
        secure.write("control/servercert.pem", "rubbish", 0o600)
        wrapped(secure, pop.port).close()
        time.sleep(1.1)
        wrapped(secure, pop.port).close()
        wait_until(lambda: "keeping the certificate of before" in pop.log(), 20, "the log")
        secure.write("control/servercert.pem", pem, 0o600)


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        return [int(p) for p in f.read().split()]


def test_whoever_talks_ends_with_the_one_that_checks(site):
    with Listener(site) as pop:
        c = pop.client()
        monitor, = children(pop.process.pid)
        os.kill(monitor, 15)
        with pytest.raises((poplib.error_proto, ConnectionError)):
            for _ in range(100):
                c.noop()
                time.sleep(0.1)
        c.close()


def test_two_processes_of_which_one_can_do_nothing(site, maildir):
    with Listener(site) as pop:
        c = pop.client()
        front, = children(children(pop.process.pid)[0])
        with open(f"/proc/{front}/status", encoding="ascii") as f:
            assert instrumented() or "NoNewPrivs:\t1" in f.read()
        c.quit()


def test_a_private_mail_system_serves_pop3():
    """From the first command to a message in a client's hands, without root."""
    port = free_port()
    with Instance(control={"pop3listen": f"127.0.0.1:{port}"}) as i:
        i.run(program("quill"), "user", "add", ANN, input=b"pw\n")
        i.start()
        i.send("s@client.test", [ANN], b"Subject: hello\n\nworld\n")

        def fetch():
            c = poplib.POP3("127.0.0.1", port, timeout=30)
            c.user(ANN)
            c.pass_("pw")
            lines = c.retr(1)[1] if c.stat()[0] else None
            c.quit()
            return lines
        assert wait_until(fetch, 20, "the message")[-1] == b"world"
        i.signal("qmail-popup", 9)
        wait_until(lambda: i.log().count("qmail-popup: listening on") == 2, 20, "another qmail-popup")
        wait_until(fetch, 20, "the message again")


# ---- real clients ----------------------------------------------------------------------------------------


@pytest.fixture(name="pop", scope="module")
def listener(site):
    with Listener(site) as pop:
        yield pop


def fill(site, maildir, n=3):
    for i in range(n):
        put(site, maildir, f"new/{i}.x", b"From: <x@y.test>\nTo: <z@y.test>\nSubject: %d\n\n.dot\nline %d\n" % (i, i), 100 - i)


def test_poplib(site, maildir, pop):
    fill(site, maildir)
    c = pop.client(ANN, PASSWORD)
    assert c.stat()[0] == 3 and len(c.uidl()[1]) == 3 and c.capa()["TOP"] == []
    total = 0
    for n in (1, 2, 3):
        _, lines, octets = c.retr(n)
        assert lines[-2:] == [b".dot", b"line %d" % (n - 1)]
        size = int(c.list(n).split()[2])
        assert octets == size
        total += size
        c.dele(n)
    assert c.stat() == (0, 0)
    c.rset()
    assert c.stat() == (3, total)
    c.dele(2)
    c.quit()
    c = pop.client()
    c.apop(ANN, PASSWORD)
    assert [u.split()[1] for u in c.uidl()[1]] == [b"0.x", b"2.x"]
    c.quit()


@pytest.fixture(name="client")
def other_peoples_programs(site, tmp_path_factory):
    """Runs a program in a directory of its own, as a user that exists: some clients look themselves up."""
    path = str(tmp_path_factory.mktemp("client"))
    me = {"user": 65534, "group": 65534, "extra_groups": []} if site.as_root else {}
    for p in (os.path.dirname(os.path.dirname(path)), os.path.dirname(path)):
        os.chmod(p, 0o711)

    def run(*command):
        if site.as_root:
            for p in (path, *(os.path.join(d, n) for d, dirs, files in os.walk(path) for n in dirs + files)):
                os.chown(p, 65534, 65534)
        r = subprocess.run(command, cwd=path, capture_output=True, timeout=60, check=False, **me,
                           env={"PATH": "/usr/bin:/bin", "HOME": path, "FETCHMAILHOME": path, "LANG": "C"})
        assert r.returncode == 0, (r.stdout + r.stderr).decode()

    def write(name, text):
        with open(f"{path}/{name}", "w", encoding="ascii") as f:
            os.chmod(f.name, 0o600)
            f.write(text)
    run.dir, run.write = path, write
    for d in ("box", "box/new", "box/cur", "box/tmp"):
        os.mkdir(f"{path}/{d}", 0o700)
    return run


def fetched(client):
    return [open(f"{client.dir}/box/new/{n}", "rb").read() for n in os.listdir(client.dir + "/box/new")]


def test_fetchmail(site, maildir, pop, client):
    fill(site, maildir)
    client.write("rc", f'poll 127.0.0.1 service {pop.port} protocol pop3 user "{ANN}" password "{PASSWORD}" sslproto "" '
                 f'mda "cat >{client.dir}/box/new/$$"\n')
    client("fetchmail", "-f", client.dir + "/rc", "--pidfile", client.dir + "/pid")
    assert len(fetched(client)) == 3 and all(b"\n.dot\nline " in t for t in fetched(client))
    assert os.listdir(maildir + "/new") + os.listdir(maildir + "/cur") == []


def test_getmail(site, maildir, pop, client):
    fill(site, maildir)
    client.write("getmailrc", f"[retriever]\ntype = SimplePOP3Retriever\nserver = 127.0.0.1\nport = {pop.port}\n"
                 f"username = {ANN}\npassword = {PASSWORD}\n[destination]\ntype = Maildir\npath = {client.dir}/box/\n"
                 "[options]\ndelete = true\nread_all = true\n")
    client("getmail", f"--getmaildir={client.dir}", "--rcfile=getmailrc")
    assert len(fetched(client)) == 3 and all(b"\n.dot\nline " in t for t in fetched(client))
    assert os.listdir(maildir + "/new") + os.listdir(maildir + "/cur") == []


def test_mpop(secure, maildir, client):
    fill(secure, maildir)
    with Listener(secure, "-T") as pop:
        client.write("rc", f"account default\nhost 127.0.0.1\nport {pop.port}\ntls on\ntls_starttls on\ntls_certcheck off\n"
                     f"user {ANN}\npassword {PASSWORD}\nauth user\nkeep off\nuidls_file {client.dir}/uidls\n"
                     f"delivery maildir {client.dir}/box\n")
        client("mpop", "-C", client.dir + "/rc")
    assert len(fetched(client)) == 3 and all(b"\n.dot\nline " in t for t in fetched(client))
    assert os.listdir(maildir + "/new") + os.listdir(maildir + "/cur") == []
