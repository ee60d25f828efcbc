"""Other households and their name server, on loopback addresses: a zone that Knot serves, Pillarboxes that run by their
settings, and a server whose answers are written down."""

import atexit
import contextlib
import email
import email.policy
import json
import os
import pathlib
import shutil
import signal
import smtplib
import socket
import socketserver
import ssl
import subprocess
import sys
import threading
import time

import postfix
from house import free_ports, within

PROGRAM = os.path.abspath(sys.argv[1])
CLEAR = ssl._create_unverified_context()


def why_not():
    """Mail goes to port 25, which is not everybody's."""
    if shutil.which("knotd") is None:
        return "knotd is not installed"
    try:
        socket.create_server(("127.0.0.2", 25)).close()
    except OSError as error:
        return f"port 25 of 127.0.0.2 cannot be had ({error})"
    return None


# Where programs that find names by the C library ask: it knows no port but 53.
AT_53 = "127.0.0.153"


def why_no_postfix():
    """A Postfix that finds these names needs more."""
    if reason := postfix.why_not() or postfix.why_no_names():
        return reason
    try:
        socket.create_server((AT_53, 53)).close()
    except OSError as error:
        return f"port 53 of {AT_53} cannot be had ({error})"
    return None


class Dns:
    """A name server for `test`. With `at_53` the C library finds it too, by the file `resolv_conf`. `zones`: others,
    with their lines."""

    def __init__(self, folder, records, at_53=False, zones=None):
        folder = pathlib.Path(folder) / "knot"
        folder.mkdir()
        self.port = free_ports(1)[0]
        self.zone = folder / "test.zone"
        self.serial = 1
        self.write(records)
        self.resolv_conf = folder / "resolv.conf"
        self.resolv_conf.write_text(f"nameserver {AT_53}\n")
        listen = [f"127.0.0.1@{self.port}", *([f"{AT_53}@53"] if at_53 else [])]
        (folder / "knot.conf").write_text(
            f'server:\n  rundir: "{folder}"\n  listen: [{", ".join(listen)}]\n'
            f'database:\n  storage: "{folder}"\n'
            f'log:\n  - target: stderr\n    any: warning\n'
            f'zone:\n  - domain: test\n    storage: "{folder}"\n    file: test.zone\n'
            + "".join(f'  - domain: {zone}\n    storage: "{folder}"\n    file: {zone}.zone\n' for zone in zones or {}))
        for zone, lines in (zones or {}).items():
            (folder / f"{zone}.zone").write_text(f"$TTL 1\n{zone}. SOA ns.test. admin.test. 1 60 60 600 1\n{zone}. NS ns.test.\n{lines}\n")
        self.process = subprocess.Popen(["knotd", "-c", folder / "knot.conf"], stderr=subprocess.DEVNULL)
        atexit.register(self.process.kill)
        assert within(10, self.answers), "the name server does not answer"

    def write(self, records):
        self.zone.write_text(f"$ORIGIN test.\n$TTL 1\n@ SOA ns admin {self.serial} 60 60 600 1\n@ NS ns\nns A 127.0.0.1\n{records}\n")

    def change(self, records):
        self.serial += 1
        self.write(records)
        self.process.send_signal(signal.SIGHUP)

    def answers(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ask:
            ask.settimeout(0.2)
            ask.sendto(b"\0\1\1\0\0\1\0\0\0\0\0\0\4test\0\0\6\0\1", ("127.0.0.1", self.port))
            try:
                return ask.recv(512)[3] & 15 == 0
            except OSError:
                return False

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Home:
    """A Pillarbox that runs by its settings: `ann` and `bob` live there."""

    def __init__(self, folder, domain, address, dns, more="", trusted=None):
        self.folder = pathlib.Path(folder) / domain
        self.folder.mkdir()
        self.domain, self.address = domain, address
        self.data, self.control = self.folder / "data", self.folder / "control"
        self.config = self.folder / "pillarbox.toml"
        names = ["submission", "submissions", "imap", "imaps"]
        self.ports = dict(zip(names, free_ports(len(names))))
        listen = "".join(f'{name} = "127.0.0.1:{port}"\n' for name, port in self.ports.items())
        self.config.write_text(
            f'host = "mail.{domain}"\ndomains = ["{domain}"]\ndata = "{self.data}"\ncontrol = "{self.control}"\n'
            f'[listen]\n{listen}smtp = "{address}:25"\npop3 = []\npop3s = []\n[dns]\nservers = ["127.0.0.1:{dns.port}"]\n{more}')
        # Authorities that this home trusts.
        self.environment = {**os.environ, **({"SSL_CERT_FILE": str(trusted)} if trusted else {})}
        self.passwords = {}
        self.start()
        for name in ("ann", "bob"):
            self.run("user", "add", f"{name}@{domain}")
            self.passwords[name] = self.json("device", "add", f"{name}@{domain}", "phone")["password"]
        # Its keys are made beside what is served already.
        assert within(20, lambda: len(self.json("dkim", "list", domain)) == 2)

    def start(self):
        self.log = open(self.folder / "log", "ab")
        self.process = subprocess.Popen([PROGRAM, "serve", "--config", self.config], stderr=self.log, env=self.environment)
        atexit.register(self.process.kill)
        assert within(10, lambda: self.run("status", check=False).returncode == 0), (self.folder / "log").read_text()

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        return self.process.wait(timeout=20)

    def run(self, *words, check=True):
        done = subprocess.run([PROGRAM, *words, "--config", self.config], capture_output=True, text=True)
        assert done.returncode == 0 or not check, (words, done.stderr)
        return done

    def json(self, *words):
        return json.loads(self.run(*words, "--json").stdout)

    def session(self, who="ann"):
        session = smtplib.SMTP_SSL("127.0.0.1", self.ports["submissions"], context=CLEAR)
        session.login(f"{who}@{self.domain}", self.passwords[who])
        return session

    def send(self, to, text, who="ann", options=(), rcpt_options=()):
        with self.session(who) as session:
            return session.sendmail(f"{who}@{self.domain}", to, text, options, rcpt_options)

    def mail(self, who="ann"):
        place = self.data / "accounts" / str(["ann", "bob"].index(who) + 1) / "Maildir"
        return [file.read_bytes() for sub in ("new", "cur") for file in sorted(place.glob(f"{sub}/*"))]

    def queue(self):
        folder = self.data / "queue"
        return [file for file in sorted(folder.iterdir()) if file.is_file()]


def notices(home, who="ann"):
    found = []
    for raw in home.mail(who):
        message = email.message_from_bytes(raw, policy=email.policy.default)
        if message.get_content_type() == "multipart/report":
            found.append(message)
    return found


def status(notice):
    """The fields of the last recipient in a notice."""
    return {name.lower(): value for name, value in notice.get_payload(1).get_payload()[-1].items()}


def said(home):
    return [recipient["result"] or "" for message in home.json("queue", "list") for recipient in message["recipients"]]


def empty(home):
    """Nothing is left from the check before."""
    for message in home.json("queue", "list"):
        home.run("queue", "drop", message["id"])


def certificate(folder, name):
    """A key, and a certificate that vouches for itself."""
    key, made = f"{folder}/{name}.key", f"{folder}/{name}.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-keyout", key, "-out", made], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made, key)
    return made, context


class Server(socketserver.ThreadingTCPServer):
    """Takes mail at port 25 of an address. `script` maps a command's first word to what is said in place of the usual; a
    function gets the whole line and the connection."""

    allow_reuse_address = daemon_threads = True

    def __init__(self, address, offers=("PIPELINING", "8BITMIME"), script=None, greeting="220 peer ESMTP", tls=None, port=25):
        self.offers, self.script, self.greeting, self.tls = list(offers), script or {}, greeting, tls
        self.taken, self.lines, self.connections, self.open = [], [], 0, []
        self.at_once = port == 465
        self.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        super().__init__((address, port), Talk)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self):
        self.shutdown()
        self.server_close()
        self.hang_up()

    def hang_up(self):
        """Closes the connections that are kept."""
        for connection in self.open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def note(self, item):
        """A message was taken."""
        self.taken.append(item)

    def handle_error(self, request, client_address):
        """A peer that goes is no fault."""


class Talk(socketserver.StreamRequestHandler):
    def say(self, text):
        if callable(text):
            text = text(self)
        if text:
            self.wfile.write(text.encode() + b"\r\n" if isinstance(text, str) else text)
            self.wfile.flush()

    def handle(self):
        server = self.server
        server.connections += 1
        server.open.append(self.connection)
        if server.at_once:
            self.begin_tls()
        self.say(server.greeting)
        sender, recipients = None, []
        while line := self.rfile.readline():
            line = line.decode("utf-8", "replace").rstrip("\r\n")
            server.lines.append(line)
            word = line.split(" ")[0].upper()
            said = server.script.get(line, server.script.get(word))
            if callable(said):
                said = said(self)
            if said == "close":
                return
            # It has been said.
            if said == "":
                continue
            if said is not None:
                self.say(said)
                if word == "RCPT" and str(said).startswith("2"):
                    recipients.append(line)
                if word == "BDAT":
                    self.rfile.read(int(line.split(" ")[1]))
                continue
            match word:
                case "EHLO" | "LHLO":
                    self.say("\r\n".join(["250-peer", *(f"250-{offer}" for offer in server.offers), "250 HELP"]))
                case "MAIL":
                    sender, recipients = line, []
                    self.say("250 2.1.0 sender")
                case "RCPT":
                    recipients.append(line)
                    self.say("250 2.1.5 recipient")
                case "DATA" if not recipients:
                    self.say("554 5.5.1 for nobody")
                case "DATA":
                    self.say("354 go on")
                    self.data(sender, recipients)
                case "BDAT":
                    text = self.rfile.read(int(line.split(" ")[1]))
                    if len(text) == int(line.split(" ")[1]):
                        self.keep(sender, recipients, text)
                case "STARTTLS":
                    self.say("220 2.0.0 go on")
                    self.begin_tls()
                case "QUIT":
                    self.say("221 2.0.0 bye")
                    return
                case _:
                    self.say("250 2.0.0 ok")

    def begin_tls(self):
        self.connection = self.server.tls.wrap_socket(self.connection, server_side=True)
        self.server.open.append(self.connection)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb")

    def data(self, sender, recipients):
        text = b""
        while (line := self.rfile.readline()) != b".\r\n":
            if not line:
                return
            text += line[1:] if line.startswith(b".") else line
        self.keep(sender, recipients, text)

    def keep(self, sender, recipients, text):
        said = self.server.script.get("TEXT", "250 2.0.0 taken")
        if callable(said):
            said = said(self)
        if said == "close":
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        if str(said).startswith("2"):
            self.server.note((sender, list(recipients), text))
        self.say(said)
