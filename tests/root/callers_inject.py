"""qmail-inject: what becomes of a header, who sends and who receives (contract §13)."""
import os
import re

from callers import ANN, HOME, Catcher, cases, control, directory, is_, put, run

SITE = {"me": "a.test\n", "defaultdomain": "test\n", "plusdomain": "plus.test\n"}
GENERATED = re.compile(r"^(Resent-)?(Date: \d+ \w+ \d{4} \d\d:\d\d:\d\d -0000|"
                       r"Message-ID: <\d{14}\.\d+\.qmail@[^>]*>)\n", re.M | re.I)


def inject(*arguments, data="", env=None, site=None):
    with control(**{**SITE, **(site or {})}):
        return run("qmail-inject", *arguments, data=data, env=env)


def shown(*arguments, data="", env=None, site=None):
    """What -n prints, without the fields that change each time. (text)"""
    r = inject("-n", *arguments, data=data, env=env, site=site)
    is_((r.code, r.err), (0, b""))
    return GENERATED.sub("", r.out.decode("latin-1"))


def queued(*arguments, data="", env=None, site=None):
    catcher = Catcher()
    r = inject(*arguments, data=data, env={**catcher.env, **(env or {})}, site=site)
    is_((r.code, r.out, r.err), (0, b"", b""))
    return catcher


FROM = "From: anonymous@a.test\n"
NO_LIST = "Cc: recipient list not shown: ;\n"
RETURN = "Return-Path: <anonymous@a.test>\n"


# ---- structure ----------------------------------------------------------------------------

@cases([
    ("empty", "", RETURN + FROM + NO_LIST),
    ("header-only", "Subject: x\n", RETURN + FROM + NO_LIST + "Subject: x\n"),
    ("header-unended", "Subject: x", RETURN + FROM + NO_LIST + "Subject: x\n"),
    ("empty-line-only", "\n", RETURN + FROM + NO_LIST + "\n"),
    ("body-only", "\nbody\n", RETURN + FROM + NO_LIST + "\nbody\n"),
    ("body-unended", "\nbody", RETURN + FROM + NO_LIST + "\nbody\n"),
    ("no-blank-line", "Subject: x\nbody\nmore\n", RETURN + FROM + NO_LIST + "Subject: x\n\nbody\nmore\n"),
    ("no-header", "hello you\n", RETURN + FROM + NO_LIST + "\nhello you\n"),
    ("continuation", "Subject: x\n  y\n\tz\n\nb\n", RETURN + FROM + NO_LIST + "Subject: x\n  y\n\tz\n\nb\n"),
    ("mbox-line", "From me Mon\nSubject: x\n\nb\n", RETURN + FROM + NO_LIST + "MBOX-Line: From me Mon\nSubject: x\n\nb\n"),
    ("from-in-body", "\nFrom me\n.\n", RETURN + FROM + NO_LIST + "\nFrom me\n.\n"),
    ("order-kept", "X-B: 1\nSubject: x\nX-A: 2\n", RETURN + FROM + NO_LIST + "X-B: 1\nSubject: x\nX-A: 2\n"),
    ("space-before-colon", "Subject : x\n", RETURN + FROM + NO_LIST + "Subject : x\n"),
    ("8bit", "Subject: \xe4\n\n\xff\n", RETURN + FROM + NO_LIST + "Subject: \xe4\n\n\xff\n"),
    ("empty-field", "Subject:\n\nb\n", RETURN + FROM + NO_LIST + "Subject:\n\nb\n"),
    ("deleted", "Bcc: x@y.test\nReturn-Path: <r@y.test>\nContent-Length: 5\nSubject: x\n",
     "Return-Path: <r@y.test>\n" + FROM + NO_LIST + "Subject: x\n"),
    ("deleted-any-case", "bCC: x@y.test\nCONTENT-length : 5\n", RETURN + FROM + NO_LIST),
    ("to", "To: x@y.test\n", RETURN + FROM + "To: x@y.test\n"),
    ("cc", "Cc: x@y.test\n", RETURN + FROM + "Cc: x@y.test\n"),
    ("from", "From: x@y.test\n", RETURN + NO_LIST + "From: x@y.test\n"),
    ("resent", "Resent-To: r@y.test\nTo: t@y.test\n",
     RETURN + "Resent-" + FROM + "Resent-To: r@y.test\nTo: t@y.test\n"),
    ("resent-no-to", "Resent-Sender: r@y.test\nTo: t@y.test\n",
     RETURN + "Resent-" + FROM + "Resent-" + NO_LIST + "Resent-Sender: r@y.test\nTo: t@y.test\n"),
    ("nul", "Subject: x\n\na\0b\n", RETURN + FROM + NO_LIST + "Subject: x\n\na\0b\n"),
])
def check_structure(name, message, wanted):
    is_(shown(data=message.encode("latin-1")), wanted)


@cases([
    ("both", "", [r"Date: ", r"Message-ID: "]),
    ("date", "Date: then\n", [r"Message-ID: "]),
    ("id", "message-id: <x>\n", [r"Date: "]),
    ("resent", "Resent-To: x\nDate: then\nMessage-ID: <x>\n", [r"Resent-Date: ", r"Resent-Message-ID: "]),
    ("resent-date", "Resent-Date: then\n", [r"Resent-Message-ID: "]),
    ("resent-id", "Resent-Message-ID: then\n", [r"Resent-Date: "]),
])
def check_generated(name, message, wanted):
    r = inject("-n", data=message)
    is_([m.group(0).split(": ")[0] + ": " for m in GENERATED.finditer(r.out.decode())], wanted)


def check_message_id():
    r = inject("-n", site={"idhost": "id.test"})
    assert re.search(rb"\nMessage-ID: <20\d{12}\.\d+\.qmail@id\.test>\n", r.out), r
    r = inject("-n", env={"QMAILIDHOST": "other.test"}, site={"idhost": "id.test"})
    assert re.search(rb"\nMessage-ID: <20\d{12}\.\d+\.qmail@other\.test>\n", r.out), r


# ---- addresses -----------------------------------------------------------------------------

def check_contract_example():
    is_(shown(data='To: a, b@c, "J. Doe" <d@e+>, grp: x, y;, <@r1,@r2:z@h.com>, (c) k@l.m.\n'),
        RETURN + FROM + 'To: a@a.test, b@c.test, "J. Doe" <d@e.plus.test>, grp: x@a.test, y@a.test;,\n'
        "  <z@h.com>, k@l.m (c)\n")


@cases([
    ("x", "x@a.test"), ("x@y", "x@y.test"), ("x@y.z", "x@y.z"), ("x@y+", "x@y.plus.test"), ("x@y.z.", "x@y.z"),
    ("x@", "x@a.test"), ("x@[1.2.3.4]", "x@[1.2.3.4]"), ("x@[]", "x@[]"), ("x.", "x@a.test"),
    ("<x>", "<x@a.test>"), ("<>", "<>"), ("x y@z", "x@a.test, y@z.test"), ("x,,y", "x@a.test, , y@a.test"),
    ("Joe Doe <j>", "Joe Doe <j@a.test>"), ('"Joe" <j>', '"Joe" <j@a.test>'), ("j (Joe)", "j@a.test (Joe)"),
    ("g: ;", "g: ;"), ("g: a, b;", "g: a@a.test, b@a.test;"), ('"a b"@c', '"a b"@c.test'),
    ("X@Y.Z", "X@Y.Z"), ("a@b@c", "a@b@c.test"), ("<@r:x@y>", "<x@y.test>"), ("x  @  y", "x@y.test"),
    ("a.b.c", "a.b.c@a.test"), ("+", "+@a.test"), ("x@+", "x@.plus.test"), ("", ""),
])
def check_rewriting(address, wanted):
    for field in ("To", "Cc", "Apparently-To", "Sender", "From", "Reply-To", "Return-Receipt-To", "Errors-To",
                  "Resent-To", "Resent-Cc", "Resent-Sender", "Resent-From", "Resent-Reply-To"):
        line = f"{field}: {address}\n" if address else f"{field}:\n"
        text = shown(data=line + "Subject: x\n")
        assert text.split("\n")[-3] == f"{field}: {wanted}".strip(), text


@cases([("Subject: a, b@c", 0), ("X-To: a", 0), ("Mail-Followup-To: a", 0), ("Comments: (", 0)])
def check_other_fields_stay(line, _):
    assert shown(data=line + "\n").endswith(line + "\n")


def check_folding():
    """Long lists are folded behind commas; no line is longer than 80."""
    addresses = [f"user{i}@host{i}.test" for i in range(30)]
    text = shown(data="To: " + ",".join(addresses) + "\n").split("To: ")[1]
    is_(text.replace(",\n  ", ", "), ", ".join(addresses) + "\n")
    assert max(len(line) for line in text.split("\n")) <= 80 and text.count("\n") > 5


@cases([
    ("environment-host", {"QMAILDEFAULTHOST": "eh.test"}, {}, "x", "x@eh.test"),
    ("environment-domain", {"QMAILDEFAULTDOMAIN": "ed"}, {}, "x@y", "x@y.ed"),
    ("environment-plus", {"QMAILPLUSDOMAIN": "ep"}, {}, "x@y+", "x@y.ep"),
    ("control-host", {}, {"defaulthost": "ch"}, "x", "x@ch.test"),
    ("me", {}, {"defaultdomain": None, "plusdomain": None}, "x@y+, z@v", "x@y.a.test, z@v.a.test"),
    ("nothing", {}, {"me": None, "defaultdomain": None, "plusdomain": None}, "x, x@y+",
     "x@defaulthost.defaultdomain, x@y.plusdomain"),
])
def check_settings(name, env, files, address, wanted):
    text = shown(data=f"To: {address}\nFrom: f@f.test\n", env=env, site=files)
    assert f"\nTo: {wanted}\n" in text, text


# ---- recipients -------------------------------------------------------------------------------

MESSAGE = "To: t1@x.test, t2@x.test\nCc: c@x.test\nBcc: b@x.test\nApparently-To: a@x.test\nSubject: x\n\nb\n"
HEADER = ["t2@x.test", "t1@x.test", "c@x.test", "b@x.test", "a@x.test"]


@cases([
    ("header", [], HEADER), ("arguments", ["z@x.test", "y"], ["z@x.test", "y@a.test"]),
    ("-a", ["-a"], []), ("-a-arguments", ["-a", "z@x.test"], ["z@x.test"]),
    ("-h", ["-h", "z@x.test"], HEADER), ("-H", ["-H", "z@x.test"], ["z@x.test"] + HEADER), ("-H-none", ["-H"], HEADER),
    ("-A", ["-A"], HEADER), ("-aA", ["-aA"], HEADER), ("-hH", ["-hH", "z@x.test"], ["z@x.test"] + HEADER),
    ("end-of-options", ["--", "z@x.test"], ["z@x.test"]), ("after", ["z@x.test", "-n"], ["z@x.test", "-n@a.test"]),
    ("duplicates", ["z@x.test", "z@x.test"], ["z@x.test", "z@x.test"]), ("quoted", ["a b@x.test"], ["a b@x.test"]),
    ("N", ["-nN", "z@x.test"], ["z@x.test"]), ("dot", ["z@x.test."], ["z@x.test"]), ("plus", ["z@x+"], ["z@x.plus.test"]),
])
def check_recipients(name, arguments, wanted):
    is_([r.decode() for r in queued(*arguments, data=MESSAGE).recipients], wanted)


@cases([
    ("resent-to", "Resent-To: r1@x.test, r2@x.test\nTo: t@x.test\n", ["r2@x.test", "r1@x.test"]),
    ("resent-all", "Resent-To: r@x.test\nResent-Cc: c@x.test\nResent-Bcc: b@x.test\nBcc: n@x.test\n",
     ["r@x.test", "c@x.test", "b@x.test"]),
    ("resent-from", "Resent-From: r@x.test\nTo: t@x.test\n", []),
    ("group", "To: g: a@x.test, b@x.test;, c@x.test\n", ["c@x.test", "b@x.test", "a@x.test"]),
    ("duplicates", "To: a@x.test, a@x.test\nCc: a@x.test\n", 3 * ["a@x.test"]),
    ("none", "Subject: x\n", []), ("angle", 'To: "A, B" <a@x.test> (c)\n', ["a@x.test"]),
    ("quoted", 'To: "a b"@x.test, a\\,b@x.test\n', ["a,b@x.test", "a b@x.test"]),
    ("folded", "To: a@x.test,\n\tb@x.test\n", ["b@x.test", "a@x.test"]),
])
def check_header_recipients(name, header, wanted):
    is_([r.decode() for r in queued(data=header).recipients], wanted)


def check_bcc_is_not_shown():
    catcher = queued(data=MESSAGE)
    assert b"b@x.test" not in catcher.message and b"Bcc" not in catcher.message
    assert b"Return-Path" not in catcher.message


# ---- the sender -------------------------------------------------------------------------------

@cases([
    ("anonymous", {}, "anonymous@a.test", "anonymous@a.test"),
    ("user", {"USER": "u"}, "u@a.test", "u@a.test"),
    ("logname", {"LOGNAME": "l"}, "l@a.test", "l@a.test"),
    ("order", {"LOGNAME": "l", "USER": "u"}, "u@a.test", "u@a.test"),
    ("mailuser", {"MAILUSER": "m", "USER": "u"}, "m@a.test", "m@a.test"),
    ("qmailuser", {"QMAILUSER": "q", "MAILUSER": "m"}, "q@a.test", "q@a.test"),
    ("host", {"USER": "u", "MAILHOST": "mh.x"}, "u@mh.x", "u@mh.x"),
    ("qmailhost", {"USER": "u", "MAILHOST": "mh.x", "QMAILHOST": "qh.x"}, "u@qh.x", "u@qh.x"),
    ("short-host", {"USER": "u", "QMAILHOST": "qh"}, "u@qh.test", "u@qh.test"),
    ("name", {"USER": "u", "NAME": "N"}, "u@a.test", '"N" <u@a.test>'),
    ("mailname", {"USER": "u", "NAME": "N", "MAILNAME": "M"}, "u@a.test", '"M" <u@a.test>'),
    ("qmailname", {"USER": "u", "QMAILNAME": "Q", "MAILNAME": "M"}, "u@a.test", '"Q" <u@a.test>'),
    ("odd-name", {"USER": "u", "NAME": 'a"b\\c'}, "u@a.test", '"a\\"b\\\\c" <u@a.test>'),
    ("comment", {"USER": "u", "NAME": "N", "QMAILINJECT": "c"}, "u@a.test", "u@a.test (N)"),
    ("suser", {"USER": "u", "QMAILSUSER": "s"}, "s@a.test", "u@a.test"),
    ("shost", {"USER": "u", "QMAILSHOST": "sh.x"}, "u@sh.x", "u@a.test"),
    ("no-sender", {"USER": "u", "QMAILSUSER": ""}, "", "u@a.test"),
    ("no-sender-whatever-else", {"USER": "u", "QMAILSUSER": "", "QMAILSHOST": "sh.x", "QMAILINJECT": "rm"}, "", "u@a.test"),
    ("quoted-user", {"USER": "a b"}, '"a b"@a.test', '"a b"@a.test'),
    ("verp", {"USER": "u", "QMAILINJECT": "r"}, '"u-@a.test-"@[]', "u@a.test"),
    ("unknown-letter", {"USER": "u", "QMAILINJECT": "xyz"}, "u@a.test", "u@a.test"),
])
def check_identity(name, env, sender, author):
    text = shown(env=env)
    is_(text.split("\n")[:2], [f"Return-Path: <{sender}>", f"From: {author}"])


@cases([
    ("m", "m", r"u-\d{10}\.\d+@a\.test"), ("rm", "rm", r"u-\d{10}\.\d+-@a\.test-@\[\]"),
])
def check_sender_per_message(name, letters, pattern):
    catcher = queued("z@x.test", env={"USER": "u", "QMAILINJECT": letters})
    assert re.fullmatch(pattern, catcher.sender.decode()), catcher.sender


@cases([
    ("path", "Return-Path: <r@y.test>\n", "", "r@y.test"), ("path-rewritten", "Return-Path: r\n", "", "r@a.test"),
    ("first-path", "Return-Path: <r@y.test>\nReturn-Path: <s@y.test>\n", "", "r@y.test"),
    ("null-path", "Return-Path: <>\n", "", ""), ("s", "Return-Path: <r@y.test>\n", "s", "u@a.test"),
    ("r", "Return-Path: <r@y.test>\n", "r", "r@y.test-@[]"), ("m", "Return-Path: <r@y.test>\n", "m", "r@y.test"),
    ("from-is-not-used", "From: f@y.test\nSender: s@y.test\n", "", "u@a.test"),
])
def check_return_path(name, header, letters, sender):
    is_(queued("z@x.test", data=header, env={"USER": "u", "QMAILINJECT": letters}).sender.decode(), sender)
    assert b"Return-Path" not in queued("z@x.test", data=header).message


@cases([
    ("plain", "f@y.test", "f@y.test"), ("rewritten", "f", "f@a.test"), ("empty", "", ""), ("plus", "f@y+", "f@y.plus.test"),
    ("double-bounce", "#@[]", "#@[]"), ("verp", "f-@y.test-@[]", "f-@y.test-@[]"),
])
def check_f(name, value, sender):
    for env in ({}, {"QMAILINJECT": "rm", "QMAILSUSER": "no"}):
        is_(queued("-f", value, "z@x.test", data="Return-Path: <r@y.test>\n", env=env).sender.decode(), sender)
    is_(queued("-f" + value, "z@x.test").sender.decode(), sender) if value else None
    is_(shown("-f", value).split("\n")[1], "From: anonymous@a.test")


@cases([
    ("f", "From: x@y.test\n", "f", FROM + NO_LIST), ("keep", "From: x@y.test\n", "", NO_LIST + "From: x@y.test\n"),
])
def check_delete_from(name, header, letters, wanted):
    is_(shown(data=header, env={"QMAILINJECT": letters}), RETURN + wanted)


def check_delete_message_id():
    assert b"<mine>" not in inject("-n", data="Message-ID: <mine>\n", env={"QMAILINJECT": "i"}).out
    assert b"<mine>" in inject("-n", data="Message-ID: <mine>\n").out


@cases([
    ("quoted-sender", 'a"b@x.test', '"a\\"b"@x.test'), ("dots", ".a@x.test", '".a"@x.test'),
])
def check_return_path_is_quoted(name, sender, shown_as):
    is_(shown("-f", sender).split("\n")[0], f"Return-Path: <{shown_as}>")


# ---- Mail-Followup-To ----------------------------------------------------------------------------

@cases([
    ("listed", "To: list@x.test, b@x.test\nCc: c@x.test\n", "c@x.test,\n  b@x.test,\n  list@x.test\n", None),
    ("other-case", "To: LIST@X.test\n", "LIST@X.test\n", None), ("not-listed", "To: b@x.test\n", None, None),
    ("present", "Mail-Followup-To: q\nTo: list@x.test\n", None, None), ("resent", "Resent-To: x\nTo: list@x.test\n", None, None),
    ("bcc", "Bcc: list@x.test\n", None, None), ("rewritten", "To: short\n", "short@a.test\n", None),
])
def check_followup(name, header, wanted, _):
    path = put(directory() + "/lists", "# lists\nlist@x.test \nshort@a.test\n")
    text = shown(data=header, env={"QMAILMFTFILE": path})
    if wanted:
        assert "\nMail-Followup-To: " + wanted in text or wanted.count(",") == 2 and sorted(
            re.findall(r"\S+@x\.test", text.split("Mail-Followup-To: ")[1].split("\nTo")[0])), text
    else:
        assert "Mail-Followup-To: " not in text.replace("Mail-Followup-To: q", ""), text


def check_followup_file():
    """Relative to where the caller is; a missing one is ignored."""
    there = directory()
    put(there + "/lists", "list@x.test\n")
    for env, wanted in (({"QMAILMFTFILE": "lists"}, True), ({"QMAILMFTFILE": "missing"}, False)):
        r = run("qmail-inject", "-n", data="To: list@x.test\n", env=env, cwd=there)
        is_((r.code, b"Mail-Followup-To: list@x.test\n" in r.out), (0, wanted))


# ---- errors ------------------------------------------------------------------------------------------

@cases([
    ("option", ["-x"], "", 100, "qmail-inject: illegal option -- x\n"),
    ("missing", ["-f"], "", 100, "qmail-inject: option requires an argument -- f\n"),
    ("open-comment", [], "From: (x\n", 100, "qmail-inject: fatal: unable to parse this line:\nFrom: (x\n"),
    ("open-quote", [], 'Sender: "x\n', 100, 'qmail-inject: fatal: unable to parse this line:\nSender: "x\n'),
    ("open-literal", [], "Reply-To: x@[1\n", 100, "qmail-inject: fatal: unable to parse this line:\nReply-To: x@[1\n"),
    ("stray", [], "From: x )\n", 100, "qmail-inject: fatal: unable to parse this line:\nFrom: x )\n"),
    ("group", [], "From: a: b\n", 100, "qmail-inject: fatal: unable to parse this line:\nFrom: a: b\n"),
])
def check_error(name, arguments, data, code, text):
    r = inject(*arguments, data=data)
    is_((r.err.decode(), r.code), (text, code))


def check_error_in_recipient_field():
    """Passed through as it is; its recipients are not used."""
    catcher = Catcher()
    r = inject(data="To: (x\nCc: c@x.test\nSubject: x\n", env=catcher.env)
    is_((r.code, catcher.recipients), (0, [b"c@x.test"]))
    assert b"\nTo: (x\n" in catcher.message


def check_unreadable_settings():
    with control(defaulthost="x"):
        os.chmod(HOME + "/control/defaulthost", 0)
        r = run("qmail-inject", "-n", who=ANN)
    is_(r.code, 111)
    assert r.err.startswith(b"qmail-inject: fatal: read error"), r


def check_closed_input():
    r = run("/bin/sh", "-c", f"exec {HOME}/bin/qmail-inject a@x.test <&-")
    is_(r.code, 111)
    assert r.err.startswith(b"qmail-inject: fatal: read error"), r


def check_large_message():
    big = b"To: a@x.test\n\n" + 50000 * (98 * b"x" + b"\n")
    assert queued(data=big).message.endswith(big.split(b"\n\n")[1])
