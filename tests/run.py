"""All tests: unit tests, kept fuzzing inputs, end to end. Ends with `N passed, N failed`.

  tests/run.py --build DIR [pytest options]
"""
import concurrent.futures
import glob
import os
import re
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TIMEOUT = int(os.environ.get("UNIT_TIMEOUT", "300"))


def execute(command):
    """(status, output); a status of None means that time was up."""
    try:
        p = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                           timeout=TIMEOUT, check=False)
        return p.returncode, p.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired as e:
        return None, (e.stdout or b"").decode(errors="replace") + f"\nno end after {TIMEOUT} s\n"


def unit(binary):
    """Counts cmocka's lines; a crash counts as one more failure."""
    started = time.monotonic()
    status, output = execute([binary])
    passed = len(re.findall(r"^\[       OK \]", output, re.M))
    failed = len(re.findall(r"^\[  FAILED  \] \S+$", output, re.M)) // 2  # named twice: when it fails, and at the end
    if status != 0 and failed == 0:
        failed = 1
    return binary, passed, failed, output, time.monotonic() - started


def replay(binary):
    name = os.path.basename(binary)[:-len("_fuzz")]
    started = time.monotonic()
    status, output = execute([binary] + sorted(glob.glob(f"{TOP}/tests/corpus/{name}/*")))
    return binary, int(status == 0), int(status != 0), output, time.monotonic() - started


def together(pool, title, function, binaries):
    """Starts them all; what it returns waits for them and says how they ended."""
    results = pool.map(function, binaries)

    def finish():
        passed = failed = 0
        for binary, ok, bad, output, seconds in results:
            passed, failed = passed + ok, failed + bad
            if bad:
                print(output[-8000:])
            if bad or seconds > 5:
                print(f"  {binary}: {ok} passed, {bad} failed in {seconds:.1f} s", flush=True)
        print(f"{title}: {passed} passed, {failed} failed", flush=True)
        return passed, failed
    return finish


def pytest(build, options, what):
    """(passed, node ids of what failed, output); passed is None when pytest itself failed."""
    with tempfile.NamedTemporaryFile(suffix=".xml") as report:
        process = subprocess.run(
            ["/usr/bin/python3", "-m", "pytest", "-p", "no:cacheprovider", "-q", "-rs", "--durations=2",
             "--tb=short", f"--junitxml={report.name}", *options, *what], cwd=TOP, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
            env={**os.environ, "QUILL_BIN": os.path.abspath(build) + "/bin", "PYTHONDONTWRITEBYTECODE": "1"})
        output = process.stdout.decode(errors="replace")
        try:
            suite = next(xml.etree.ElementTree.parse(report.name).iter("testsuite"))
        except (xml.etree.ElementTree.ParseError, StopIteration):
            return None, [], output
    failed = sorted({f"{case.get('classname').replace('.', '/')}.py::{case.get('name')}"
                     for case in suite.iter("testcase")
                     if case.find("failure") is not None or case.find("error") is not None})
    passed = int(suite.get("tests")) - int(suite.get("skipped")) - len(failed)
    return passed if process.returncode in (0, 1, 5) else None, failed, output


RETRIED_MAX = 16
# Those that take longest start first, so that none of them is alone at the end.
LONG = ["root/test_contract.py", "test_kill.py", "test_dns.py", "test_straight_path.py", "test_faults.py",
        "root/test_package.py"]


def test_files():
    files = [os.path.relpath(f, f"{TOP}/tests") for f in glob.glob(f"{TOP}/tests/**/test_*.py", recursive=True)]
    return sorted(files, key=lambda f: (LONG.index(f) if f in LONG else len(LONG), f))


def end_to_end(pool, build, options):
    """
    Starts them all, and returns what waits for them. Files run beside each other: most tests wait for a clock or a
    process more than they compute. All start real programs against real clocks, and a machine that does something
    else for ten seconds can fail one. A few that failed are run once more, by themselves, and named: one that fails
    twice has failed, and one that is named here often deserves a look.
    """
    def run(file):
        started = time.monotonic()
        return file, pytest(build, options, [f"tests/{file}"]), time.monotonic() - started

    results = pool.map(run, test_files())

    def finish():
        passed, failed, broken = 0, [], 0
        for file, (ok, bad, output), seconds in results:
            if ok is None or bad:
                print(output[-20000:])
            elif "\nSKIPPED" in output:
                print("\n".join(line for line in output.splitlines() if line.startswith("SKIPPED")))
            print(f"  {file}: {ok or 0} passed, {len(bad)} failed in {seconds:.0f} s", flush=True)
            passed, failed, broken = passed + (ok or 0), failed + bad, broken + (ok is None)
        saved = once_more(build, failed) if 0 < len(failed) <= RETRIED_MAX else 0
        return passed + saved, len(failed) - saved + broken
    return finish


def once_more(build, failed):
    """How many of them pass now."""
    print("once more: " + " ".join(failed), flush=True)
    passed, failed_again, output = pytest(build, [], failed)
    print(output[-20000:])
    if passed is None:
        return 0
    for name in failed:
        if name not in failed_again:
            print(f"unsteady: {name} failed, and passed when it was run again")
    return len(failed) - len(failed_again)


def binaries(build, kind, ending):
    """The binaries whose source still exists; those of the journal, which take longest, first."""
    return [b for b in sorted(glob.glob(f"{build}/{kind}/*/*_{ending}"), key=lambda b: ("journal" not in b, b))
            if os.path.exists(b.replace(f"{build}/{kind}/", f"{TOP}/src/") + ".c")]


def main():
    arguments = sys.argv[1:]
    build = "build"
    if arguments[:1] == ["--build"]:
        build, arguments = arguments[1], arguments[2:]
    with concurrent.futures.ThreadPoolExecutor((os.cpu_count() or 1) + 1) as pool:
        parts = [together(pool, "unit tests", unit, binaries(build, "test", "test")),
                 together(pool, "kept fuzzing inputs", replay, binaries(build, "replay", "fuzz")),
                 end_to_end(pool, build, arguments)]
        totals = [finish() for finish in parts]
    passed, failed = (sum(t[i] for t in totals) for i in (0, 1))
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
