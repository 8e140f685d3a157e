#!/usr/bin/python3
"""Memory of qmail-rspawn with many sessions at a time.

  bench/sessions.py [--sessions 1000] [--tls]

Each session delivers a 4 KiB message to a server that does not answer after the dot.
"""
import argparse
import os
import resource
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE) + "/tests")
sys.dont_write_bytecode = True
from quilltest import Sink, Stall  # noqa: E402
from quilltest.certificate import Authority  # noqa: E402
from quilltest.rspawn import Rspawn  # noqa: E402

PER_ADDRESS = 5  # sessions that a server gets of which nothing is known


def memory(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("Rss:")) / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=1000)
    parser.add_argument("--tls", action="store_true")
    o = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    hosts = [f"127.1.{n // 250}.{n % 250 + 1}" for n in range((o.sessions + PER_ADDRESS - 1) // PER_ADDRESS)]
    authority = Authority()
    context = authority.context("sink.test") if o.tls else None
    authority.close()
    content = b"Subject: x\n\n" + b"x" * 70 + b"\n" * 4000
    with Sink(host="0.0.0.0", tls=context) as sink:
        sink.on("dot", Stall(3600))
        routes = "\n".join(f"h{n}.test:{host}:{sink.port}" for n, host in enumerate(hosts))
        with Rspawn(smtproutes=routes) as r:
            r.control(timeoutremote="3600", timeoutconnect="600")
            before, started = memory(r.process.pid), time.time()
            for n in range(o.sessions):
                r.request([f"r@h{n % len(hosts)}.test"], content=content)
            while sink.open < o.sessions or sum(line == b"DATA" for _, line in list(sink.commands)) < o.sessions:
                time.sleep(1)
                if time.time() - started > 300:
                    sys.exit(f"only {sink.open} sessions")
            time.sleep(3)
            after = memory(r.process.pid)
            print(f"{o.sessions} sessions{' with TLS' if o.tls else ''}: {after:.1f} MiB in all, "
                  f"{(after - before) * 1024 / o.sessions:.1f} KiB each")
            # Deliveries that hang would hold up the end.
            sink.stop()
            time.sleep(2)


if __name__ == "__main__":
    main()
