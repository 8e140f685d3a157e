"""What a look-up through qmail-resolve costs.

  bench/dns.py [--questions N] [--domains N]

Runs in private namespaces, so that it needs root and leaves nothing behind: a root and a zone on NSD,
unbound as recursor on the same machine, qmail-resolve in a home of its own.

  warm     one question after the other for a domain that is in the cache (MX,
           A and AAAA of its exchanger), in microseconds
  crowd    the same with 100 questions under way, in questions a second
  domains  as many different domains as wanted, none in any cache, 100 at a
           time: seconds, processor seconds of qmail-resolve, its memory

It fails when a warm question takes longer than it should, a domain is not found, or 10,000 would take a minute.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(HERE)
sys.path.insert(0, TOP + "/tests")
MAIL = 7
TARGET_US = 50


def inside(arguments):
    from quilltest.authority import Resolver
    from quilltest.nameservers import Nsd, Unbound, Zone
    subprocess.run("ip link set lo up; ip route add local 192.0.2.0/24 dev lo", shell=True, check=True)
    with tempfile.TemporaryDirectory(prefix="bench-dns.") as directory:
        tool = directory + "/dnsask"
        subprocess.run(["gcc", "-O2", "-o", tool, HERE + "/tools/dnsask.c"], check=True)
        zone = Zone("test", "192.0.2.2", "* MX 10 mail\nwarm MX 10 mail\nmail A 192.0.2.25\nmail AAAA 2001:db8::25\n")
        root = Zone(".", "192.0.2.1", "", [zone])
        servers = [Nsd("192.0.2.1", [root], directory), Nsd("192.0.2.2", [zone], directory),
                   Unbound("192.0.2.53", directory, "192.0.2.1", quiet=True)]
        resolver = Resolver(["192.0.2.53"])

        def ask(count, window, name):
            out = subprocess.run([tool, resolver.home + "/run/resolve", str(count), str(window), str(MAIL), name],
                                 check=True, stdout=subprocess.PIPE, text=True).stdout
            result = json.loads(out)
            if result["found"] != count:
                print(f"{name}: only {result['found']} of {count} were found")
            return result

        ask(1, 1, "warm.test")
        warm = ask(arguments.questions, 1, "warm.test")
        crowd = ask(arguments.questions, 100, "warm.test")
        before = usage(resolver.process.pid)
        domains = ask(arguments.domains, 100, "d%lu.test")
        after = usage(resolver.process.pid)
        memory = peak_memory(resolver.process.pid)
        resolver.close()
        for server in servers:
            server.close()
    print(f"warm: {warm['median_us']:.1f} us a question (median of {arguments.questions}); target {TARGET_US}")
    print(f"crowd: {arguments.questions / crowd['seconds']:,.0f} questions a second")
    print(f"domains: {arguments.domains} in {domains['seconds']:.2f} s, {after - before:.2f} s of processor time, "
          f"{memory / 1024:.0f} MiB at most")
    in_time = domains["found"] == arguments.domains and domains["seconds"] * 10000 < arguments.domains * 60
    return 0 if warm["median_us"] < TARGET_US and in_time else 1


def usage(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_memory(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return int(next(line for line in f if line.startswith("VmHWM")).split()[1])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--questions", type=int, default=20000)
    parser.add_argument("--domains", type=int, default=10000)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.inside:
        return inside(arguments)
    if os.getuid() != 0:
        sys.exit("bench/dns.py needs root, for a network of its own")
    private = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    return subprocess.call([*private, sys.executable, __file__, *sys.argv[1:], "--inside"],
                           env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})


if __name__ == "__main__":
    sys.exit(main())
