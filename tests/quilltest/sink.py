"""A scripted SMTP server that keeps what it gets and can misbehave.

    with Sink() as sink:
        sink.on("rcpt", lambda arg, session: "550 no" if b"perm@" in arg else None)
        sink.on("dot", DROP)
        ...
        sink.messages -> [Message(sender, recipients, data, helo, connection)]

Stages: connect helo starttls auth mail rcpt data bdat dot rset quit. A mood is None (behave), a
reply line (str, several lines with \\n), DROP (close the connection), Stall(s)
(wait, then behave), or a function (argument, session) returning one of those.
Addresses are kept as they stood on the wire, without the angle brackets.

tls: an ssl.SSLContext makes it offer STARTTLS (hello: what it offers then instead of extensions); with wrapped, TLS
begins before the greeting. users {name: password} makes it offer AUTH, only under TLS if there is TLS, and ask for
it. lmtp: one reply for each recipient, to the stage "dot" with (recipient's address, session).
"""
import base64
import collections
import hmac
import socket
import threading
import time

Message = collections.namedtuple("Message", "sender recipients data helo connection tls", defaults=(None,))


class Drop:
    pass


DROP = Drop()


class Stall:
    def __init__(self, seconds):
        self.seconds = seconds


class Sink:
    def __init__(self, host="127.0.0.1", port=0, extensions=("PIPELINING", "8BITMIME", "SIZE 104857600"),
                 tls=None, hello=None, wrapped=False, users=None, mechanisms="PLAIN LOGIN CRAM-MD5", lmtp=False):
        self.tls, self.wrapped, self.users, self.mechanisms, self.lmtp = tls, wrapped, users, mechanisms, lmtp
        self.hello = extensions if hello is None else hello
        self.resumed = 0
        self.knows_bdat = True
        self.extensions = extensions
        self.messages, self.commands = [], []
        self.connections = self.open = self.most_open = 0
        self.moods, self.lock = {}, threading.Lock()
        self.sockets = set()
        self.listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET,
                                             backlog=200, reuse_port=False)
        self.host, self.port = self.listener.getsockname()[:2]
        self.stopping = False
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def on(self, stage, mood):
        self.moods[stage] = mood

    def stop(self):
        """Closes the listener and every open connection."""
        self.stopping = True
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        self.hang_up()

    def hang_up(self):
        """Ends every open connection."""
        with self.lock:
            for s in list(self.sockets):
                try:
                    s.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def _accept(self):
        while not self.stopping:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                self.sockets.add(connection)
                self.connections += 1
                self.open += 1
                self.most_open = max(self.most_open, self.open)
                number = self.connections
            threading.Thread(target=self._serve, args=(connection, number), daemon=True).start()

    def encrypt(self, connection):
        connection = self.tls.wrap_socket(connection, server_side=True)
        with self.lock:
            self.sockets.add(connection)
            self.resumed += bool(connection.session_reused)
        return connection

    def _serve(self, connection, number):
        plain = connection
        try:
            with connection:
                if self.wrapped:
                    connection = self.encrypt(connection)
                with connection, connection.makefile("rwb") as stream:
                    session = _Session(self, stream, number)
                    session.connection, session.secure = connection, self.wrapped
                    session.run()
        except (OSError, ValueError):
            pass
        finally:
            with self.lock:
                self.sockets.discard(plain)
                self.open -= 1


class _Session:
    def __init__(self, sink, stream, number):
        self.sink, self.stream, self.number = sink, stream, number
        self.helo, self.sender, self.recipients = None, None, []
        self.connection, self.secure, self.user, self.pieces = None, False, None, None

    def run(self):
        if not self.answer("connect", b"", "220 sink.test ESMTP"):
            return
        while True:
            line = self.stream.readline(1_000_000)
            if not line:
                return
            line = line.rstrip(b"\r\n")
            with self.sink.lock:
                self.sink.commands.append((self.number, line))
            if not self.command(line):
                return

    def command(self, line):
        verb, _, argument = line.partition(b" ")
        verb = verb.upper()
        if verb in ((b"LHLO",) if self.sink.lmtp else (b"HELO", b"EHLO")):
            self.helo, self.sender = argument, None
            lines = ["sink.test"] + (self.offers() if verb != b"HELO" else [])
            reply = "\n".join(f"250{'-' if i < len(lines) - 1 else ' '}{text}" for i, text in enumerate(lines))
            return self.answer("helo", argument, reply)
        if verb == b"STARTTLS" and self.sink.tls and not self.secure:
            return self.start_tls()
        if verb == b"AUTH" and self.sink.users:
            return self.authenticate(argument)
        if verb == b"MAIL" and self.sink.users and not self.user:
            return self.send("530 5.7.0 who are you?")
        if verb == b"BDAT" and self.sink.knows_bdat:
            return self.bdat(argument)
        if verb == b"MAIL":
            self.sender, self.recipients = None, []
            return self.answer("mail", argument, "250 2.1.0 ok", lambda: setattr(self, "sender", path(argument)))
        if verb == b"RCPT" and self.sender is None:
            return self.send("503 5.5.1 no sender")
        if verb == b"RCPT":
            return self.answer("rcpt", argument, "250 2.1.5 ok",
                               lambda: self.recipients.append(path(argument)))
        if verb == b"DATA":
            return self.data()
        if verb == b"RSET":
            self.sender, self.recipients = None, []
            return self.answer("rset", argument, "250 2.0.0 ok")
        if verb == b"QUIT":
            self.answer("quit", argument, "221 2.0.0 bye")
            return False
        return self.send("250 2.0.0 ok" if verb == b"NOOP" else "502 5.5.1 what?")

    def data(self):
        if not self.recipients:
            return self.send("503 5.5.1 no valid recipients")
        taken = []
        if not self.answer("data", b"", "354 go ahead", lambda: taken.append(True)):
            return False
        if not taken:
            return True
        content = []
        while True:
            line = self.stream.readline(10_000_000)
            if not line:
                return False
            if line == b".\r\n":
                break
            content.append(line[1:] if line.startswith(b".") else line)
        return self.end_of_data(b"".join(content))

    def end_of_data(self, content):
        version = self.connection.version() if self.secure else None
        message = Message(self.sender, self.recipients, content, self.helo, self.number, version)
        self.recipients = []

        def keep():
            with self.sink.lock:
                if message not in self.sink.messages[-1:] or not self.sink.lmtp:
                    self.sink.messages.append(message)
        if self.sink.lmtp:
            return all([self.answer("dot", r.encode(), "250 2.0.0 kept", keep) for r in message.recipients])
        return self.answer("dot", message.data, "250 2.0.0 kept", keep)

    def bdat(self, argument):
        size, _, last = argument.partition(b" ")
        self.pieces, behaved = (self.pieces or b"") + self.stream.read(int(size)), []
        if not self.recipients:
            self.pieces = None
            return self.send("503 5.5.1 no valid recipients")
        whole = last.upper() == b"LAST"
        if not self.answer("bdat", argument, None if whole else "250 2.0.0 go on", lambda: behaved.append(True)):
            return False
        if not behaved or not whole:
            self.pieces = self.pieces if behaved else None
            return True
        content, self.pieces = self.pieces, None
        return self.end_of_data(content)

    def offers(self):
        offers = list(self.sink.extensions if self.secure or not self.sink.tls else self.sink.hello)
        if self.sink.tls and not self.secure:
            offers.append("STARTTLS")
        if self.sink.users and (self.secure or not self.sink.tls):
            offers.append("AUTH " + self.sink.mechanisms)
        return offers

    def start_tls(self):
        begun = []
        if not self.answer("starttls", b"", "220 2.0.0 go", lambda: begun.append(True)):
            return False
        if begun:
            self.connection = self.sink.encrypt(self.connection)
            self.stream = self.connection.makefile("rwb")
            self.helo, self.sender, self.secure = None, None, True
        return True

    def ask(self, challenge):
        self.send("334 " + base64.b64encode(challenge).decode())
        return base64.b64decode(self.stream.readline(1000))

    def authenticate(self, argument):
        mechanism, _, first = argument.partition(b" ")
        mechanism = mechanism.decode().upper()
        if mechanism == "PLAIN":
            _, user, password = base64.b64decode(first).split(b"\0")
        elif mechanism == "LOGIN":
            user, password = self.ask(b"Username:"), self.ask(b"Password:")
        else:
            challenge = b"<%d@sink.test>" % time.time_ns()
            user, _, digest = self.ask(challenge).rpartition(b" ")
            password = self.sink.users.get(user.decode(), "").encode()
            if hmac.new(password, challenge, "md5").hexdigest() != digest.decode():
                password = b""
        known = self.sink.users.get(user.decode()) == password.decode()
        self.user = (user.decode(), mechanism) if known else None
        with self.sink.lock:
            self.sink.commands.append((self.number, b"user " + user))
        return self.answer("auth", argument, "235 2.7.0 welcome" if known else "535 5.7.8 no")

    def answer(self, stage, argument, reply, effect=None):
        """Replies by the stage's mood; effect happens, before the reply, only with the usual reply."""
        mood = self.sink.moods.get(stage)
        if callable(mood):
            mood = mood(argument, self)
        if mood is DROP:
            return False
        if isinstance(mood, Stall):
            time.sleep(mood.seconds)
            mood = None
        if mood is None and effect:
            effect()
        if mood is None and reply is None:
            return True
        return self.send(reply if mood is None else mood)

    def send(self, reply):
        self.stream.write(reply.replace("\n", "\r\n").encode() + b"\r\n")
        self.stream.flush()
        return True


def path(argument):
    """The address of `FROM:<a@b> ...`."""
    return argument.partition(b"<")[2].rpartition(b">")[0].decode("utf-8", "surrogateescape")
