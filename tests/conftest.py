import os
import signal
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from quilltest import Instance, Sink, program  # noqa: E402


# What is ignored here (under nohup, or in the background of a shell) would be ignored by all that a test starts.
for ignored in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
    if signal.getsignal(ignored) == signal.SIG_IGN:
        signal.signal(ignored, signal.default_int_handler if ignored == signal.SIGINT else signal.SIG_DFL)


def pytest_collection_modifyitems(items):
    """Slow tests last, so that a plain fault shows early."""
    items.sort(key=lambda item: "test_kill" in item.nodeid)


@pytest.fixture
def sink():
    with Sink() as s:
        yield s


@pytest.fixture
def make_instance():
    """Makes instances that are stopped and checked at the end of the test."""
    if not os.path.exists(program("quill")):
        pytest.skip("quill is not built")
    made = []

    def make(*users, start=True, **options):
        instance = Instance(**options)
        made.append(instance)
        for user in users:
            instance.add_user(user)
        if start:
            instance.start()
        return instance
    yield make
    failed = None
    for instance in made:
        try:
            instance.__exit__(None)
        except AssertionError as e:
            failed = failed or e
    if failed:
        raise failed


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """On failure, the instances' logs go to the report."""
    outcome = yield
    report = outcome.get_result()
    if report.when == "call" and report.failed:
        fixture = getattr(item, "funcargs", {}).get("make_instance")
        for cell in getattr(fixture, "__closure__", None) or ():
            if isinstance(cell.cell_contents, list):
                for instance in cell.cell_contents:
                    if isinstance(instance, Instance):
                        report.sections.append((f"log of {instance.me}", instance.log()[-5000:]))
