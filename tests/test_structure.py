"""The structure that the documents promise: layers, privilege map, names, tests beside modules."""
import collections
import glob
import os
import re
import subprocess

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SOURCES = sorted(glob.glob(f"{TOP}/src/*/*.[ch]"))

# System headers that belong to one library (or to the few programs named) only.
ONE_HOME = {
    "unbound.h": {"resolver"},
    "cdb.h": {"cdb"},
    "event2/": {"resolver", "qmail-lspawn", "qmail-rspawn", "qmail-send", "qmail-journal", "qmail-resolve"},
    "sqlite3.h": {"virtual"},
    "crypt.h": {"password"},
    "security/": {"checkpassword-pam"},
    "seccomp.h": {"sandbox"},
    "openssl/": {"tls"},
    "resolv.h": {"ucspi"},
}

# Modules whose behaviour only shows end to end, each with where it is tested.
TESTED_ELSEWHERE = {
    # sys: thin over the kernel; every end-to-end test runs through them
    "sys/accounts.c": "tests/root", "sys/clock.c": "read by everything", "sys/home.c": "tests/test_straight_path.py",
    "sys/random.c": "read by everything", "sys/service.c": "tests/test_straight_path.py",
    "sys/unixsock.c": "tests/test_straight_path.py", "sys/packetqueue.c": "tests/test_rspawn.py",
    "sys/ownjournal.c": "tests/test_straight_path.py",
    # clients of a service: tested with the service
    "dns/dnsclient.c": "tests/test_dns.py", "resolver/lookup.c": "tests/test_dns.py",
    "resolver/query.c": "tests/test_dns.py, tests/root/check_dns.py",
    "submit/submit.c": "tests/test_straight_path.py", "submit/submit_program.c": "tests/test_inject.py",
    "queuequery/queuequery.c": "tests/test_straight_path.py", "queuequery/queuemessage.c": "tests/test_queue.py",
    "classicqueue/classicread.c": "tests/test_classic_queue.py",
    "classicqueue/classicwrite.c": "tests/test_classic_queue.py",
    # what goes between processes: every delivery and submission
    "wire/delivery.c": "tests/test_rspawn.py, tests/test_lspawn.py", "wire/queueproto.c": "tests/test_straight_path.py",
    # remote delivery against scripted servers
    "outbound/outsettings.c": "tests/test_rspawn.py", "outbound/ownaddress.c": "tests/test_remote.py",
    "outbound/tlshosts.c": "tests/test_tls.py", "smtpclient/sessionwire.c": "tests/test_tls.py",
    "outbound/peeraddress.c": "tests/test_remote.py", "smtpclient/transaction.c": "tests/test_remote.py",
    # what small programs share: tested with them
    "filter/child.c": "tests/test_tools.py", "filter/preline_head.c": "tests/test_tools.py",
    "filter/resend.c": "tests/test_tools.py", "filter/tool.c": "tests/test_tools.py",
    "filter/mailreader.c": "tests/test_tools.py", "dnstool/dnstool.c": "tests/test_tools.py",
    "dnstool/fullname.c": "tests/test_tools.py", "filter/command.c": "tests/test_aliases.py", "aliases/aliasdb.c": "tests/test_aliases.py",
    "aliases/aliassource.c": "tests/test_aliases.py", "aliases/listfile.c": "tests/test_aliases.py",
    "ucspi/crfilter.c": "tests/test_ucspi.py", "ucspi/between.c": "tests/test_ucspi.py",
    "ucspi/hostaddr.c": "tests/test_ucspi.py", "ucspi/connection.c": "tests/test_ucspi.py",
    "ucspi/dial.c": "tests/test_ucspi.py", "ucspi/useroptions.c": "tests/test_ucspi.py", "tcpservice/service_child.c": "tests/test_ucspi.py",
    "tcpservice/service_log.c": "tests/test_ucspi.py", "tcpservice/service_loop.c": "tests/test_ucspi.py",
    "tcpservice/service_start.c": "tests/test_ucspi.py", "tlsrelay/tlsrelay.c": "tests/test_sslserver.py",
    "tlsrelay/tlsfiles.c": "tests/test_sslserver.py",
    "tlsrelay/tlshelper.c": "tests/test_sslserver.py", "tcpcaller/tcpcaller.c": "tests/test_ucspi.py", "qmtp/mailin.c": "tests/test_qmtp.py",
    "serial/serialnames.c": "tests/test_serial.py",
    "filter/chain.c": "tests/test_supervision.py", "supervision/account.c": "tests/test_supervision.py",
    "checker/checker.c": "tests/test_checkpassword.py", "pop3/popsession.c": "tests/test_pop3.py",
    "pop3/popwire.c": "tests/test_pop3.py",
    "linelog/linefilter.c": "tests/test_multilog.py",
    # mailboxes without accounts: looked up and filled by deliveries
    "virtual/virtualfind.c": "tests/test_virtual.py", "local/maildirplus.c": "tests/test_virtual.py",
    # used by every other test
    "testing/testplace.c": "all that use it",
    "base/str.c": "base/base_test.c",
}

FORBIDDEN_CALLS = ("system", "popen", "strcpy", "strcat", "sprintf", "vsprintf", "gets", "strtok", "tmpnam", "mktemp",
                   "gethostbyname", "alloca")
# Unfinished work is said in the documents, not in the code.
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")


def read(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        return f.read()


def code(path):
    """The file without comments and string contents."""
    text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m.group().count("\n"), read(path), flags=re.S)
    text = re.sub(r"//[^\n]*", "", text)
    return re.sub(r'"(?:\\.|[^"\\\n])*"', '""', text)


def name(path):
    return os.path.relpath(path, f"{TOP}/src")


def folder(path):
    return name(path).split("/")[0]


def privilege_map():
    """programs.mk as {variable: [words]}."""
    text = read(f"{TOP}/programs.mk").replace("\\\n", " ")
    return {m.group(1): m.group(2).split() for m in re.finditer(r"^(\w[\w-]*)\s*:=([^#\n]*)", text, re.M)}


MAP = privilege_map()
LIBRARIES = MAP["LIBRARIES"]


def closure(libraries):
    found, waiting = set(), list(libraries)
    while waiting:
        library = waiting.pop()
        if library not in found:
            found.add(library)
            waiting.extend(MAP.get(f"LIB_{library}", []))
    return found


def includes(path):
    return re.findall(r'^\s*#\s*include\s+"([^"]+)"', read(path), re.M)


def allowed(path):
    """The folders that a file may include from."""
    own = folder(path)
    extra = []
    if path.endswith("_test.c"):
        extra = MAP.get(f"TEST_{os.path.basename(path)[:-2]}", []) + ["testing"]
    elif path.endswith("_fuzz.c"):
        extra = MAP.get(f"TEST_{os.path.basename(path)[:-2]}", [])
    elif path.endswith("_fixture.h"):  # what some tests share
        extra = ["simdisk", "testing"]
    base = MAP[f"PROG_{own}"] if f"PROG_{own}" in MAP else MAP.get(f"LIB_{own}", [])
    return closure(list(base) + extra) | {own}


def test_every_folder_is_in_the_map():
    folders = {folder(p) for p in SOURCES}
    known = set(LIBRARIES) | {v[5:] for v in MAP if v.startswith("PROG_")}
    assert not folders - known


def test_libraries_have_no_cycles():
    for library in LIBRARIES:
        for other in MAP.get(f"LIB_{library}", []):
            assert library not in closure([other]), f"{library} and {other} need each other"


def test_includes_follow_the_map():
    wrong = [f"{name(p)} includes {i}" for p in SOURCES for i in includes(p)
             if "/" not in i or i.split("/")[0] not in allowed(p)]
    assert not wrong, "\n".join(wrong)


def test_programs_do_not_include_each_other():
    programs = {v[5:] for v in MAP if v.startswith("PROG_")}
    wrong = [f"{name(p)} includes {i}" for p in SOURCES for i in includes(p)
             if i.split("/")[0] in programs and i.split("/")[0] != folder(p)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("header", sorted(ONE_HOME))
def test_foreign_headers_have_one_home(header):
    wrong = [name(p) for p in SOURCES
             if re.search(rf"^\s*#\s*include\s+<{re.escape(header)}", read(p), re.M) and folder(p) not in ONE_HOME[header]]
    assert not wrong, f"<{header}> in {wrong}"


def test_network_programs_do_not_open_the_queue():
    for program in [v[5:] for v in MAP if v.startswith("PROG_")]:
        if program != "qmail-journal":
            assert "journal" not in closure(MAP[f"PROG_{program}"]), program


def test_file_names_are_unique():
    counts = collections.Counter(os.path.basename(p) for p in SOURCES)
    assert not [n for n, c in counts.items() if c > 1]


def test_every_library_module_has_a_test():
    """A module x.c is tested by x_test.c, or by a test of its folder that includes its header."""
    missing = []
    for path in SOURCES:
        if not path.endswith(".c") or path.endswith(("_test.c", "_fuzz.c")) or folder(path) not in LIBRARIES:
            continue
        header = name(path)[:-2] + ".h"
        tests = [t for t in SOURCES if t.endswith("_test.c")]
        if os.path.exists(path[:-2] + "_test.c") or name(path) in TESTED_ELSEWHERE:
            continue
        # Parts of a module that have no header of their own share their folder's tests.
        if not os.path.exists(path[:-2] + ".h") and any(folder(t) == folder(path) for t in tests):
            continue
        if not any(header in includes(t) for t in tests):
            missing.append(name(path))
    assert not missing, f"no test beside: {missing}"


def test_unit_tests_take_their_directory_from_testplace():
    assert not [name(p) for p in SOURCES if "mkdtemp(" in code(p) and folder(p) != "testing"]


def test_exceptions_are_still_needed():
    gone = [n for n in TESTED_ELSEWHERE if not os.path.exists(f"{TOP}/src/{n}")]
    needless = [n for n in TESTED_ELSEWHERE if os.path.exists(f"{TOP}/src/{n[:-2]}_test.c")]
    assert not gone + needless


def test_headers_say_what_they_are_for():
    silent = [name(p) for p in SOURCES if p.endswith(".h") and not read(p).lstrip().startswith("/*")]
    assert not silent


def test_no_dangerous_calls():
    found = []
    for path in SOURCES:
        if path.endswith("_test.c"):
            continue
        for match in re.finditer(rf"(?<![\w.>])({'|'.join(FORBIDDEN_CALLS)})\s*\(", code(path)):
            found.append(f"{name(path)}: {match.group(1)}()")
    assert not found, "\n".join(found)


def test_no_exported_variables():
    """What modules share is behind functions: no object file defines a global data symbol."""
    build = os.path.dirname(os.environ.get("QUILL_BIN", f"{TOP}/build/bin"))
    objects = [o for o in glob.glob(f"{build}/obj/*/*.o") if os.path.exists(f"{TOP}/src/{o[len(build) + 5:-2]}.c")]
    if not objects:
        pytest.skip("nothing is built")
    out = subprocess.run(["objdump", "-t", *objects], capture_output=True, text=True, check=True).stdout
    # Constant tables are no variables: .rodata, and .data.rel.ro where they hold addresses.
    wrong = [line for line in out.splitlines() if re.search(r" g +O (\.data|\.bss|\.tdata|\.tbss|\*COM\*)\s", line)
             and not re.search(r"__(asan|ubsan|odr|sanitizer|gcov)", line)]
    assert not wrong, "\n".join(wrong)


def test_file_sizes():
    long = [f"{name(p)}: {n} lines" for p in SOURCES if (n := read(p).count("\n")) > 700 and not p.endswith("_test.c")]
    assert not long, f"still one subject? {long}"


def tracked():
    out = subprocess.run(["git", "-c", f"safe.directory={TOP}", "ls-files"], cwd=TOP, capture_output=True, text=True,
                         check=False)
    return [f for f in out.stdout.splitlines() if os.path.exists(f"{TOP}/{f}")]


def test_no_unfinished_marks():
    found = [f"{path}:{number}: {line.strip()[:100]}" for path in tracked() if not path.startswith("tests/corpus/")
             for number, line in enumerate(read(f"{TOP}/{path}").splitlines(), 1) if UNFINISHED.search(line)]
    assert not found, "\n".join(found)


def control_rows():
    return re.findall(r'^\t\{ "([^"]+)", CONTROLS_', read(f"{TOP}/src/conf/controls.c"), re.M)


def test_control_files_read_are_in_the_table():
    rows = set(control_rows())
    wrong = [f"{name(p)} reads control/{f}" for p in SOURCES if not p.endswith(("_test.c", "/control.c"))
             for f in re.findall(r'\bcontrol_(?:line|line_or_me|line_or|number|list_load|map_load|set_load)\("([^"]+)"',
                                 read(p)) if f not in rows]
    assert not wrong, "\n".join(wrong)


def test_control_files_are_documented():
    documented = set(re.findall(r"^\.It Pa (\S+)", read(f"{TOP}/man/qmail-control.5"), re.M))
    rows = {r.removesuffix(".cdb") for r in control_rows()}
    assert not rows - documented, "not in qmail-control(5)"
    assert not documented - rows, "in qmail-control(5), but in no table"


def test_programs_have_manual_pages():
    programs = {v[5:] for v in MAP if v.startswith("PROG_")} & {folder(p) for p in SOURCES} | set(MAP["SCRIPTS"])
    named = {n for page in glob.glob(f"{TOP}/man/*.[18]")
             for n in re.findall(r"^\.Nm (\S+)", read(page).split(".Sh SYNOPSIS")[0], re.M)}
    missing = [p for p in sorted(programs) if p not in named]
    assert not missing, f"no manual page: {missing}"
