"""
Postfix, Exim, OpenSMTPD, Dovecot (by LMTP) and smtp-sink from Debian as receivers, each in a mount and process namespace of its own.

    with Postfix(certificate=path_of_a_pem_file) as peer:
        peer.port; peer.messages() -> contents of what was delivered, from the Subject line on

All take mail for h.test on 127.0.0.1, in a Maildir. no@h.test is refused for good, later@h.test for now; a message of
more than SIZE_MAX bytes is refused. The packages are unpacked by mk/mailpeers.sh.
"""
import os
import shutil
import signal
import socket
import subprocess
import tempfile

from .net import children_of, free_port, wait_until

PACKAGES = "/usr/local/lib/mail-peers"
SIZE_MAX = 4_000_000

ENTER = """\
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/view"
cp -R "$2/." "$1/upper"
mount -t overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" overlay "$1/view"
mkdir -p "$1/view/lab"
mount --bind "$3" "$1/view/lab"
mount --rbind /dev "$1/view/dev"
mount -t proc proc "$1/view/proc"
mount -t tmpfs -o mode=1777 tmpfs "$1/view/tmp"
mount -t tmpfs -o mode=755 tmpfs "$1/view/run"
cat "$3/passwd" >>"$1/view/etc/passwd"
cat "$3/group" >>"$1/view/etc/group"
exec chroot "$1/view" sh -c "$4"
"""


def available():
    if os.getuid() != 0 or not os.path.isdir(PACKAGES):
        return False
    return subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], capture_output=True,
                          check=False).returncode == 0


class MailPeer:
    name, accounts, groups, tls_works = None, (), (), True
    chunk_mark = None  # what the log says of a message that came by BDAT

    def __init__(self, certificate=None, **options):
        self.port, self.certificate, self.options = free_port(), certificate, options
        self.dir = tempfile.mkdtemp(prefix=f"{self.name}.", dir="/tmp")
        os.chmod(self.dir, 0o755)
        for name in ("view", "lab", "lab/mail"):
            os.mkdir(f"{self.dir}/{name}")
        os.chmod(self.dir + "/lab/mail", 0o777)
        if certificate:
            shutil.copy(certificate, f"{self.dir}/lab/cert.pem")
            os.chmod(f"{self.dir}/lab/cert.pem", 0o600)
        self.write("passwd", "".join(f"{n}:x:{u}:{g}::/nonexistent:/bin/false\n" for n, u, g in self.accounts))
        self.write("group", "".join(f"{n}:x:{g}:\n" for n, g in self.groups))
        for path, text in self.files().items():
            self.write(path, text)
        self.log_seen = 0
        self.log = open(f"{self.dir}/output", "ab")
        self.process = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", ENTER, "sh", f"{self.dir}/view",
             PACKAGES, f"{self.dir}/lab", self.command()], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        try:
            wait_until(self._listens, 30, self.name)
        except AssertionError:
            print(self.log_text())
            self.close()
            raise

    def write(self, name, text):
        with open(f"{self.dir}/lab/{name}", "w", encoding="ascii") as f:
            f.write(text)

    def _listens(self):
        assert self.process.poll() is None, self.log_text()
        try:
            with socket.create_connection(("127.0.0.1", self.port), 5) as s:
                return s.recv(4) == b"220 "
        except OSError:
            return False

    def log_text(self):
        text = ""
        for path in (f"{self.dir}/output", *(f"{self.dir}/lab/{name}log" for name in ("", "main", "panic"))):
            if os.path.exists(path):
                with open(path, encoding="utf-8", errors="replace") as f:
                    text += f.read()
        return text

    def saw_chunks(self):
        """Since the last call that said so."""
        text = self.log_text()
        seen = self.chunk_mark is not None and self.chunk_mark in text[self.log_seen:]
        if seen:
            self.log_seen = len(text)
        return seen

    def _files(self):
        for folder, _, names in os.walk(f"{self.dir}/lab/mail"):
            for name in names if folder.endswith("/new") else ():
                yield f"{folder}/{name}"

    def messages(self):
        """Contents from the Subject line on."""
        found = []
        for path in self._files():
            with open(path, "rb") as f:
                content = f.read()
            found.append(content[content.index(b"Subject: "):])
        return sorted(found)

    def forget(self):
        for path in self._files():
            os.unlink(path)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        # The init of the namespace, and everything in the namespace with it. It need not notice the end of unshare: the
        # kernel forgets that wish of a process that changes its user.
        for pid in children_of(self.process.pid) if self.process.poll() is None else ():
            os.kill(pid, signal.SIGKILL)
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.log.close()
        wait_until(self._unmounted, 20, "the end of " + self.name)

    def _unmounted(self):
        shutil.rmtree(self.dir, True)
        return not os.path.exists(self.dir)


class Postfix(MailPeer):
    name, chunk_mark = "postfix", " bdat="
    accounts = (("postfix", 7601, 7601),)
    groups = (("postfix", 7601), ("postdrop", 7602))

    def files(self):
        tls = "smtpd_tls_security_level = may\nsmtpd_tls_chain_files = /lab/cert.pem\n" if self.certificate else ""
        discard = self.options.get("discard", "")
        return {
            "main.cf": f"""\
compatibility_level = 3.6
myhostname = postfix.test
mydestination =
inet_protocols = ipv4
smtputf8_enable = no
maillog_file = /lab/log
maillog_file_prefixes = /lab
virtual_mailbox_domains = h.test
virtual_mailbox_base = /lab/mail
virtual_mailbox_maps = static:all/
virtual_uid_maps = static:7601
virtual_gid_maps = static:7601
virtual_minimum_uid = 100
message_size_limit = {SIZE_MAX}
mailbox_size_limit = 0
virtual_mailbox_limit = 0
header_checks = regexp:/lab/headers
smtpd_recipient_limit = {self.options.get("recipients", 1000)}
smtpd_error_sleep_time = 0
smtpd_discard_ehlo_keywords = {discard}
smtpd_recipient_restrictions =
  check_recipient_access inline:{{{{no@h.test = 550 5.1.1 nobody}}, {{later@h.test = 450 4.2.1 later}}}},
  reject_unauth_destination
{tls}""",
            "headers": "/^Subject: refused/ REJECT not this\n",
            "master.cf": f"""\
127.0.0.1:{self.port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
error unix - - n - - error
retry unix - - n - - error
proxymap unix - - n - - proxymap
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""}

    def command(self):
        return """\
set -e
mkdir -p /etc/postfix /var/spool/postfix /var/lib/postfix
cp /lab/main.cf /lab/master.cf /etc/postfix/
chown postfix /var/lib/postfix
postconf -e 'config_directory = /etc/postfix'
postfix check
exec /usr/lib/postfix/sbin/master -s
"""


class Exim(MailPeer):
    name, chunk_mark = "exim", " K "
    accounts = (("Debian-exim", 7611, 7611),)
    groups = (("Debian-exim", 7611),)

    def files(self):
        tls = "tls_advertise_hosts = *\ntls_certificate = /lab/cert.pem\ntls_privatekey = /lab/cert.pem\n"
        hide = self.options.get("hide", ())
        # joe may, with the password "s3 cret".
        refused = "${if def:authenticated_id {no}{yes}}" if self.options.get("authenticated") else "no"
        return {"exim.conf": f"""\
primary_hostname = exim.test
spool_directory = /var/spool/exim4
log_file_path = /lab/%slog
local_interfaces = 127.0.0.1
daemon_smtp_ports = {self.port}
message_size_limit = {SIZE_MAX}
recipients_max = {self.options.get("recipients", 0)}
qualify_domain = h.test
smtp_accept_max = 0
smtp_accept_max_per_connection = 0
smtp_accept_queue_per_connection = 0
rfc1413_hosts =
host_lookup =
keep_environment =
chunking_advertise_hosts = {"" if "CHUNKING" in hide else "*"}
pipelining_advertise_hosts = {"" if "PIPELINING" in hide else "*"}
acl_smtp_rcpt = rcpt
acl_smtp_data = data
{tls if self.certificate else "tls_advertise_hosts ="}

begin acl
rcpt:
  deny condition = {refused}
    message = 5.7.1 who are you?
  deny recipients = no@h.test
    message = 5.1.1 nobody
  defer recipients = later@h.test
    message = 4.2.1 later
  accept domains = h.test
  deny message = 5.7.1 not here
data:
  deny condition = ${{if eq{{$h_subject:}}{{refused}}}}
    message = 5.7.1 not this
  accept

begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and{{{{eq{{$auth2}}{{joe}}}}{{eq{{$auth3}}{{s3 cret}}}}}}}}
  server_set_id = $auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = <| Username: | Password:
  server_condition = ${{if and{{{{eq{{$auth1}}{{joe}}}}{{eq{{$auth2}}{{s3 cret}}}}}}}}
  server_set_id = $auth1
cram:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = ${{if eq{{$auth1}}{{joe}}{{s3 cret}}fail}}
  server_set_id = $auth1

begin routers
all:
  driver = accept
  transport = maildir

begin transports
maildir:
  driver = appendfile
  directory = /lab/mail/all
  create_directory
  maildir_format
  user = Debian-exim
  batch_max = 1
"""}

    def command(self):
        return """\
set -e
mkdir -p /var/spool/exim4 /lab/mail/all
chown Debian-exim:Debian-exim /var/spool/exim4 /lab/mail/all
cp /lab/exim.conf /etc/exim.conf
if [ -e /lab/cert.pem ]; then chown Debian-exim /lab/cert.pem; fi
touch /lab/mainlog /lab/paniclog /lab/rejectlog
chown Debian-exim /lab/*log
exec exim4 -C /etc/exim.conf -bdf
"""


class OpenSmtpd(MailPeer):
    name = "opensmtpd"
    tls_works = False  # Debian 12's fails in every handshake
    accounts = (("opensmtpd", 7621, 7621), ("opensmtpq", 7622, 7622), ("postbox", 7623, 7623))
    groups = (("opensmtpd", 7621), ("opensmtpq", 7622), ("postbox", 7623))

    def files(self):
        pki = 'pki peer cert "/lab/cert.pem"\npki peer key "/lab/cert.pem"\n' if self.certificate else ""
        return {"smtpd.conf": f"""\
{pki}smtp max-message-size {SIZE_MAX}
smtp limit max-rcpt {self.options.get("recipients", 1000)}
listen on 127.0.0.1 port {self.port} {"tls pki peer" if self.certificate else ""} hostname opensmtpd.test
table box {{ "@" = postbox }}
action "keep" maildir "/lab/mail/all" virtual <box>
match from any for domain "h.test" rcpt-to {{ "no@h.test" }} reject
match from any for domain "h.test" action "keep"
"""}

    def command(self):
        return """\
set -e
cp /lab/smtpd.conf /etc/smtpd.conf
mkdir -p /var/spool/smtpd /var/lib/opensmtpd/empty /run/opensmtpd /lab/mail/all
chmod 711 /var/spool/smtpd
chown postbox /lab/mail/all
exec smtpd -d
"""


class Dovecot(MailPeer):
    """LMTP. It knows all@ and other@h.test; what is for full@h.test cannot be stored."""
    name = "dovecot"
    accounts = (("dovecot", 7631, 7631), ("dovenull", 7632, 7632), ("postbox", 7633, 7633))
    groups = (("dovecot", 7631), ("dovenull", 7632), ("postbox", 7633))

    def files(self):
        return {
            "users": "".join(f"{name}@h.test::7633:7633::/lab::userdb_mail=maildir:{place}\n" for name, place in (
                ("all", "/lab/mail/all"), ("other", "/lab/mail/other"), ("full", "/proc/full"))),
            "dovecot.conf": f"""\
protocols = lmtp
base_dir = /run/dovecot
log_path = /lab/log
auth_username_format = %Lu
ssl = {"yes" if self.certificate else "no"}
{"ssl_cert = </lab/cert.pem" if self.certificate else ""}
{"ssl_key = </lab/cert.pem" if self.certificate else ""}
postmaster_address = postmaster@h.test
first_valid_uid = 100
userdb {{
  driver = passwd-file
  args = /lab/users
}}
passdb {{
  driver = passwd-file
  args = /lab/users
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {self.port}
    ssl = no
  }}
}}
"""}

    def command(self):
        return """\
set -e
chown postbox /lab/mail
exec dovecot -F -c /lab/dovecot.conf
"""


class SmtpSink(MailPeer):
    """Keeps nothing. options: its command line."""
    name = "smtp-sink"

    def files(self):
        return {}

    def command(self):
        return f"exec smtp-sink -u nobody {self.options.get('moods', '')} 127.0.0.1:{self.port} 100"
