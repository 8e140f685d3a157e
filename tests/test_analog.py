"""Reports from qmail-send's log: matchup, its selectors and reports, on logs of our own qmail-send and on written ones."""
import re
import smtplib
import subprocess

from quilltest import compose, program, wait_until

LINES = """m 100.5 110.25 1000 1 1 1 <joe@a.test> 12 501
m 101 102 50 1 0 0 <> 13 501
d k 100.5 101.0 102.5 1000 <joe@a.test> remote.x@b.test 12 501 1.2.3.4_ok/
d z 100.5 101.0 103.0 1000 <joe@a.test> remote.y@c.test 12 501 Sorry,_later/
d d 100.5 109.0 110.0 1000 <joe@a.test> remote.y@c.test 12 501 no_such_user/
d k 101 101.5 102.0 50 <> local.root 13 501 did_1+0+0/
? 5 bounce msg 7 qp 9
"""


def run(name, *arguments, stdin=LINES, code=0):
    p = subprocess.run([program(name), *arguments], input=stdin, capture_output=True, text=True, timeout=60, check=False)
    assert p.returncode == code, p.stderr
    return p.stdout if code == 0 else p.stderr


def matchup(log, pending):
    """What matchup writes, and what it leaves on descriptor 5, which is this file."""
    out = subprocess.run(["sh", "-c", 'exec "$0" 5>"$1"', program("matchup"), pending], input=log, capture_output=True,
                         check=True, timeout=60).stdout
    with open(pending) as f:
        return out.decode(), f.read()


def rows(report):
    """The table of a report, as lists of fields."""
    return [line.split() for line in report.split("\n\n")[2].splitlines()[1:]]


def test_selectors():
    assert run("xqp", "13").splitlines() == [LINES.splitlines()[1], LINES.splitlines()[5]]
    assert run("xqp", "13.0") == ""
    assert len(run("xsender", "joe@a.test").splitlines()) == 4
    assert run("xsender", "").splitlines() == [LINES.splitlines()[1], LINES.splitlines()[5]]
    assert run("xrecipient", "remote.y@c.test").splitlines() == LINES.splitlines()[3:5]
    for name in ("xqp", "xsender", "xrecipient"):
        assert run(name, code=100).startswith(f"{name}: usage: {name} ")


def test_reports():
    assert rows(run("zsuccesses")) == [["1", "1.50", "1.2.3.4", "ok/"], ["1", "0.50", "did", "1+0+0/"]]
    assert rows(run("zfailures")) == [["1", "1.00", "no", "such", "user/"]]
    assert rows(run("zdeferrals")) == [["1", "2.00", "Sorry,", "later/"]]
    assert rows(run("zrecipients")) == [["1000", "1", "1", "1.50", "remote.x@b.test"], ["50", "1", "1", "0.50", "local.root"],
                                        ["0", "1", "2", "3.00", "remote.y@c.test"]]
    assert [row[-1] for row in rows(run("zrhosts"))] == ["b.test", "local.root", "c.test"]
    assert rows(run("zrxdelay")) == [["0.50", "1", "local.root"], ["1.50", "1", "remote.x@b.test"],
                                     ["1.50", "2", "remote.y@c.test"]]
    assert rows(run("zsenders")) == [["1", "1000", "1000", "2000", "2", "3", "4.500000", "501/<joe@a.test>"],
                                     ["1", "50", "50", "50", "1", "1", "0.500000", "501/<>"]]
    assert rows(run("zsuids")) == [["2", "1050", "1050", "2050", "3", "4", "5.000000", "501"]]
    assert rows(run("zddist"))[0] == ["1.00", "1.00", "10"] and rows(run("zddist"))[9] == ["2.00", "1.50", "100"]
    assert "102.5 qp 12: to=remote.x@b.test, uid=501, ddelay=2.000000, xdelay=1.500000, stat=Sent (1.2.3.4_ok/)\n" in run("zsendmail")
    assert "110.25 qp 12: from=<joe@a.test>, uid=501, size=1000, nrcpts=2, deferrals=1, qtime=9.750000\n" in run("zsendmail")


def test_overview():
    report = run("zoverall")
    for label, value in (("Completed messages:", "2"), ("Recipients for completed messages:", "3"),
                         ("Average delivery attempts per completed message:", "2.00"), ("Bytes weighted by success:", "1050"),
                         ("Average message qtime (s):", "5.375000"), ("Total delivery attempts:", "4"), ("  deferral:", "1"),
                         ("Total ddelay (s):", "3.000000"), ("Average xdelay per delivery attempt (s):", "1.250000"),
                         ("Average concurrency:", "0.540541")):
        assert f"{label} {value}\n" in report, label
    assert run("zoverall", stdin="").endswith("Completed messages: 0\n\nTotal delivery attempts: 0\n")


def test_columns():
    assert run("columnt", stdin="a bb c\nlonger\tx last\n\none two\n") == (
        "     a   bb  c\nlonger    x  last\n\n   one  two\n")


def submit(instance, key):
    with smtplib.SMTP("127.0.0.1", instance.port, local_hostname="client.test", timeout=20) as s:
        s.sendmail("s@client.test", ["joe@a.test"], compose(key).replace(b"\n", b"\r\n"))


def test_own_log(make_instance, tmp_path):
    """A whole log of ours, with the stamps of either generation, leaves no questions."""
    instance = make_instance("joe")
    for key in ("one", "two"):
        submit(instance, key)
    wait_until(lambda: len(re.findall(r"end msg", instance.log())) >= 2, 20, "the messages")
    plain = re.sub(r"(?m)^@[0-9a-f]{24} ", "", instance.log())
    for stamp in ("tai64n", "accustamp"):
        stamped = subprocess.run([program(stamp)], input=plain.encode(), capture_output=True, check=True).stdout
        out, pending = matchup(stamped + b"12345 unfini", f"{tmp_path}/pending")
        lines = [line for line in out.splitlines() if line[0] in "dm"]
        assert sum(bool(re.fullmatch(r"d k \d+\.\d+ \d+\.\d+ \d+\.\d+ \d+ <s@client\.test> local\.joe@a\.test \d+ \d+ did_1\+0\+0/", line))
                   for line in lines) == 2, out
        assert sum(bool(re.fullmatch(r"m \d+\.\d+ \d+\.\d+ \d+ 1 0 0 <s@client\.test> \d+ \d+", line)) for line in lines) == 2, out
        assert pending == "12345 unfini"
        assert "Completed messages: 2\n" in run("zoverall", stdin=out)


def test_needs_descriptor_5():
    for log in (b"x", b""):
        p = subprocess.run(["sh", "-c", 'exec "$0" 5>&-', program("matchup")], input=log, capture_output=True, check=False)
        assert (p.returncode, p.stderr) == (111, b"matchup: fatal: unable to write fd 5: file descriptor not open\n")
