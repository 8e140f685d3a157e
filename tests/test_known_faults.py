"""docs/DEFECTS.md: each known fault of qmail is named there, with a test that says what is done instead."""
import os
import re

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def text_of(path):
    with open(f"{TOP}/{path}", encoding="utf-8") as f:
        return f.read()


def test_every_fault_has_a_test():
    rows = re.findall(r"^\| (\d+) \|.*\| `([\w./]+)::(\w+)` \|$", text_of("docs/DEFECTS.md"), re.M)
    assert [int(number) for number, _, _ in rows] == list(range(1, 58))
    missing = [(number, path, name) for number, path, name in rows
               if not re.search(rf"^(def|static void) {name}\(", text_of(path), re.M)]
    assert not missing


def test_every_test_of_a_fault_is_named():
    named = text_of("docs/DEFECTS.md")
    assert not [name for name in re.findall(r"^def (defect_\w+)\(", text_of("tests/root/check_defects.py"), re.M)
                if f"::{name}`" not in named]
