"""Certificates for tests, made by the openssl command: an authority, and what it signs."""
import os
import shutil
import ssl
import subprocess
import tempfile


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


class Authority:
    """
    a = Authority()
    a.context("mx.test") -> an ssl.SSLContext for a server with a certificate for that name
    a.pem -> the authority's own certificate, as text
    """

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="certificates.", dir="/tmp")
        os.chmod(self.dir, 0o755)
        self.count = 0
        self._key("ca")
        openssl("req", "-x509", "-new", "-key", f"{self.dir}/ca.key", "-subj", "/O=test authority", "-days", "30",
                "-out", f"{self.dir}/ca.pem")
        with open(f"{self.dir}/ca.pem", encoding="ascii") as f:
            self.pem = f.read()

    def _key(self, name, rsa=False):
        kind = ("RSA", "-pkeyopt", "rsa_keygen_bits:2048") if rsa else ("EC", "-pkeyopt", "ec_paramgen_curve:P-256")
        openssl("genpkey", "-algorithm", *kind, "-out", f"{self.dir}/{name}.key")

    def issue(self, *names, expired=False, self_signed=False, rsa=False):
        """The path of a PEM file with key and certificate. Names are DNS names, or IP:192.0.2.1."""
        self.count += 1
        path = f"{self.dir}/{self.count}"
        self._key(str(self.count), rsa)
        alt = ",".join(n if ":" in n else f"DNS:{n}" for n in names)
        with open(f"{path}.ext", "w", encoding="ascii") as f:
            f.write(f"subjectAltName={alt}\n")
        openssl("req", "-new", "-key", f"{path}.key", "-subj", "/O=test", "-out", f"{path}.csr")
        signer = (["-key", f"{path}.key"] if self_signed else ["-CA", f"{self.dir}/ca.pem", "-CAkey", f"{self.dir}/ca.key"])
        openssl("x509", "-req", "-in", f"{path}.csr", *signer, "-set_serial", str(self.count), "-extfile", f"{path}.ext",
                "-days", "-1" if expired else "30", "-out", f"{path}.crt")
        with open(f"{path}.pem", "w", encoding="ascii") as out:
            for part in (f"{path}.key", f"{path}.crt"):
                with open(part, encoding="ascii") as f:
                    out.write(f.read())
        return f"{path}.pem"

    def context(self, *names, **options):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.issue(*names, **options))
        return context

    def close(self):
        shutil.rmtree(self.dir, True)
