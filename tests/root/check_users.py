"""Checks of users/assign, qmail-newu, users/cdb and qmail-getpw (see labrun.py)."""
import os
import struct
import subprocess

from labrun import HOME, equal, lab

CHECKS = []
ASSIGN = HOME + "/users/assign"


def check(f):
    CHECKS.append(f)
    return f


def newu(m, text):
    m.put(ASSIGN, text)
    r = subprocess.run([HOME + "/bin/qmail-newu"], capture_output=True, env=lab.CLEAN, cwd="/", timeout=20, check=False)
    return r.returncode, r.stderr.decode()


def cdb_hash(key):
    h = 5381
    for c in key:
        h = ((h << 5) + h & 0xffffffff) ^ c
    return h


def cdb_get(data, key):
    """Reads a cdb as add-ons do that know only its format."""
    h = cdb_hash(key)
    at, slots = struct.unpack_from("<II", data, h % 256 * 8)
    for i in range(slots):
        slot_hash, pos = struct.unpack_from("<II", data, at + ((h >> 8) + i) % slots * 8)
        if pos == 0:
            return None
        if slot_hash == h:
            klen, dlen = struct.unpack_from("<II", data, pos)
            if data[pos + 8:pos + 8 + klen] == key:
                return data[pos + 8 + klen:pos + 8 + klen + dlen]
    return None


TABLE = """=Boss:ann:2001:2001:{ann}:-:boss:rest ignored
+sales-:bob:2002:2002:{bob}:-:s-:
+sales-eu-:cyd:2003:2003:{cyd}:-:eu-:
=sales-info:joe:2004:2004:{joe}:::
=dup:joe:2004:2004:{joe}:-:first:
=dup:ann:2001:2001:{ann}:-:second:
+lists-:domain:2002:2002:{bob}:-::
Xodd:joe:2004:2004:{joe}:-:odd:
=slash:joe:2004:2004:{joe}:-/:in:
+caps.X:joe:2004:2004:{joe}:-:caps-:
=rooty:root:0:0:/root:::
=nohome:joe:2004:2004:/no/such:::
+:alias:7790:2108:{alias}:-:catch-:
.
garbage after the end
"""


def install(m):
    equal(newu(m, TABLE.format(**{u: m.home(u) for u in ("ann", "bob", "cyd", "joe", "alias")})), (0, ""))


def remove(m):
    os.unlink(HOME + "/users/cdb")


@check
def cdb_bytes(m):
    install(m)
    with open(HOME + "/users/cdb", "rb") as f:
        data = f.read()
    home = m.home("ann").encode()
    equal(cdb_get(data, b"!boss\0"), b"ann\x002001\x002001\0" + home + b"\0-\0boss")
    equal(cdb_get(data, b"!sales-"), b"bob\x002002\x002002\0" + m.home("bob").encode() + b"\0-\0s-")
    equal(cdb_get(data, b"!sales-info\0"), b"joe\x002004\x002004\0" + m.home("joe").encode() + b"\0\0")
    equal(cdb_get(data, b"!"), f"alias\x007790\x002108\0{HOME}/alias\0-\0catch-".encode())
    last = cdb_get(data, b"")
    assert b"-" in last and b"x" in last.lower() and len(last) == len(set(last)), last
    equal(cdb_get(data, b"!nothing\0"), None)
    equal(os.stat(HOME + "/users/cdb").st_mode & 0o777, 0o644)


@check
def assigned_deliveries(m):
    install(m)
    for user, ext in (("ann", "-boss"), ("bob", "-default"), ("cyd", "-default"), ("joe", ""), ("joe", "-first"),
                      ("joe", "-odd"), ("ann", "-second"), ("alias", "-catch-default"), ("joe", "-caps-default")):
        m.dot(user, ext, f"|echo {user}:$USER:$EXT:$DEFAULT:`id -u`\n")
    os.mkdir(m.home("joe") + "/.qmail-")
    m.put(m.home("joe") + "/.qmail-/in", "|echo slashed $EXT\n")
    try:
        for address, text in (
                ("boss", "ann:ann:boss::2001"), ("BOSS", "ann:ann:boss::2001"), ("sales-Uk", "bob:bob:s-Uk:s-Uk:2002"),
                ("Sales-EU-de", "cyd:cyd:eu-de:eu-de:2003"), ("sales-info", "joe:joe:::2004"),
                ("dup", "joe:joe:first::2004"), ("odd", "joe:joe:odd::2004"), ("lists-a", "bob:domain:a:a:2002"),
                ("caps.Xyz", "joe:joe:caps-yz:yz:2004"), ("anybody-x", "alias:alias:catch-anybody-x:anybody-x:7790"),
                ("ann", "alias:alias:catch-ann:ann:7790"), ("slash", "slashed_in"),
                ("sales-", "bob:bob:s-:s-:2002")):
            m.send_mail(address + "@lab.test").expect("success", text + "/did_0+0+1/")
        m.try_mail("rooty@lab.test").expect("deferral", "Not_allowed_to_perform_deliveries_as_root./")
        m.try_mail("nohome@lab.test").expect(
            "deferral", "Unable_to_switch_to_/no/such:_file_does_not_exist._(#4.3.0)/")
    finally:
        for user, ext in (("ann", "-boss"), ("bob", "-default"), ("cyd", "-default"), ("joe", "")):
            os.unlink(f"{m.home(user)}/.qmail{ext}")
        remove(m)


@check
def without_match_the_password_file(m):
    equal(newu(m, f"=x:ann:2001:2001:{m.home('ann')}:::\n.\n"), (0, ""))
    m.send_mail("bob@lab.test").expect("success", "did_1+0+0/")
    equal(newu(m, ".\n"), (0, ""))
    m.send_mail("bob@lab.test").expect("success", "did_1+0+0/")
    remove(m)
    m.send_mail("bob@lab.test").expect("success", "did_1+0+0/")


@check
def damaged_cdb(m):
    m.put(HOME + "/users/cdb", b"\xff" * 3000)
    m.try_mail("bob@lab.test").expect("deferral", "Trouble_reading_users/cdb_in_qmail-lspawn./")
    m.put(HOME + "/users/cdb", b"short")
    m.try_mail("bob@lab.test").expect("deferral", "Trouble_reading_users/cdb_in_qmail-lspawn./")
    remove(m)
    m.send_mail("bob@lab.test").expect("success", "did_1+0+0/")


@check
def bad_assign(m):
    bad = (111, "qmail-newu: fatal: bad format in users/assign\n")
    good = "=x:ann:2001:2001:/:::\n"
    for text in ("", good, "# c\n.\n", ":ann:2001:2001:/:::\n.\n", "=x:ann:2001:2001:/::\n.\n", "=x:ann\n.\n", good[:-1],
                 "\n.\n", "=x:a\0n:2001:2001:/:::\n.\n"):
        equal(newu(m, text), bad)
    assert not os.path.exists(HOME + "/users/cdb")
    equal(newu(m, ".anything"), (0, ""))
    os.unlink(ASSIGN)
    r = subprocess.run([HOME + "/bin/qmail-newu"], capture_output=True, check=False)
    equal(r.returncode, 111)
    assert r.stderr.startswith(b"qmail-newu: fatal: unable to open users/assign"), r.stderr
    remove(m)


def getpw(*arguments):
    r = subprocess.run([HOME + "/bin/qmail-getpw", *arguments], capture_output=True, user=7793, group=2108,
                       extra_groups=[], env=lab.CLEAN, check=False)
    return r.returncode, r.stdout.decode()


@check
def getpw_fields(m):
    def fields(*f):
        return 0, "".join(str(x) + "\0" for x in f)
    equal(getpw("ann"), fields("ann", 2001, 2001, m.home("ann"), "", ""))
    equal(getpw("ANN-Foo-Bar"), fields("ann", 2001, 2001, m.home("ann"), "-", "Foo-Bar"))
    equal(getpw("joe-work-x"), fields("joe-work", 2005, 2005, m.home("joe-work"), "-", "x"))
    equal(getpw("ann-"), fields("ann", 2001, 2001, m.home("ann"), "-", ""))
    for local in ("root", "gone", "foreign-x", "Nobody-Here", "", "-ann"):
        equal(getpw(local), fields("alias", 7790, 2108, HOME + "/alias", "-", local))
    equal(getpw()[0], 100)


@check
def newmrh(m):
    m.control("morercpthosts", "# c\nBig.Test \n\n.sub.test\nlast")
    r = subprocess.run([HOME + "/bin/qmail-newmrh"], capture_output=True, check=False)
    equal((r.returncode, r.stdout, r.stderr), (0, b"", b""))
    with open(HOME + "/control/morercpthosts.cdb", "rb") as f:
        data = f.read()
    equal([cdb_get(data, k) for k in (b"big.test", b".sub.test", b"last", b"x", b"")], [b"", b"", b"", None, None])
    for name in ("morercpthosts", "morercpthosts.cdb"):
        m.control(name, None)
