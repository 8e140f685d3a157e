"""Helpers for end-to-end tests: private instances, sinks, mailbox readers, the ledger."""
from .instance import Instance, BIN, program, sanitized
from .ledger import Ledger, compose
from .mailbox import maildir, mbox
from .net import children_of, free_port, wait_until
from .sink import DROP, Sink, Stall

__all__ = ["BIN", "DROP", "Instance", "Ledger", "Sink", "Stall", "children_of", "compose", "free_port", "maildir",
           "mbox", "program", "sanitized", "wait_until"]
