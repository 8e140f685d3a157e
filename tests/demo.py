"""What `make demo` shows: two private mail systems, mail between them, and the way of each message.

Everything runs without root privileges on loopback, and is gone afterwards.
Ends with status 1 when a message does not arrive.
"""
import os
import re
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from quilltest import BIN, Instance  # noqa: E402

BOLD, PLAIN = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")


def title(text):
    print(f"\n{BOLD}{text}{PLAIN}", flush=True)


def indent(text, limit=40):
    lines = text.splitlines()
    for line in lines[:limit]:
        print("    " + line)
    if len(lines) > limit:
        print(f"    ... {len(lines) - limit} more lines")


def send(instance, sender, recipient, subject):
    """By SMTP, with Python's smtplib. Returns the moment of the 250."""
    message = f"From: <{sender}>\r\nTo: <{recipient}>\r\nSubject: {subject}\r\n\r\nHello from the demo.\r\n"
    with instance.smtp() as client:
        client.ehlo()
        client.mail(sender)
        client.rcpt(recipient)
        code, text = client.data(message)
        accepted = time.monotonic()
    assert code == 250, text
    return accepted


def show(instance, user, count, accepted):
    """The newest of count messages, and how long after its acceptance it was seen."""
    deadline = time.monotonic() + 20
    while len(names := new_messages(instance, user)) < count:
        assert time.monotonic() < deadline, f"no mail for {user}@{instance.me}\n{instance.log()}"
        time.sleep(0.0005)
    seen = (time.monotonic() - accepted) * 1000
    print(f"  seen {seen:.1f} ms after it was handed over, as {names[-1]}:")
    with open(names[-1], encoding="utf-8", errors="replace") as f:
        indent(f.read())


def new_messages(instance, user):
    directory = instance.users[user] + "/Maildir/new"
    return sorted((os.path.join(directory, n) for n in os.listdir(directory)), key=lambda p: os.stat(p).st_mtime_ns)


def way(instance, known):
    """The log lines since `known`, as the operator sees them."""
    log = "\n".join(line for line in instance.log()[known:].splitlines() if not line.startswith("status:"))
    print(f"  log of {instance.me}:")
    indent(log)
    return len(instance.log())


def main():
    if not os.path.exists(BIN + "/quill"):
        sys.exit(f"demo: no quill in {BIN}; run make first")
    started = time.monotonic()
    with Instance(me="there.example") as there, Instance(me="here.example") as here:
        there.add_user("bob")
        here.add_user("ann")
        # The remote domain is served by the second instance, on another port of loopback.
        here.control(smtproutes=f"there.example:127.0.0.1:{there.port}", rcpthosts="here.example\nthere.example")
        title("Two mail systems, each with its own directory, port and processes")
        for instance in (there, here):
            instance.start()
            processes = sorted(set(instance.leftovers().values()) - {"quill"})
            print(f"  {instance.me:15} 127.0.0.1:{instance.port}  {', '.join(processes)}")
        seen_here = seen_there = 0
        seen_here, seen_there = len(here.log()), len(there.log())

        title("1. By SMTP to a local user: ann@here.example")
        accepted = send(here, "visitor@elsewhere.example", "ann@here.example", "local")
        show(here, "ann", 1, accepted)
        here.wait_empty()
        seen_here = way(here, seen_here)

        title("2. By SMTP to a remote domain: bob@there.example")
        accepted = send(here, "ann@here.example", "bob@there.example", "remote")
        show(there, "bob", 1, accepted)
        here.wait_empty()
        there.wait_empty()
        seen_here, seen_there = way(here, seen_here), way(there, seen_there)

        title("3. With sendmail to an address that does not exist: the bounce comes back")
        accepted = time.monotonic()
        here.inject("-fann@here.example", "nobody@here.example", name="sendmail", message=b"Subject: lost\n\nx\n")
        show(here, "ann", 2, accepted)
        here.wait_empty()
        way(here, seen_here)
        assert re.search(r"^bounce msg \d+ qp \d+$", here.log(), re.M)

        title("Nothing is left in the queue")
        indent(here.run(BIN + "/quill", "queue", here.home, check=False).stdout.decode() or "(empty)\n")
    title(f"All mail arrived, in {time.monotonic() - started:.1f} s; both systems are stopped and removed.")
    short = os.path.relpath(os.environ.get("QUILL_BIN", BIN))
    print(f"""
Make one of your own:
  {short}/quill init /tmp/mail --me mail.example --smtp 127.0.0.1:2525
  {short}/quill up /tmp/mail          # in the foreground; Ctrl-C ends it
  {short}/quill status /tmp/mail      # in another terminal
  {short}/quill queue /tmp/mail
""")


if __name__ == "__main__":
    try:
        main()
    except AssertionError as e:
        sys.exit(f"demo: {e}")
