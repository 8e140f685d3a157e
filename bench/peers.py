"""How each mail server is configured, started and emptied for a measurement.

A peer listens on 127.0.0.1:2500, delivers bench@bench.test to
/home/bench/Maildir and relays everything else to 127.0.0.1:2600. Limits meant
to protect small machines are raised on all of them alike. Paths are inside the
overlay `view`; `root` is the disk where queues are kept.
"""
import os
import shutil
import subprocess
import time

PORT, SINK_PORT = 2500, 2600


class Peer:
    def __init__(self, view, root, build):
        self.view, self.root, self.build = view, root, build

    def chroot(self, *command, **options):
        return subprocess.run(("chroot", self.view) + command, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, **options)

    def write(self, path, text):
        with open(self.view + path, "w") as f:
            f.write(text)

    def on_disk(self, name, path):
        """Puts path on the real disk, without the overlay between."""
        disk = f"{self.root}/data/{name}"
        shutil.rmtree(disk, ignore_errors=True)
        if os.path.isdir(self.view + path):
            subprocess.run(["cp", "-a", self.view + path, disk], check=True)
        else:
            os.makedirs(disk)
            os.makedirs(self.view + path)
        subprocess.run(["mount", "--bind", disk, self.view + path], check=True)


class Postfix(Peer):
    name = "postfix"
    sendmail = ("/usr/sbin/sendmail", "-t")
    SETTINGS = f"""\
compatibility_level = 3.6
myhostname = mail.bench.test
mydestination = bench.test, localhost
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
relayhost = [127.0.0.1]:{SINK_PORT}
alias_maps =
alias_database =
local_recipient_maps =
home_mailbox = Maildir/
biff = no
disable_dns_lookups = yes
smtpd_peername_lookup = no
smtpd_tls_security_level = none
smtp_tls_security_level = none
message_size_limit = 104857600
mailbox_size_limit = 0
default_process_limit = 1000
default_destination_concurrency_limit = 100
local_destination_concurrency_limit = 20
initial_destination_concurrency = 20
in_flow_delay = 0
smtpd_client_connection_count_limit = 0
"""
    # service, type, private, unprivileged, chroot, wakeup, limit, program
    SERVICES = (
        "pickup unix n - n 60 1 pickup", "cleanup unix n - n - 0 cleanup", "qmgr unix n - n 300 1 qmgr",
        "rewrite unix - - n - - trivial-rewrite", "bounce unix - - n - 0 bounce", "defer unix - - n - 0 bounce",
        "trace unix - - n - 0 bounce", "verify unix - - n - 1 verify", "flush unix n - n 1000? 0 flush",
        "proxymap unix - - n - - proxymap", "proxywrite unix - - n - 1 proxymap", "smtp unix - - n - 100 smtp",
        "relay unix - - n - 100 smtp", "showq unix n - n - - showq", "error unix - - n - - error",
        "retry unix - - n - - error", "local unix - n n - 20 local", "anvil unix - - n - 1 anvil",
        "scache unix - - n - 1 scache")

    def configure(self):
        self.write("/etc/postfix/main.cf", self.SETTINGS)
        self.write("/etc/postfix/master.cf", "\n".join(
            (f"127.0.0.1:{PORT} inet n - n - - smtpd",) + self.SERVICES) + "\n")
        self.on_disk("postfix", "/var/spool/postfix")

    def reset(self):
        self.chroot("postsuper", "-d", "ALL")

    def start(self, bench):
        bench.spawn("chroot", self.view, "postfix", "start",
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).wait()

    def stop(self):
        self.chroot("postfix", "stop")


class Quillmail(Peer):
    name = "quillmail"
    sendmail = ("/var/qmail/bin/sendmail", "-t")
    CONTROL = {
        "me": "mail.bench.test", "locals": "bench.test", "rcpthosts": "bench.test\ndest.test\n.dest.test",
        "smtproutes": f":127.0.0.1:{SINK_PORT}", "concurrencylocal": "120", "concurrencyremote": "120",
        "smtplisten": f"127.0.0.1:{PORT}", "concurrencyincoming": "1000", "concurrencyperclient": "1000",
    }
    daemons = ()

    def configure(self):
        self.on_disk("qmail", "/var/qmail")
        environment = dict(os.environ, DESTDIR=self.view, HOME_DIR="/var/qmail")
        subprocess.run(["chroot", self.view, "sh", "-c",
                        f"cd '{os.path.dirname(self.build)}' && DESTDIR= HOME_DIR=/var/qmail "
                        f"mk/install.sh '{self.build}/bin'"], check=True, env=environment, stdout=subprocess.DEVNULL)
        for name, value in self.CONTROL.items():
            self.write("/var/qmail/control/" + name, value + "\n")

    def reset(self):
        for name in os.listdir(self.view + "/var/qmail/queue"):
            path = f"{self.view}/var/qmail/queue/{name}"
            if os.path.isdir(path):
                shutil.rmtree(path)
            else:
                os.unlink(path)

    def start(self, bench):
        log = open(f"{self.root}/quillmail.log", "a")
        bin_first = "PATH=/var/qmail/bin:/usr/bin:/bin"
        self.daemons = [
            bench.spawn("chroot", self.view, "env", "-", bin_first, "qmail-start", "./Maildir/",
                        stdin=subprocess.DEVNULL, stdout=log, stderr=log)]
        time.sleep(0.5)
        self.daemons.append(
            bench.spawn("chroot", self.view, "env", "-", bin_first, "qmail-smtpd", "-d",
                        stdin=subprocess.DEVNULL, stdout=log, stderr=log))

    def stop(self):
        for daemon in reversed(self.daemons):
            daemon.terminate()
        for daemon in self.daemons:
            try:
                daemon.wait(20)
            except subprocess.TimeoutExpired:
                daemon.kill()
        self.daemons = ()


PEERS = {p.name: p for p in (Postfix, Quillmail)}
