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


def together(title, function, binaries):
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for binary, ok, bad, output, seconds in pool.map(function, binaries):
            passed, failed = passed + ok, failed + bad
            if bad:
                print(output[-8000:])
            if bad or seconds > 5:
                print(f"  {binary}: {ok} passed, {bad} failed in {seconds:.1f} s", flush=True)
    print(f"{title}: {passed} passed, {failed} failed", flush=True)
    return passed, failed


def pytest(build, options, what):
    """(passed, node ids of what failed), or None when pytest itself failed."""
    with tempfile.NamedTemporaryFile(suffix=".xml") as report:
        status = subprocess.call(
            ["/usr/bin/python3", "-m", "pytest", "-p", "no:cacheprovider", "-q", "-rs", "--durations=5",
             "--tb=short", f"--junitxml={report.name}", *options, *what], cwd=TOP,
            env={**os.environ, "QUILL_BIN": os.path.abspath(build) + "/bin", "PYTHONDONTWRITEBYTECODE": "1"})
        try:
            suite = next(xml.etree.ElementTree.parse(report.name).iter("testsuite"))
        except (xml.etree.ElementTree.ParseError, StopIteration):
            return None
    failed = sorted({f"{case.get('classname').replace('.', '/')}.py::{case.get('name')}"
                     for case in suite.iter("testcase")
                     if case.find("failure") is not None or case.find("error") is not None})
    passed = int(suite.get("tests")) - int(suite.get("skipped")) - len(failed)
    return None if status not in (0, 1, 5) else (passed, failed)


RETRIED_MAX = 8


def end_to_end(build, options):
    """
    The tests start real programs against real clocks, and a machine that does something else for ten seconds can
    fail one. A few that failed are run once more, and named: one that fails twice has failed, and one that is
    named here often deserves a look.
    """
    first = pytest(build, options, ["tests"])
    if first is None:
        return 0, 1
    passed, failed = first
    if not failed or len(failed) > RETRIED_MAX:
        return passed, len(failed)
    print("once more: " + " ".join(failed), flush=True)
    second = pytest(build, [], failed)
    if second is None:
        return passed, len(failed)
    for name in failed:
        if name not in second[1]:
            print(f"unsteady: {name} failed, and passed when it was run again")
    return passed + len(failed) - len(second[1]), len(second[1])


def binaries(build, kind, ending):
    """The binaries whose source still exists."""
    return [b for b in sorted(glob.glob(f"{build}/{kind}/*/*_{ending}"))
            if os.path.exists(b.replace(f"{build}/{kind}/", f"{TOP}/src/") + ".c")]


def main():
    arguments = sys.argv[1:]
    build = "build"
    if arguments[:1] == ["--build"]:
        build, arguments = arguments[1], arguments[2:]
    totals = [together("unit tests", unit, binaries(build, "test", "test")),
              together("kept fuzzing inputs", replay, binaries(build, "replay", "fuzz")),
              end_to_end(build, arguments)]
    passed, failed = (sum(t[i] for t in totals) for i in (0, 1))
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
