"""A signed zone with one who checks the signatures, certificates of an authority of our own, and a web server."""

import atexit
import datetime
import http.server
import pathlib
import signal
import socket
import ssl
import subprocess
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent.parent / "target" / "python"))
from cryptography import x509  # noqa: E402
from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec  # noqa: E402
from cryptography.x509.oid import NameOID  # noqa: E402

from house import free_ports, within  # noqa: E402


class Signed:
    """Knot signs `test`, Unbound checks it."""

    def __init__(self, folder, records):
        self.folder = pathlib.Path(folder) / "signed"
        self.folder.mkdir()
        self.origin, self.port = free_ports(2)
        self.serial = 0
        self.write(records)
        (self.folder / "knot.conf").write_text(
            f'server:\n  rundir: "{self.folder}"\n  listen: 127.0.0.1@{self.origin}\ndatabase:\n  storage: "{self.folder}"\n'
            'log:\n  - target: stderr\n    any: warning\npolicy:\n  - id: one\n    algorithm: ecdsap256sha256\n'
            f'zone:\n  - domain: test\n    storage: "{self.folder}"\n    file: test.zone\n    zonefile-load: difference-no-serial\n'
            '    zonefile-sync: -1\n    journal-content: all\n    dnssec-signing: on\n    dnssec-policy: one\n')
        self.knot = self.start("knotd", "-c", self.folder / "knot.conf")
        assert within(10, lambda: is_known(self.origin)), "the name server does not answer"
        said = subprocess.run(["keymgr", "-c", self.folder / "knot.conf", "test", "ds"], capture_output=True, text=True, check=True).stdout
        anchor = next(line for line in said.splitlines() if " 13 2 " in line)
        (self.folder / "unbound.conf").write_text(
            f'server:\n interface: 127.0.0.1@{self.port}\n directory: "{self.folder}"\n chroot: ""\n username: ""\n pidfile: ""\n use-syslog: no\n'
            ' do-not-query-localhost: no\n module-config: "validator iterator"\n local-zone: "test." nodefault\n cache-max-ttl: 0\n'
            f' cache-max-negative-ttl: 0\n infra-host-ttl: 1\n trust-anchor: "{anchor}"\nremote-control:\n control-enable: no\n'
            f'stub-zone:\n name: test\n stub-addr: 127.0.0.1@{self.origin}\n')
        self.start("unbound", "-d", "-c", self.folder / "unbound.conf")
        assert within(20, lambda: is_known(self.port)), "nobody checks the zone"

    def start(self, *command):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        atexit.register(process.kill)
        return process

    def write(self, records):
        self.serial += 1
        (self.folder / "test.zone").write_text(
            f"$ORIGIN test.\n$TTL 1\n@ SOA ns admin {self.serial} 60 60 600 1\n@ NS ns\nns A 127.0.0.1\n{records}\nserial TXT s{self.serial}\n")

    def change(self, records):
        self.write(records)
        self.knot.send_signal(signal.SIGHUP)
        known = f"s{self.serial}".encode()
        assert within(10, lambda: known in ask(self.port, "serial.test", 16)), "the zone does not change"


def ask(port, name, kind):
    """The answer's bytes; nothing if there is none."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as question:
        question.settimeout(0.5)
        question.sendto(b"\0\1\1\0\0\1\0\0\0\0\0\0" + labels + bytes([0, 0, kind, 0, 1]), ("127.0.0.1", port))
        try:
            return question.recv(1232)
        except OSError:
            return b""


def is_known(port):
    answer = ask(port, "test", 6)
    return len(answer) > 3 and answer[3] & 15 == 0 and answer[7] > 0


class Authority:
    """Issues certificates."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self.sign("Authority", self.key.public_key(), (-30, 900), [], True)
        self.path = self.folder / "authority.pem"
        self.path.write_bytes(pem(self.certificate))

    def sign(self, name, key, days, names, authority=False):
        now = datetime.datetime.now(datetime.UTC)
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Authority")])
        builder = (x509.CertificateBuilder().issuer_name(issuer).public_key(key).serial_number(x509.random_serial_number())
                   .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
                   .not_valid_before(now + datetime.timedelta(days=days[0])).not_valid_after(now + datetime.timedelta(days=days[1]))
                   .add_extension(x509.BasicConstraints(authority, None), True))
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(one) for one in names]), False)
        return builder.sign(self.key, hashes.SHA256())

    def issue(self, file, names, days=(-30, 30)):
        """The files of a chain and its key, and the records that name them: of the own key, and of the authority."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self.sign(names[0], key.public_key(), days, names)
        chain, private = self.folder / f"{file}.pem", self.folder / f"{file}.key"
        chain.write_bytes(pem(certificate) + pem(self.certificate))
        private.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        own = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        return chain, private, f"3 1 1 {digest(own)}", f"2 0 1 {digest(self.certificate.public_bytes(serialization.Encoding.DER))}"


def digest(data):
    hasher = hashes.Hash(hashes.SHA256())
    hasher.update(data)
    return hasher.finalize().hex()


def pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)


class Web(http.server.ThreadingHTTPServer):
    """Serves pages at port 443, by host: each is a status, fields and a body. Keeps what is posted."""

    daemon_threads = True

    def __init__(self, address, chain, key, pages):
        self.pages, self.asked, self.posted = pages, [], []
        super().__init__((address, 443), Page)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain, key)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self):
        self.shutdown()
        self.server_close()

    def handle_error(self, request, client_address):
        """A client that does not trust us is no fault."""


class Page(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        host = self.headers["Host"]
        self.server.asked.append((host, self.path))
        status, fields, body = self.server.pages.get(host, (404, {}, ""))
        self.send_response(status)
        for name, value in ({"Content-Type": "text/plain"} | fields).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posted.append((self.headers["Host"], self.path, self.headers["Content-Type"], body))
        self.send_response(201)
        self.send_header("Content-Length", "0")
        self.end_headers()
