#!/usr/bin/env python3
"""SCRAM held against other implementations: Python's `scramp` on IMAP, SMTP submission and POP3, GNU SASL with channel
binding on IMAP and SMTP, and on POP3 the exporter of pyOpenSSL.

Usage: scram.py PROGRAM. `scramp` and pyOpenSSL are looked for in target/python too, where tests/run puts them.
"""

import base64
import hashlib
import hmac
import imaplib
import os
import poplib
import smtplib
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, "target/python")
from scramp import ScramClient  # noqa: E402
from OpenSSL import SSL  # noqa: E402

from house import CLEAR, Box, check, finish


class Bound:
    """RFC 5802 §3 with `tls-exporter` in a few lines: scramp does not know that binding."""

    def __init__(self, name, password, exporter):
        self.password, self.exporter = password, exporter
        self.bare = f"n={name},r={base64.b64encode(os.urandom(18)).decode()}"

    def get_client_first(self):
        return "p=tls-exporter,," + self.bare

    def set_server_first(self, text):
        self.server_first = text

    def get_client_final(self):
        field = dict(part.split("=", 1) for part in self.server_first.split(","))
        salted = hashlib.pbkdf2_hmac("sha256", self.password.encode(), base64.b64decode(field["s"]), int(field["i"]))
        sign = lambda key, text: hmac.digest(key, text, "sha256")
        bound = base64.b64encode(b"p=tls-exporter,," + self.exporter).decode()
        last = f"c={bound},r={field['r']}"
        message = ",".join([self.bare, self.server_first, last]).encode()
        key = sign(salted, b"Client Key")
        proof = bytes(a ^ b for a, b in zip(key, sign(hashlib.sha256(key).digest(), message)))
        self.expected = base64.b64encode(sign(sign(salted, b"Server Key"), message)).decode()
        return f"{last},p={base64.b64encode(proof).decode()}"

    def set_server_final(self, text):
        assert text == f"v={self.expected}", text


class Scram:
    """A client as the protocols' libraries want one: called with each challenge."""

    def __init__(self, box, password, exporter=None):
        name = box.accounts[0]["address"]
        self.client = Bound(name, password, exporter) if exporter else ScramClient(["SCRAM-SHA-256"], name, password)
        self.turn = 0
        self.proved = False

    def __call__(self, challenge=b""):
        self.turn += 1
        text = challenge.decode() if challenge else ""
        if self.turn == 1:
            return self.client.get_client_first()
        if self.turn == 2:
            self.client.set_server_first(text)
            return self.client.get_client_final()
        self.client.set_server_final(text)
        self.proved = True
        return ""


def imap(box, password):
    scram = Scram(box, password)
    session = imaplib.IMAP4_SSL("127.0.0.1", box.ports["imaps"], ssl_context=CLEAR)
    try:
        session.authenticate("SCRAM-SHA-256", lambda challenge: scram(challenge).encode())
    except imaplib.IMAP4.error:
        return False
    return session.select("INBOX")[0] == "OK" and scram.proved


def smtp(box, password):
    scram = Scram(box, password)
    session = smtplib.SMTP_SSL("127.0.0.1", box.ports["submissions"], context=CLEAR)
    session.ehlo()
    try:
        code, _ = session.auth("SCRAM-SHA-256", lambda challenge=None: scram(challenge or b""))
    except smtplib.SMTPAuthenticationError:
        return False
    return code == 235 and scram.proved


def dialogue(send, receive, scram):
    """POP3's AUTH, line by line."""
    while (line := receive()).startswith(b"+ "):
        answer = scram(base64.b64decode(line[2:].strip()))
        send(base64.b64encode(answer.encode()) + b"\r\n")
    return line.startswith(b"+OK") and scram.proved


def pop3(box, password):
    scram = Scram(box, password)
    session = poplib.POP3_SSL("127.0.0.1", box.ports["pop3s"], context=CLEAR)
    session.sock.sendall(b"AUTH SCRAM-SHA-256\r\n")
    return dialogue(session.sock.sendall, session.file.readline, scram)


def pop3_plus(box, exporter_of):
    """The same with the channel bound; `exporter_of` is what the client believes to be the channel's."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    connection = SSL.Connection(context, socket.create_connection(("127.0.0.1", box.ports["pop3s"])))
    connection.set_connect_state()
    connection.do_handshake()
    scram = Scram(box, box.accounts[0]["password"], exporter_of(connection))
    connection.recv(1000)
    connection.sendall(b"AUTH SCRAM-SHA-256-PLUS\r\n")
    return dialogue(connection.sendall, lambda: connection.recv(4000), scram)


def gsasl(box, protocol, port, mechanism, password):
    ann = box.accounts[0]["address"]
    command = ["gsasl", "--connect", f"localhost:{port}", f"--{protocol}", "--mechanism", mechanism, "--authentication-id", ann,
               "--password", password, "--no-cb" if not mechanism.endswith("PLUS") else "--verbose", "--starttls", "--x509-ca-file="]
    done = subprocess.run(command, input=b"", capture_output=True, timeout=60)
    fine = b"authentication finished" in done.stderr.lower() or b"authentication finished" in done.stdout.lower()
    return fine, done


def main():
    with tempfile.TemporaryDirectory() as folder:
        box = Box(folder)
        password = box.accounts[0]["password"]
        for name, attempt in (("IMAP", imap), ("SMTP", smtp), ("POP3", pop3)):
            check(f"scramp logs in on {name}", attempt(box, password))
            check(f"without the dashes too on {name}", attempt(box, password.replace("-", "")))
            check(f"and not with a wrong password on {name}", not attempt(box, "abcd-efgh-jkmn-pqrs"))
        for protocol, port in (("imap", box.ports["imap"]), ("smtp", box.ports["submission"])):
            for mechanism in ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"):
                fine, done = gsasl(box, protocol, port, mechanism, password)
                check(f"GNU SASL logs in with {mechanism} on {protocol}", fine)
                if not fine:
                    print(done.stdout[-1500:].decode(), done.stderr[-1500:].decode())
            check(f"and not with a wrong password on {protocol}", not gsasl(box, protocol, port, "SCRAM-SHA-256-PLUS", "wrong")[0])
        exporter = lambda connection: connection.export_keying_material(b"EXPORTER-Channel-Binding", 32, b"")
        check("a bound channel on POP3", pop3_plus(box, exporter))
        check("and not somebody else's", not pop3_plus(box, lambda connection: b"\1" * 32))
        code, _, talk = box.stop()
        check("nothing went wrong on the way", code == 0 and "ERROR" not in talk)
    finish()


main()
