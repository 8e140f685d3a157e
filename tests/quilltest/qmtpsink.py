"""A QMTP server that keeps what it gets and can misbehave."""
import os
import socket
import threading


def netstring(stream):
    digits = b""
    while not digits.endswith(b":"):
        byte = stream.read(1)
        if not byte:
            raise EOFError
        digits += byte
    data = stream.read(int(digits[:-1]))
    assert stream.read(1) == b","
    return data


class QmtpSink:
    """Keeps (message, sender, recipients). reply(recipient) -> the bytes of its reply; None closes."""

    def __init__(self, reply=lambda r: b"5:Kkept,", tls=None, host="127.0.0.1", port=0):
        self.reply, self.tls, self.messages, self.connections = reply, tls, [], 0
        self.listener = socket.create_server((host, port), backlog=50)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            if self.tls:
                connection = self.tls.wrap_socket(connection, server_side=True)
            with connection, connection.makefile("rwb") as stream:
                while True:
                    message, sender, rest = netstring(stream), netstring(stream), netstring(stream)
                    recipients = []
                    with open(os.memfd_create("r"), "w+b") as f:
                        f.write(rest)
                        f.seek(0)
                        while f.tell() < len(rest):
                            recipients.append(netstring(f))
                    replies = [self.reply(r) for r in recipients]
                    if None in replies:
                        return
                    self.messages.append((message, sender, recipients))
                    stream.write(b"".join(replies))
                    stream.flush()
        except (EOFError, OSError):
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        # A thread that waits in accept keeps the socket.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
