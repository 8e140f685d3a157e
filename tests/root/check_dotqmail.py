"""Checks of local delivery and .qmail files (see labrun.py)."""
import os
import re
import stat
import time

from labrun import HOME, UIDS, equal, lab

CHECKS = []


def check(f):
    CHECKS.append(f)
    return f


def rcpt(ext, user="ann"):
    return f"{user}-{ext}@lab.test"


# ---- order of checks, which file -----------------------------------------------------------

@check
def default_delivery(m):
    m.clear_inbox("bob")
    s = m.send_mail("bob@lab.test", b"Subject: plain\n\nbody without end")
    s.expect("success", "did_1+0+0/")
    mail = m.inbox("bob")[0]
    assert re.fullmatch(rb"Return-Path: <s@client\.test>\nDelivered-To: bob@lab\.test\n"
                        rb"Received: \(qmail \d+ invoked by uid 2001\); \d+ \w+ \d+ \d\d:\d\d:\d\d -0000\n"
                        rb"Subject: plain\n\nbody without end", mail), mail
    path = m.home("bob") + "/Maildir/new"
    st = os.stat(f"{path}/{os.listdir(path)[0]}")
    equal((st.st_uid, st.st_gid, stat.S_IMODE(st.st_mode)), (2002, 2002, 0o600))


@check
def unknown_user(m):
    m.send_mail("nobody-here@lab.test", sender=b"").expect(
        "failure", "Sorry,_no_mailbox_here_by_that_name._(#5.1.1)/")


@check
def unknown_extension(m):
    m.send_mail(rcpt("nothing"), sender=b"").expect("failure", "Sorry,_no_mailbox_here_by_that_name._(#5.1.1)/")


@check
def home_writable(m):
    m.try_mail("open@lab.test").expect("deferral", "Uh-oh:_home_directory_is_writable._(#4.7.0)/")


@check
def home_sticky(m):
    m.try_mail("sticky@lab.test").expect(
        "deferral", "Home_directory_is_sticky:_user_is_editing_his_.qmail_file._(#4.2.1)/")


@check
def home_group_writable(m):
    os.chmod(m.home("bob"), 0o770)
    m.send_mail("bob@lab.test").expect("success", "did_1+0+0/")
    os.chmod(m.home("bob"), 0o700)


@check
def file_writable(m):
    m.dot("ann", "-w", "./Maildir/\n", 0o602)
    m.try_mail(rcpt("w")).expect("deferral", "Uh-oh:_.qmail_file_is_writable._(#4.7.0)/")


@check
def file_group_writable(m):
    m.dot("ann", "-gw", "#\n", 0o664)
    m.send_mail(rcpt("gw")).expect("success", "did_0+0+0/")


@check
def home_missing_goes_to_alias(m):
    m.send_mail("gone@lab.test", sender=b"").expect("failure", "Sorry,_no_mailbox_here_by_that_name._(#5.1.1)/")
    m.dot("alias", "-gone", "|echo $EXT\n")
    m.send_mail("gone@lab.test").expect("success", "gone/did_0+0+1/")


@check
def home_of_another_goes_to_alias(m):
    m.send_mail("foreign@lab.test", sender=b"").expect("failure", "Sorry,_no_mailbox_here_by_that_name._(#5.1.1)/")


@check
def capital_account_is_unreachable(m):
    m.send_mail("Upper@lab.test", sender=b"").expect("failure", "Sorry,_no_mailbox_here_by_that_name._(#5.1.1)/")


@check
def case_of_address(m):
    m.dot("ann", "-case-default", "|echo $LOCAL $EXT $DEFAULT $USER\n")
    m.send_mail("ANN-Case-Foo@Lab.Test").expect("success", "ANN-Case-Foo_Case-Foo_Foo_ann/did_0+0+1/")


@check
def account_with_hyphen(m):
    m.dot("joe-work", "", "|echo $USER:$EXT:$LOCAL\n")
    m.dot("joe-work", "-x", "|echo $USER:$EXT:$LOCAL\n")
    m.dot("joe", "-other", "|echo $USER:$EXT:$LOCAL\n")
    m.send_mail("joe-work@lab.test").expect("success", "joe-work::joe-work/did_0+0+1/")
    m.send_mail("joe-work-x@lab.test").expect("success", "joe-work:x:joe-work-x/did_0+0+1/")
    m.send_mail("joe-other@lab.test").expect("success", "joe:other:joe-other/did_0+0+1/")


@check
def account_of_31_and_of_32_bytes(m):
    a, b = [u for u in UIDS if len(u) > 30]
    m.send_mail(f"{a}@lab.test").expect("success", "did_1+0+0/")
    m.send_mail(f"{b}@lab.test", sender=b"").expect("failure", "Sorry,_no_mailbox_here_by_that_name._(#5.1.1)/")


@check
def root_gets_no_mail(m):
    m.send_mail("root@lab.test", sender=b"").expect("failure", "Sorry,_no_mailbox_here_by_that_name._(#5.1.1)/")


@check
def alias_file(m):
    m.dot("alias", "-info", "|echo $USER $HOME $LOCAL $EXT `id -u` `id -g` `id -G`\n")
    m.send_mail("info@lab.test").expect("success", f"alias_{HOME}/alias_info_info_7790_2108_2108/did_0+0+1/")


@check
def dots_become_colons(m):
    m.dot("ann", "-a:b", "|echo ok $EXT\n")
    m.send_mail(rcpt("A.b")).expect("success", "ok_A.b/did_0+0+1/")


@check
def no_way_out_of_home(m):
    m.send_mail("ann-../bob/.qmail@lab.test", sender=b"").expect(
        "failure", "Sorry,_no_mailbox_here_by_that_name._(#5.1.1)/")


@check
def default_search(m):
    m.dot("bob", "-default", "|echo d0:$DEFAULT\n")
    m.dot("bob", "-a-default", "|echo d1:$DEFAULT\n")
    m.dot("bob", "-a-b-default", "|echo d2:$DEFAULT\n")
    m.dot("bob", "-a-b-c", "|echo exact:${DEFAULT-unset}\n")
    for ext, text in (("a-b-c", "exact:unset"), ("a-b-X", "d2:X"), ("a-B-", "d2:"), ("a-b", "d1:b"), ("a-Q-r", "d1:Q-r"),
                      ("a", "d0:a"), ("", "d0:"), ("Zz-y", "d0:Zz-y"), ("a-b-default", "d2:default"),
                      ("default", "d0:default"), ("a-b-DEFAULT", "d2:DEFAULT")):
        m.send_mail(rcpt(ext, "bob")).expect("success", text + "/did_0+0+1/")


@check
def bare_user_ignores_default(m):
    m.dot("cyd", "-default", "|echo d:$DEFAULT\n")
    m.send_mail("cyd@lab.test").expect("success", "did_1+0+0/")


@check
def empty_file_means_default(m):
    m.dot("ann", "-empty", "")
    m.send_mail(rcpt("empty")).expect("success", "did_1+0+0/")
    m.dot("ann", "-emptyx", "", 0o700)
    m.send_mail(rcpt("emptyx")).expect("success", "did_1+0+0/")


@check
def comment_discards(m):
    m.dot("ann", "-comment", "# nothing\n")
    m.send_mail(rcpt("comment")).expect("success", "did_0+0+0/")


@check
def file_that_is_a_directory_is_absent(m):
    os.mkdir(m.home("ann") + "/.qmail-dir")
    m.send_mail(rcpt("dir"), sender=b"").expect("failure", "Sorry,_no_mailbox_here_by_that_name._(#5.1.1)/")


@check
def unreadable_file(m):
    path = m.dot("ann", "-secret", "./Maildir/\n", 0)
    s = m.try_mail(rcpt("secret"))
    s.expect("deferral", "Unable_to_open_.qmail-secret:_access_denied._(#4.3.0)/")
    os.unlink(path)


@check
def symlinked_file(m):
    target = m.home("ann") + "/list-editor"
    m.put(target, "|echo editor\n")
    os.symlink(target, m.home("ann") + "/.qmail-link")
    m.send_mail(rcpt("link")).expect("success", "editor/did_0+0+1/")
    os.symlink("nowhere", m.home("ann") + "/.qmail-dangling")
    m.send_mail(rcpt("dangling"), sender=b"").expect("failure", "Sorry,_no_mailbox_here_by_that_name._(#5.1.1)/")


@check
def loop(m):
    m.dot("ann", "-loop", "#\n")
    m.send_mail(rcpt("loop"), b"Delivered-To: ann-loop@lab.test\n\nx\n", sender=b"").expect(
        "failure", "This_message_is_looping:_it_already_has_my_Delivered-To_line._(#5.4.6)/")
    for header in (b"delivered-to: ann-loop@lab.test\n\n", b"A: b\n\nDelivered-To: ann-loop@lab.test\n",
                   b"Delivered-To: ann-loop@lab.test \n\n", b"A: b\nDelivered-To: ann-loop@lab.test", b"Delivered-To: ann-Loop@lab.test\n\n"):
        m.send_mail(rcpt("loop"), header).expect("success", "did_0+0+0/")


# ---- lines --------------------------------------------------------------------------------

@check
def first_line_blank(m):
    for i, text in enumerate(("\n./Maildir/\n", " \t\n./Maildir/\n", "\n")):
        m.dot("ann", f"-blank{i}", text)
        m.try_mail(rcpt(f"blank{i}")).expect("deferral", "Uh-oh:_first_line_of_.qmail_file_is_blank._(#4.2.1)/")


@check
def several_lines(m):
    m.maildir("ann", "M1")
    m.dot("ann", "-many", "# c\n\n./M1/ \t\n|cat >prog1\n./mbox1\n|wc -c >prog2  \n./M1/")
    m.send_mail(rcpt("many"), b"Subject: m\n\nfour\n").expect("success", "did_3+0+2/")
    equal(len(m.inbox("ann", "M1")), 2)
    content = m.read("ann", "prog1")
    assert content.startswith(b"Received: (qmail "), content
    equal(int(m.read("ann", "prog2")), len(content))


@check
def plus_lines(m):
    m.dot("ann", "-plus", "+foo\n|echo a\n+list\nbob@lab.test\n")
    s = m.send_mail(rcpt("plus"))
    assert re.fullmatch(r"a/did_0\+1\+1/qp_\d+/", s.only[3]), s.only
    m.dot("ann", "-plus2", "+list\n|echo a\n")
    m.try_mail(rcpt("plus2")).expect("deferral", "Uh-oh:_.qmail_has_prog_delivery_but_has_x_bit_set._(#4.7.0)/")
    m.dot("ann", "-plus3", "+list\n./Maildir/\n")
    m.try_mail(rcpt("plus3")).expect("deferral", "Uh-oh:_.qmail_has_file_delivery_but_has_x_bit_set._(#4.7.0)/")


@check
def x_bit(m):
    m.dot("ann", "-x1", "|echo a\n", 0o700)
    m.try_mail(rcpt("x1")).expect("deferral", "Uh-oh:_.qmail_has_prog_delivery_but_has_x_bit_set._(#4.7.0)/")
    m.dot("ann", "-x2", "./Mailbox\n", 0o700)
    m.try_mail(rcpt("x2")).expect("deferral", "Uh-oh:_.qmail_has_file_delivery_but_has_x_bit_set._(#4.7.0)/")
    m.dot("ann", "-x3", "&bob@lab.test\n", 0o700)
    assert re.fullmatch(r"did_0\+1\+0/qp_\d+/", m.send_mail(rcpt("x3")).only[3])


@check
def relative_and_absolute_paths(m):
    m.dot("ann", "-abs", f"{m.home('ann')}/absbox\n.hidden\n")
    m.send_mail(rcpt("abs")).expect("success", "did_2+0+0/")
    assert m.read("ann", "absbox").startswith(b"From s@client.test ")
    assert m.read("ann", ".hidden").startswith(b"From s@client.test ")


@check
def maildir_trouble(m):
    m.dot("ann", "-nomaildir", "./not-there/\n")
    m.try_mail(rcpt("nomaildir")).expect("deferral", "Unable_to_chdir_to_maildir._(#4.2.1)/")
    os.mkdir(m.home("ann") + "/Half", 0o755)
    m.dot("ann", "-half", "./Half/\n")
    m.try_mail(rcpt("half")).expect("deferral", "Temporary_error_on_maildir_delivery._(#4.3.0)/")


@check
def mbox_trouble(m):
    m.dot("ann", "-nombox", "./no/where\n")
    m.try_mail(rcpt("nombox")).expect("deferral", "Unable_to_open_./no/where:_file_does_not_exist._(#4.2.1)/")
    m.dot("ann", "-dirmbox", "./Maildir\n")
    m.try_mail(rcpt("dirmbox")).expect("deferral", "Unable_to_open_./Maildir:_is_a_directory._(#4.2.1)/")


@check
def mbox_bytes(m):
    m.dot("ann", "-mbox", "./box\n")
    m.send_mail(rcpt("mbox"), b"From x\nFrom: y\n\n>From z\n>>From a\nfrom b\n From c\nFrom\nlast")
    equal(re.sub(rb"From s@client.test \w\w\w \w\w\w \d\d \d\d:\d\d:\d\d \d{4}\n", b"UF\n", re.sub(
        rb"Received: .*\n", b"R\n", m.read("ann", "box"))),
        b"UF\nReturn-Path: <s@client.test>\nDelivered-To: ann-mbox@lab.test\nR\n>From x\nFrom: y\n\n>>From z\n>>>From a\n"
        b"from b\n From c\nFrom\nlast\n\n")
    equal(stat.S_IMODE(os.stat(m.home("ann") + "/box").st_mode), 0o600)
    m.send_mail(rcpt("mbox"), b"two\n", sender=b"")
    assert m.read("ann", "box").split(b"last\n\n")[1].startswith(b"From MAILER-DAEMON "), "null sender"
    m.send_mail(rcpt("mbox"), b"", sender=b"a b\tc@d")
    last = m.read("ann", "box").split(b"two\n\n")[1]
    assert last.startswith(b"From a-b-c@d "), last
    assert b'\nReturn-Path: <"a b\tc"@d>\n' in last, last
    assert re.search(rb"-0000\n\n$", last), last


@check
def mbox_lock(m):
    import fcntl
    m.dot("ann", "-locked", "./lockbox\n")
    m.put(m.home("ann") + "/lockbox", "")
    os.chown(m.home("ann") + "/lockbox", 2001, 2001)
    with open(m.home("ann") + "/lockbox", "r") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        mark = m.mark()
        qp = m.queue([rcpt("locked")])
        m.wait_log("^starting delivery .*ann-locked", mark)
        time.sleep(0.3)
        assert "did_1" not in m.log(mark)
    m.story(qp, mark).expect("success", "did_1+0+0/")


@check
def no_rights_for_mbox(m):
    m.dot("ann", "-rights", "/etc/shadow\n")
    m.try_mail(rcpt("rights")).expect("deferral", "Unable_to_open_/etc/shadow:_access_denied._(#4.2.1)/")


# ---- programs -----------------------------------------------------------------------------

@check
def exit_codes(m):
    for code in (0, 99):
        m.dot("ann", "-exit", f"|echo said; exit {code}\n|echo after\n")
        m.send_mail(rcpt("exit")).expect("success", "said/after/did_0+0+2/" if code == 0 else "said/did_0+0+1/")
    for code in (100, 64, 65, 70, 76, 77, 78, 112):
        m.dot("ann", "-exit", f"|echo said; exit {code}\n|echo after\n")
        m.send_mail(rcpt("exit"), sender=b"").expect("failure", "said/")
    for code in (1, 2, 66, 67, 68, 69, 71, 72, 73, 74, 75, 79, 98, 101, 110, 111, 113, 120, 126, 127, 255):
        m.dot("ann", "-exit", f"|echo said; exit {code}\n|echo after\n")
        m.try_mail(rcpt("exit")).expect("deferral", "said/")


@check
def silent_exit(m):
    m.dot("ann", "-silent", "|exit 100\n")
    m.send_mail(rcpt("silent"), sender=b"").expect("failure", "")
    m.dot("ann", "-silent", "|exit 111\n")
    m.try_mail(rcpt("silent")).expect("deferral", "")


@check
def crash(m):
    for sig in ("KILL", "SEGV", "TERM"):
        m.dot("ann", "-crash", f"|echo x; kill -{sig} $$\n")
        m.try_mail(rcpt("crash")).expect("deferral", "x/Aack,_child_crashed._(#4.3.0)/")


@check
def no_such_command(m):
    m.dot("ann", "-nocmd", "|/no/such/command\n")
    s = m.try_mail(rcpt("nocmd"))
    assert s.only[2] == "deferral" and "/no/such/command" in s.only[3], s.only


@check
def earlier_deliveries_stay_and_forwards_wait(m):
    m.maildir("ann", "M2")
    m.dot("ann", "-fail", "./M2/\n&bob@lab.test\n|exit 111\n./M2/\n")
    s = m.try_mail(rcpt("fail"), b"Subject: fail-forward\n\n")
    equal(s.only[2:], ("deferral", ""))
    equal(len(m.inbox("ann", "M2")), 1)
    assert not any(b"fail-forward" in mail for mail in m.inbox("bob"))


@check
def ninety_nine_sends_earlier_forwards(m):
    m.dot("ann", "-f99", "&bob@lab.test\n|exit 99\n&cyd@lab.test\n./Maildir/\n")
    s = m.send_mail(rcpt("f99"), b"Subject: ninety-nine\n\n")
    assert re.fullmatch(r"did_0\+1\+1/qp_\d+/", s.only[3]), s.only
    m.find_mail("bob", b"ninety-nine")
    assert not any(b"ninety-nine" in mail for mail in m.inbox("cyd"))


VARIABLES = ("SENDER NEWSENDER RECIPIENT LOCAL HOST USER HOME EXT EXT2 EXT3 EXT4 HOST2 HOST3 HOST4 DEFAULT DTLINE "
             "RPLINE UFLINE").split()


def environment_of(m, address, **keywords):
    m.send_mail(address, **keywords).expect("success", "did_0+0+1/")
    data = m.read("ann", "environment")
    pairs = [v.split(b"=", 1) for v in data.split(b"\0")[:-1]]
    assert len({name for name, _ in pairs}) == len(pairs), "a variable twice"
    return {name.decode(): value.decode(errors="surrogateescape") for name, value in pairs}


@check
def environment(m):
    # The shell may add its own (PWD); what it was given is in /proc.
    m.dot("ann", "-env-default", "|cat /proc/$$/environ >environment\n")
    e = environment_of(m, "ANN-Env-a-B-c-d@Mail.Lab.test")
    assert re.fullmatch(r"From s@client\.test \w{3} \w{3} \d\d \d\d:\d\d:\d\d \d{4}\n", e.pop("UFLINE"))
    equal(e, {
        **m.start_environment,
        "SENDER": "s@client.test", "NEWSENDER": "s@client.test", "RECIPIENT": "ANN-Env-a-B-c-d@Mail.Lab.test",
        "LOCAL": "ANN-Env-a-B-c-d", "HOST": "Mail.Lab.test", "HOST2": "Mail.Lab", "HOST3": "Mail", "HOST4": "Mail",
        "USER": "ann", "HOME": m.home("ann"), "EXT": "Env-a-B-c-d", "EXT2": "a-B-c-d", "EXT3": "B-c-d",
        "EXT4": "c-d", "DEFAULT": "a-B-c-d", "DTLINE": "Delivered-To: ANN-Env-a-B-c-d@Mail.Lab.test\n",
        "RPLINE": "Return-Path: <s@client.test>\n"})


@check
def environment_of_bounce(m):
    e = environment_of(m, rcpt("env-b"), sender=b"")
    assert e["UFLINE"].startswith("From MAILER-DAEMON "), e["UFLINE"]
    equal((e["SENDER"], e["NEWSENDER"], e["RPLINE"]), ("", "", "Return-Path: <>\n"))
    e = environment_of(m, rcpt("env-b"), sender=b"#@[]")
    equal((e["SENDER"], e["NEWSENDER"], e["RPLINE"]), ("#@[]", "#@[]", "Return-Path: <#@[]>\n"))


@check
def environment_quoting(m):
    e = environment_of(m, rcpt("env-q"), sender=b'a "b\\c@x.test')
    equal((e["SENDER"], e["RPLINE"]), ('a "b\\c@x.test', 'Return-Path: <"a \\"b\\\\c"@x.test>\n'))
    assert e["UFLINE"].startswith('From a-"b\\c@x.test '), e["UFLINE"]


@check
def environment_without_default(m):
    m.dot("ann", "-exactenv", "|cat /proc/$$/environ >environment\n")
    e = environment_of(m, rcpt("exactenv"))
    assert "DEFAULT" not in e
    equal((e["EXT"], e["EXT2"], e["EXT3"], e["EXT4"]), ("exactenv", "", "", ""))


@check
def environment_is_passed_through(m):
    other = {**m.start_environment, "FOO": "bar baz", "EMPTY": "", "SENDER": "old", "DEFAULT": "inherited",
             "LANG": "de_DE.UTF-8", "TZ": "Europe/Berlin", "X_Y": "a=b\nc", "LOGNAME": "root", "MAIL": "/x"}
    m.restart(environment=other)
    try:
        e = environment_of(m, rcpt("exactenv"))
        equal({k: v for k, v in e.items() if k not in VARIABLES},
              {k: v for k, v in other.items() if k not in VARIABLES})
        equal((e["SENDER"], e["DEFAULT"]), ("s@client.test", "inherited"))
    finally:
        m.restart()


@check
def program_process_state(m):
    m.dot("ann", "-state", "|ls -l /proc/self/fd >fds; umask >umask; pwd >cwd; id -u >ids; id -g >>ids; id -G >>ids; \n"
          "|exec cat /proc/self/status >status\n")
    m.send_mail(rcpt("state")).expect("success", "did_0+0+2/")
    numbers = {int(n) for n in re.findall(rb" (\d+) -> ", m.read("ann", "fds"))}
    equal(numbers - {3}, {0, 1, 2})  # 3: the directory that ls reads
    equal(m.read("ann", "umask"), b"0077\n")
    equal(m.read("ann", "cwd"), (m.home("ann") + "\n").encode())
    equal(m.read("ann", "ids"), b"2001\n2001\n2001\n")
    status = m.read("ann", "status").decode()
    equal(re.search(r"SigBlk:\t(\w+)", status).group(1), "0" * 16)
    # 32 and 33 belong to the C library; what our own caller did with them cannot be undone.
    equal(int(re.search(r"SigIgn:\t(\w+)", status).group(1), 16) & ~(3 << 31), 0)


@check
def sigpipe_is_default(m):
    m.dot("ann", "-pipe", "|yes | head -n 1; (sleep 0; echo ${PIPESTATUS:-}) >/dev/null\n")
    m.send_mail(rcpt("pipe")).expect("success", "y/did_0+0+1/")


@check
def stdin_is_rewound_and_seekable(m):
    m.dot("ann", "-seek", "|head -c 5 >/dev/null\n|cat >seek1; exec 0<&-\n"
          "|/usr/bin/python3 -c 'import os; os.lseek(0, 0, 2); os.lseek(0, 0, 0); print(len(os.read(0, 99999)))'\n"
          "|cat >seek2\n")
    body = b"Subject: seek\n\n" + b"x" * 2000 + b"\n"
    s = m.send_mail(rcpt("seek"), body)
    one, two = m.read("ann", "seek1"), m.read("ann", "seek2")
    equal(one, two)
    assert one.endswith(body) and one.startswith(b"Received: "), one[:80]
    s.expect("success", f"{len(one)}/did_0+0+4/")


@check
def large_message_for_program(m):
    m.dot("ann", "-large", "|wc -c\n|md5sum\n")
    body = b"Subject: large\n\n" + b"0123456789abcde\n" * 200000
    s = m.send_mail(rcpt("large"), body)
    size = int(s.only[3].split("/")[0])
    assert len(body) < size < len(body) + 200, s.only


@check
def output_is_reported(m):
    m.dot("ann", "-out", "|echo one; echo two >&2; printf 'a b%%\\001\\377c'\n")
    m.send_mail(rcpt("out")).expect("success", "one/two/a_b___cdid_0+0+1/")


@check
def output_with_nul_is_cut(m):
    m.dot("ann", "-nul", "|printf 'a\\000b\\n'\n")
    m.send_mail(rcpt("nul")).expect("success", "a")


@check
def long_output_is_cut(m):
    m.dot("ann", "-long", "|head -c 20000 /dev/zero | tr '\\0' x\n")
    s = m.send_mail(rcpt("long"))
    assert re.fullmatch(r"x+/Error_report_too_long,_sorry\./", s.only[3]), s.only[3][-80:]
    assert 2900 <= s.only[3].count("x") <= 3000, s.only[3].count("x")


@check
def long_command(m):
    m.dot("ann", "-cmd", "|: " + "y" * 60000 + "; echo done\n")
    m.send_mail(rcpt("cmd")).expect("success", "done/did_0+0+1/")


@check
def background_process_does_not_hold_the_delivery(m):
    m.dot("ann", "-bg", "|sleep 30 >/dev/null 2>&1 & echo started\n")
    started = time.monotonic()
    m.send_mail(rcpt("bg")).expect("success", "started/did_0+0+1/")
    assert time.monotonic() - started < 10


@check
def default_delivery_of_several_lines(m):
    m.restart("# first\n|echo from default $EXT\n./Maildir/\n")
    try:
        m.send_mail("cyd@lab.test").expect("success", "from_default/did_1+0+1/")
        m.dot("cyd", "-e", "")
        m.send_mail(rcpt("e", "cyd")).expect("success", "from_default_e/did_1+0+1/")
    finally:
        m.restart()


@check
def default_delivery_is_mailbox(m):
    m.stop()
    import subprocess
    with open(m.log_path, "ab") as log:
        mark = m.mark()
        m.send = subprocess.Popen([HOME + "/bin/qmail-start"], env=m.start_environment, stdout=log, stderr=log,
                                  stdin=subprocess.DEVNULL)
    try:
        m.wait_log("^status: ", mark)
        m.send_mail("joe@lab.test").expect("success", "did_1+0+0/")
        assert m.read("joe", "Mailbox").startswith(b"From s@client.test ")
    finally:
        m.restart()


# ---- forwards -----------------------------------------------------------------------------

@check
def forward_bytes(m):
    m.clear_inbox("bob")
    m.dot("ann", "-fwd", "&bob@lab.test\n")
    s = m.send_mail(rcpt("fwd"), b"Subject: fwd\n\nlast")
    qp = int(re.fullmatch(r"did_0\+1\+0/qp_(\d+)/", s.only[3]).group(1))
    m.story(qp).expect("success", "did_1+0+0/")
    assert re.fullmatch(rb"Return-Path: <s@client\.test>\nDelivered-To: bob@lab\.test\n"
                        rb"Received: \(qmail %d invoked by uid 2001\); .* -0000\n"
                        rb"Delivered-To: ann-fwd@lab\.test\n"
                        rb"Received: \(qmail \d+ invoked by uid 2001\); .* -0000\nSubject: fwd\n\nlast" % qp,
                        m.inbox("bob")[0]), m.inbox("bob")[0]


@check
def forwards_in_one_message(m):
    m.dot("ann", "-two", "&bob@lab.test\ncyd@lab.test\n|echo x\njoe-other@lab.test\n")
    s = m.send_mail(rcpt("two"))
    qp = int(re.fullmatch(r"x/did_0\+3\+1/qp_(\d+)/", s.only[3]).group(1))
    t = m.story(qp)
    equal(sorted(d[1] for d in t.deliveries), ["bob@lab.test", "cyd@lab.test", "joe-other@lab.test"])
    assert f"info msg {t.number}: " in t.lines[1] and " from <s@client.test> qp " in t.lines[1], t.lines[1]


@check
def forward_address_as_it_is(m):
    m.dot("ann", "-asis", "& bob@lab.test\n")
    s = m.send_mail(rcpt("asis"))
    qp = int(re.search(r"qp_(\d+)", s.only[3]).group(1))
    t = m.story(qp)
    equal(t.deliveries[0][1], "_bob@lab.test")
    equal(t.deliveries[0][2], "failure")
    m.dot("ann", "-asis2", "bob\n")
    s = m.send_mail(rcpt("asis2"))
    t = m.story(int(re.search(r"qp_(\d+)", s.only[3]).group(1)))
    equal(t.deliveries[0][1:3], ("bob@mail.lab.test", "success"))


@check
def owner(m):
    m.dot("ann", "-list", "&bob@lab.test\n")
    m.dot("ann", "-list-owner", "#\n")
    s = m.send_mail(rcpt("list"))
    t = m.story(int(re.search(r"qp_(\d+)", s.only[3]).group(1)))
    assert " from <ann-list-owner@lab.test> qp " in t.lines[1], t.lines[1]
    for sender in (b"", b"#@[]"):
        s = m.send_mail(rcpt("list"), sender=sender)
        t = m.story(int(re.search(r"qp_(\d+)", s.only[3]).group(1)))
        assert f" from <{sender.decode()}> qp " in t.lines[1], t.lines[1]
    m.dot("ann", "-list-owner-default", "#\n")
    s = m.send_mail("ANN-List@Lab.test")
    t = m.story(int(re.search(r"qp_(\d+)", s.only[3]).group(1)))
    assert " from <ANN-List-owner-@Lab.test-@[]> qp " in t.lines[1], t.lines[1]


@check
def owner_default_alone_counts_nothing(m):
    m.dot("ann", "-lonely", "&bob@lab.test\n")
    m.dot("ann", "-lonely-owner-default", "#\n")
    s = m.send_mail(rcpt("lonely"))
    t = m.story(int(re.search(r"qp_(\d+)", s.only[3]).group(1)))
    assert " from <s@client.test> qp " in t.lines[1], t.lines[1]


@check
def newsender_in_environment(m):
    m.dot("ann", "-nslist", "|echo $NEWSENDER\n")
    m.dot("ann", "-nslist-owner", "#\n")
    m.send_mail(rcpt("nslist")).expect("success", "ann-nslist-owner@lab.test/did_0+0+1/")
    m.dot("ann", "-nslist-owner-default", "#\n")
    m.send_mail(rcpt("nslist")).expect("success", "ann-nslist-owner-@lab.test-@[]/did_0+0+1/")


@check
def owner_of_default_file(m):
    m.dot("ann", "-dl-default", "|echo $NEWSENDER\n")
    m.dot("ann", "-dl-default-owner", "#\n")
    m.send_mail(rcpt("dl-x")).expect("success", "s@client.test/did_0+0+1/")
    m.dot("ann", "-dl-x-owner", "#\n")
    m.send_mail(rcpt("dl-x")).expect("success", "ann-dl-x-owner@lab.test/did_0+0+1/")


@check
def bounce_of_verp_list(m):
    m.dot("ann", "-vl", "&nobody1@lab.test\n&nobody2@lab.test\n")
    m.dot("ann", "-vl-owner", "#\n")
    m.dot("ann", "-vl-owner-default", "|echo owner $DEFAULT; cat >vl-bounce\n")
    s = m.send_mail(rcpt("vl"))
    t = m.story(int(re.search(r"qp_(\d+)", s.only[3]).group(1)))
    b = m.bounce_story(t)
    equal(b.deliveries[0][1:], ("ann-vl-owner-@lab.test", "success", "owner/did_0+0+1/"))
    bounce = m.read("ann", "vl-bounce")
    assert b"\nReturn-Path: <ann-vl-owner-@lab.test>\n" in bounce, bounce


@check
def forward_to_failing_queue(m):
    m.put(m.dir + "/badqueue", "#!/bin/sh\nexit ${CODE:-31}\n", 0o755)
    m.dot("ann", "-fq", "&bob@lab.test\n")
    try:
        for code, result, text in (
                (31, "failure", "Dmail server permanently rejected message (#5.3.0)"),
                (53, "deferral", "Zqq write error or disk full (#4.3.0)"), (120, "deferral", "Zunable to exec qq (#4.3.0)"),
                (11, "failure", "Denvelope address too long for qq (#5.1.3)"),
                (35, "failure", "Dqq permanent problem (#5.3.0)"), (1, "deferral", "Zqq temporary problem (#4.3.0)")):
            m.restart(environment={**m.start_environment, "QMAILQUEUE": m.dir + "/badqueue", "CODE": str(code)})
            s = m.try_mail(rcpt("fq"), sender=b"#@[]")
            s.expect(result, "Unable_to_forward_message:_" + text[1:].replace(" ", "_") + "./")
    finally:
        m.restart()


# ---- add-ons --------------------------------------------------------------------------------

PRELINE = """#!/bin/sh
{ printf '%s%s%s' "$UFLINE" "$RPLINE" "$DTLINE"; cat; } | "$@"
"""


@check
def delivery_agents(m):
    """What procmail, maildrop and others exit with, fed the way preline does it."""
    m.put(m.dir + "/preline", PRELINE, 0o755)
    m.dot("ann", "-mda", f"|{m.dir}/preline sh -c 'cat >mda; exit 75'\n")
    m.try_mail(rcpt("mda")).expect("deferral", "")
    got = m.read("ann", "mda")
    assert re.match(rb"From s@client.test .*\nReturn-Path: <s@client.test>\nDelivered-To: ann-mda@lab.test\nReceived: ",
                    got), got
    for code, result in ((67, "deferral"), (77, "failure"), (0, "success")):
        m.dot("ann", "-mda", f"|{m.dir}/preline sh -c 'cat >/dev/null; exit {code}'\n")
        equal(m.try_mail(rcpt("mda"), sender=b"#@[]").only[2], result)


@check
def mailing_list_manager(m):
    """Several program lines, exits 0 and 99, a link to the list's directory, DTLINE, VERP sender."""
    os.mkdir(m.home("ann") + "/list")
    m.put(m.home("ann") + "/list/editor", "|exit 0\n|cat >listed; printf '%s' \"$DTLINE\" >dt\n|exit 99\n|exit 100\n")
    os.symlink(m.home("ann") + "/list/editor", m.home("ann") + "/.qmail-ez")
    m.put(m.home("ann") + "/list/bouncer", "|echo $LOCAL $HOST $DEFAULT $SENDER\n")
    os.symlink(m.home("ann") + "/list/bouncer", m.home("ann") + "/.qmail-ez-return-default")
    m.send_mail(rcpt("ez")).expect("success", "did_0+0+3/")
    equal(m.read("ann", "dt"), b"Delivered-To: ann-ez@lab.test\n")
    qp = m.queue(["nobody3@lab.test"], sender=b"ann-ez-return-5-@lab.test-@[]")
    b = m.bounce_story(m.story(qp))
    equal(b.only[1:], ("ann-ez-return-5-@lab.test", "success", "ann-ez-return-5-_lab.test_5-/did_0+0+1/"))


@check
def dot_forward(m):
    """Lines as |dot-forward .forward uses them: 99 stops, 0 goes on."""
    m.put(m.dir + "/dot-forward", '#!/bin/sh\ntest -f "$1" || exit 0\n: "${UFLINE:?}${RPLINE:?}${DTLINE:?}${NEWSENDER?}"'
          '"${USER:?}${HOST:?}"\nexit 99\n', 0o755)
    m.restart(f"|{m.dir}/dot-forward .forward\n./Maildir/")
    try:
        m.send_mail("cyd@lab.test").expect("success", "did_1+0+1/")
        m.put(m.home("cyd") + "/.forward", "x\n")
        m.send_mail("cyd@lab.test").expect("success", "did_0+0+1/")
    finally:
        m.restart()


@check
def aliases_program(m):
    """Lines as |fastforward -d /etc/aliases.cdb uses them."""
    m.dot("alias", "-default", "|echo \"$DEFAULT $HOST $SENDER $RECIPIENT\"; exit 100\n")
    m.send_mail("Some-One@lab.test", sender=b"").expect("failure", "Some-One_lab.test__Some-One@lab.test/")
    os.unlink(m.home("alias") + "/.qmail-default")


@check
def program_that_kills_its_delivery(m):
    m.dot("ann", "-ppid", "|kill -9 $PPID; sleep 1\n")
    m.try_mail(rcpt("ppid")).expect("deferral", "qmail-local_crashed./")


@check
def empty_forward(m):
    m.dot("ann", "-ef", "&\n")
    s = m.send_mail(rcpt("ef"))
    t = m.story(int(re.search(r"did_0\+1\+0/qp_(\d+)", s.only[3]).group(1)))
    equal(t.deliveries[0][1:], ("@mail.lab.test", "success", ""))


@check
def forward_loop_ends(m):
    m.dot("ann", "-fl", "&ann-fl@lab.test\n")
    s = m.send_mail(rcpt("fl"), sender=b"#@[]")
    t = m.story(int(re.search(r"qp_(\d+)", s.only[3]).group(1)))
    t.expect("failure", "This_message_is_looping:_it_already_has_my_Delivered-To_line._(#5.4.6)/")


@check
def injection_from_a_program(m):
    """What vacation programs and vdelivermail do."""
    m.clear_inbox("bob")
    m.dot("ann", "-inj", "|(printf '%s' \"$DTLINE\"; cat) | qmail-inject -f \"$SENDER\" -- bob@lab.test\n"
          "|echo Subject: auto | /var/qmail/bin/sendmail -f '' -- \"$SENDER\"\n")
    m.send_mail(rcpt("inj"), b"Subject: inject me\n\n", sender=b"cyd@lab.test").expect("success", "did_0+0+2/")
    mail = m.find_mail("bob", b"inject me")
    assert mail.startswith(b"Return-Path: <cyd@lab.test>\n") and b"\nDelivered-To: ann-inj@lab.test\n" in mail, mail
    mail = m.find_mail("cyd", b"Subject: auto")
    assert mail.startswith(b"Return-Path: <>\nDelivered-To: cyd@lab.test\n"), mail


@check
def parallel_mbox_deliveries(m):
    m.dot("ann", "-par", "./parbox\n")
    mark = m.mark()
    for qp in [m.queue([rcpt("par")] * 5, b"n %d\n" % i) for i in range(8)]:
        m.story(qp, mark)
    box = m.read("ann", "parbox")
    equal(len(re.findall(rb"(?:\A|(?<=\n\n))From s@client\.test [^\n]+\nReturn-Path: <s@client\.test>\nDelivered-To: ann-par@lab"
                         rb"\.test\nReceived: [^\n]+\nn \d\n(?=\n)", box)), 40)


@check
def very_long_extension(m):
    m.send_mail(rcpt("x" * 600), sender=b"").expect("failure", "Sorry,_no_mailbox_here_by_that_name._(#5.1.1)/")
    m.dot("ann", "-xl-default", "|echo ${#DEFAULT}\n")
    m.send_mail(rcpt("xl-" + "x" * 600)).expect("success", "600/did_0+0+1/")


@check
def odd_recipients(m):
    m.dot("alias", "-default", "|printf '%s' \"<$LOCAL>\"\n")
    for address, shown in ((b"a b\"c@lab.test", "<a_b\"c>"), (b"a'b;$(id)`id`@lab.test", "<a'b;$(id)`id`>"),
                           (b"x@y@lab.test", "<x@y>"), (b"\xc3\xa4@lab.test", "<__>"), (b"-n@lab.test", "<-n>"),
                           (b"--@lab.test", "<-->"), (b"|id@lab.test", "<|id>"), (b".@lab.test", "<.>"),
                           (b"%n%s@lab.test", "<_n_s>"), (b"a\\b@lab.test", "<a\\b>")):
        m.send_mail(address).expect("success", shown + "did_0+0+1/")
    os.unlink(m.home("alias") + "/.qmail-default")


@check
def many_lines(m):
    m.maildir("ann", "M9")
    m.dot("ann", "-lines", "# comment\n" * 3000 + "  # this is an address\n" + "./M9/\n" * 20)
    s = m.send_mail(rcpt("lines"), sender=b"#@[]")
    assert s.only[3].startswith("did_20+1+0/qp_"), s.only
    equal(len(m.inbox("ann", "M9")), 20)


@check
def the_same_user_twice(m):
    m.clear_inbox("bob")
    s = m.send_mail(["bob@lab.test", "bob@lab.test", "BOB@lab.test"])
    equal([d[2:] for d in s.deliveries], [("success", "did_1+0+0/")] * 3)
    equal(len(m.inbox("bob")), 3)


@check
def maildir_names(m):
    for name in os.listdir(m.home("bob") + "/Maildir/new"):
        assert re.fullmatch(r"\d+\.[^./:]+\.[^/:]+", name), name
    equal(os.listdir(m.home("bob") + "/Maildir/tmp"), [])


@check
def symlinked_maildir_and_mailbox(m):
    m.maildir("ann", "Real")
    os.symlink("Real", m.home("ann") + "/Linked")
    os.symlink("realbox", m.home("ann") + "/linkbox")
    m.dot("ann", "-links", "./Linked/\n./linkbox\n")
    m.send_mail(rcpt("links")).expect("success", "did_2+0+0/")
    equal(len(m.inbox("ann", "Real")), 1)
    assert m.read("ann", "realbox").startswith(b"From ")


@check
def home_behind_a_link(m):
    os.rename(m.home("joe"), m.home("joe") + ".real")
    os.symlink(m.home("joe") + ".real", m.home("joe"))
    m.send_mail("joe@lab.test").expect("success", "did_1+0+0/")
    m.dot("joe", "-pwd", "|echo $HOME\n")
    m.send_mail(rcpt("pwd", "joe")).expect("success", m.home("joe") + "/did_0+0+1/")


@check
def mbox_that_is_a_device(m):
    """No discarding: qmail cannot sync a device either, and tries again."""
    m.dot("ann", "-null", "/dev/null\n")
    equal(m.try_mail(rcpt("null")).only[2], "deferral")


# ---- qmail-local by hand ------------------------------------------------------------------

def local(m, *arguments, stdin="/dev/null", user=2001, cwd="/"):
    import subprocess
    with open(stdin, "rb") as f:
        return subprocess.run([HOME + "/bin/qmail-local", *arguments], stdin=f, capture_output=True, user=user,
                              group=user, extra_groups=[], env=lab.CLEAN, cwd=cwd, timeout=30, check=False)


@check
def describe(m):
    m.dot("ann", "-desc", "# c\n&a@b  \t\n a@c\n./Maildir/ \n|prog  a  \n& d@e\n/abs/mbox\n\"q\"@x\n")
    r = local(m, "-n", "--", "ann", m.home("ann"), "ann-desc", "-", "desc", "lab.test", "s@x", "./Mailbox")
    equal((r.returncode, r.stderr), (0, b""))
    equal(r.stdout, b'forward a@b\nforward  a@c\nmaildir ./Maildir/\nprogram prog  a\nforward  d@e\nmbox /abs/mbox\n'
          b'forward "q"@x\ndid 2+4+1\n')


@check
def usage(m):
    for arguments in ((), ("ann",), ("-x", "ann", m.home("ann"), "l", "", "", "h", "s", "./M"),
                      ("ann", m.home("ann"), "l", "", "", "h", "s"),
                      ("ann", "relative", "l", "", "", "h", "s", "./M")):
        r = local(m, *arguments)
        equal(r.returncode, 100)
        equal(r.stderr, (b"qmail-local: illegal option -- x\n" if "-x" in arguments else b"") +
              b"qmail-local: usage: qmail-local [ -nN ] user homedir local dash ext domain sender aliasempty\n")


@check
def describe_sticky(m):
    r = local(m, "-n", "sticky", m.home("sticky"), "sticky", "", "", "lab.test", "s@x", "./Mailbox", user=2010)
    equal((r.returncode, r.stdout, r.stderr),
          (0, b"mbox ./Mailbox\ndid 1+0+0\n", b"Warning: home directory is sticky.\n"))


@check
def message_that_cannot_be_rewound(m):
    import subprocess
    r = subprocess.run([HOME + "/bin/qmail-local", "ann", m.home("ann"), "ann", "", "", "lab.test", "s@x", "./Maildir/"],
                       input=b"Subject: pipe\n\n", capture_output=True, user=2001, group=2001, extra_groups=[],
                       env=lab.CLEAN, timeout=30, check=False)
    equal((r.returncode, r.stdout, r.stderr), (111, b"", b"Unable to rewind message. (#4.3.0)\n"))


@check
def options(m):
    arguments = ("ann", m.home("ann"), "ann", "", "", "lab.test", "s@x", "./Mailbox")
    for options in (("-n",), ("-Nn",), ("-N", "-n"), ("-n", "--")):
        equal(local(m, *options, *arguments).stdout, b"mbox ./Mailbox\ndid 1+0+0\n")


@check
def programs_by_hand(m):
    """Exit codes and output of qmail-local itself, as wrappers of it see them."""
    for command, code, out, err in (("echo a; exit 0", 0, b"a\ndid 0+0+1\n", b""), ("echo a; exit 100", 100, b"a\n", b""),
                                    ("exit 1", 111, b"", b""), ("echo e >&2; exit 99", 0, b"did 0+0+1\n", b"e\n"),
                                    ("kill -9 $$", 111, b"", b"Aack, child crashed. (#4.3.0)\n")):
        r = local(m, "ann", m.home("ann"), "ann", "", "", "lab.test", "s@x", "|" + command)
        equal((r.returncode, r.stdout, r.stderr), (code, out, err))


@check
def loop_by_hand(m):
    path = m.dir + "/loop-message"
    m.put(path, "Delivered-To: ann@lab.test\n\n")
    r = local(m, "ann", m.home("ann"), "ann", "", "", "lab.test", "s@x", "./Maildir/", stdin=path)
    equal((r.returncode, r.stdout, r.stderr),
          (100, b"", b"This message is looping: it already has my Delivered-To line. (#5.4.6)\n"))
    r = local(m, "ann", m.home("ann"), "ann-z", "-", "z", "lab.test", "s@x", "./Maildir/", stdin=path)
    equal((r.returncode, r.stdout, r.stderr), (100, b"", b"Sorry, no mailbox here by that name. (#5.1.1)\n"))


@check
def odd_bytes_by_hand(m):
    """Line ends in addresses do not get into the lines that we write."""
    r = local(m, "ann", m.home("ann"), "a\nb", "-", "odd", "h\nx", "s\n\t t@x",
              "|printf '%s' \"$DTLINE$UFLINE\"", stdin="/dev/null")
    equal(r.returncode, 100)
    m.dot("ann", "-odd", "|printf '%s' \"$DTLINE$UFLINE\"\n")
    r = local(m, "ann", m.home("ann"), "a\nb", "-", "odd", "h\nx", "s\n\t t@x", "./Mailbox")
    assert re.fullmatch(rb"Delivered-To: a_b@h_x\nFrom s---t@x \w{3} .*\ndid 0\+0\+1\n", r.stdout), r


@check
def no_home(m):
    r = local(m, "x", "/no/such/home", "x", "", "", "lab.test", "s@x", "./Mailbox")
    equal((r.returncode, r.stdout, r.stderr),
          (111, b"", b"Unable to switch to /no/such/home: file does not exist. (#4.3.0)\n"))


@check
def deliver_by_hand(m):
    path = m.dir + "/message"
    m.put(path, "Subject: by hand\n\nx\n")
    m.clear_inbox("ann")
    r = local(m, "ann", m.home("ann"), "ann", "", "", "lab.test", "s@x", "./Maildir/", stdin=path)
    equal((r.returncode, r.stdout, r.stderr), (0, b"did 1+0+0\n", b""))
    equal(m.inbox("ann"), [b"Return-Path: <s@x>\nDelivered-To: ann@lab.test\nSubject: by hand\n\nx\n"])
