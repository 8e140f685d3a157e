"""The ledger: every acknowledged message is delivered, bounced or still queued, with its content unchanged.

Each message that a test sends carries a key and a digest of its body in its
header; whoever finds the message later can tell which one it is and whether it
is whole, wherever trace fields were added above.
"""
import hashlib
import os
import re

KEY = re.compile(rb"^X-Ledger: (\S+) (\S+)\r?$", re.M)


def compose(key, size=500, sender="sender@test", recipient="recipient@test", body=None):
    """A message (LF line ends) that the ledger recognises."""
    if body is None:
        body = "".join(f"{key} line {i} {os.urandom(20).hex()}\n" for i in range(1 + size // 60)).encode()
    digest = hashlib.sha256(body).hexdigest()
    head = f"From: <{sender}>\nTo: <{recipient}>\nSubject: ledger {key}\nX-Ledger: {key} {digest}\n\n"
    return head.encode() + body


class Ledger:
    def __init__(self):
        self.acknowledged, self.uncertain = set(), set()

    @staticmethod
    def identify(message):
        """(key, whole) of a message with any header above, or None when it is not ours."""
        message = message.replace(b"\r\n", b"\n")
        found = KEY.search(message)
        if not found:
            return None
        body = message[found.end():].partition(b"\n\n")[2]
        return found.group(1).decode(), hashlib.sha256(body).hexdigest() == found.group(2).decode()

    def check(self, messages, queued=()):
        """
        messages: contents found delivered or bounced; queued: keys known to be waiting. Returns the number of
        duplicates. Lost or damaged messages fail.
        """
        seen, damaged = {}, set()
        for message in messages:
            identity = self.identify(message)
            if identity is None:
                continue
            key, whole = identity
            seen[key] = seen.get(key, 0) + 1
            if not whole:
                damaged.add(key)
        lost = self.acknowledged - set(seen) - set(queued)
        assert not damaged, f"damaged: {sorted(damaged)[:10]}"
        assert not lost, f"{len(lost)} of {len(self.acknowledged)} acknowledged messages lost: {sorted(lost)[:10]}"
        strangers = set(seen) - self.acknowledged - self.uncertain
        assert not strangers, f"never sent: {sorted(strangers)[:10]}"
        return sum(n - 1 for n in seen.values())
