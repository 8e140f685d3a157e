"""Every known defect of qmail in queue and delivery (contract, appendix A) has a test."""
import os
import re

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# Number: what qmail did; the file and the test that say what we do.
ELSEWHERE = {
    11: ("each recipient had a connection of its own", "tests/root/check_remote.py", "recipients_of_one_domain"),
    12: ("the bounce of one recipient waited for all others, a week perhaps", "tests/test_bounces.py",
         "test_a_late_recipient_does_not_hold_up_the_bounce_of_another"),
    17: ("SIGALRM made everything due, and all of it was tried", "src/sched/sched_dead_test.c",
         "run_all_probes_at_once"),
    21: ("bounces showed what virtualdomains had put in front for an address; senders of lists still have it, because "
         "list managers behind a prefix look for it", "tests/root/check_send.py", "bounce_shows_address_without_prefix"),
    22: ("what qmail-remote's report did not explain was a failure for good", "src/outbound/remotereport_test.c",
         "test_reports"),
    25: ("names of files were not synced: a power cut lost accepted mail", "src/journal/journal_crash_test.c",
         "acknowledged_mail_survives_every_crash"),
    26: ("nor were marks of what was delivered, and texts of bounces", "src/journal/journal_crash_test.c",
         "acknowledged_mail_survives_every_crash"),
    27: ("what was given up was removed by the time of its last reading", "tests/root/check_defects.py",
         "defect_28_what_is_not_accepted_leaves_nothing"),
    31: ("lengths wrapped around", "src/base/base_test.c", "a_buffer_keeps_its_limit"),
    45: ("a wildcard of users/assign that ends in a capital letter matched nothing", "tests/root/check_users.py",
         "assigned_deliveries"),
    46: ("a directory service that did not answer made users unknown", "src/users/getpw_test.c",
         "trouble_is_never_no_such_user"),
    47: ("our Delivered-To line is a loop wherever it comes from; so it is with us", "tests/root/check_dotqmail.py", "loop"),
    48: ("bounces had no MIME form, and nobody heard of delays", "tests/root/check_send.py",
         "bounce_is_a_status_notification_by_default"),
    49: ("dates were in UTC, -0000; so they are with us", "tests/root/check_send.py", "bounce_bytes"),
    50: ("numbers in control files wrapped around", "src/conf/control_test.c", "numbers_are_leading_digits"),
    53: ("retries were computed in 16 and 32 bits", "src/sched/sched_test.c", "attempts_follow_the_quadratic_schedule"),
    56: ("a CR at the end of a line counted in .qmail files and control files", "src/conf/control_test.c",
         "lines_lose_blanks_at_their_end"),
}


def text_of(path):
    with open(f"{TOP}/{path}", encoding="utf-8") as f:
        return f.read()


@pytest.mark.parametrize("number", [*range(11, 31), 31, *range(44, 51), 53, 56, 57])
def test_defect_has_a_test(number):
    own = re.search(rf"^def defect_{number}_\w+\(m\):\n    \"\"\"", text_of("tests/root/check_defects.py"), re.M)
    if own:
        return
    _, path, name = ELSEWHERE[number]
    assert re.search(rf"\b(def|void) {name}\b", text_of(path)), f"{path} has no {name}"
