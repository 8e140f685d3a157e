"""Ports, processes and waiting."""
import random
import socket
import time

_given = set()


def free_port(host="127.0.0.1"):
    """
    A port nobody listens on; never the same one twice in a run. From below the range that the kernel gives to
    outgoing connections, and by chance, so that neither those nor tests beside this one take it before it is used.
    """
    while True:
        port = random.randrange(10000, 32000)
        if port in _given:
            continue
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as s:
            try:
                s.bind((host, port))
            except OSError:
                continue
        _given.add(port)
        return port


def wait_until(condition, timeout=20.0, what="condition"):
    """Polls until condition() is true, and returns its value; fails after timeout seconds."""
    deadline = time.monotonic() + timeout
    pause = 0.005
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"timed out after {timeout} s waiting for {what}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)


def children_of(pid):
    """The numbers of its child processes."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        return [int(child) for child in f.read().split()]
