"""A running `pillarbox try` for the tests with other people's programs, their checks, and what an account holds."""

import atexit
import imaplib
import json
import pathlib
import re
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import time

PROGRAM = sys.argv[1]
CLEAR = ssl._create_unverified_context()
MESSAGE = "From: Joe <joe@else.example>\r\nSubject: {0}\r\nMessage-ID: <{0}@else.example>\r\n\r\ntext {0}\r\n"
counts = {"passed": 0, "failed": 0}


def check(name, holds, seen=None):
    print(("ok    " if holds else "WRONG ") + name, flush=True)
    if not holds and seen is not None:
        print(f"      {seen}", flush=True)
    counts["passed" if holds else "failed"] += 1


def finish():
    passed, failed = counts["passed"], counts["failed"]
    print(f"test result: {'ok' if failed == 0 else 'FAILED'}. {passed} passed; {failed} failed; 0 ignored;")
    sys.exit(failed != 0)


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Box:
    def __init__(self, folder, prefix=(), log=subprocess.PIPE):
        command = [*prefix, PROGRAM, "try", "--dir", str(folder), "--port-base", "0", "--json"]
        self.folder = pathlib.Path(folder)
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        # A test that breaks off leaves nothing behind.
        atexit.register(self.process.kill)
        answer = json.loads(self.process.stdout.readline())
        self.ports, self.accounts = answer["ports"], answer["accounts"]

    def stop(self):
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        _, talk = self.process.communicate(timeout=20)
        return self.process.returncode, time.monotonic() - began, talk

    def maildir(self, account):
        return self.folder / "accounts" / str(account) / "Maildir"

    def mail(self, account):
        return [f.read_bytes() for f in sorted((self.maildir(account) / "new").iterdir())]


def deliver(box, subjects):
    with smtplib.SMTP("127.0.0.1", box.ports["smtp"]) as session:
        for subject in subjects:
            session.sendmail("joe@else.example", [box.accounts[0]["address"]], MESSAGE.format(subject))


def login(box):
    ann = box.accounts[0]
    session = imaplib.IMAP4_SSL("127.0.0.1", box.ports["imaps"], ssl_context=CLEAR)
    session.login(ann["address"], ann["password"])
    return session


def state(box, folder="INBOX"):
    """UIDVALIDITY, and flags and Message-ID by UID."""
    session = login(box)
    session.select(f'"{folder}"', readonly=True)
    validity = session.response("UIDVALIDITY")[1]
    _, found = session.uid("FETCH", "1:*", "(UID FLAGS BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")
    session.logout()
    messages = {}
    for item in found:
        if isinstance(item, tuple):
            uid = int(re.search(rb"UID (\d+)", item[0]).group(1))
            flags = set(re.search(rb"FLAGS \(([^)]*)\)", item[0]).group(1).split()) - {b"\\Recent"}
            messages[uid] = (item[1].strip(), flags)
    return validity, messages


def by_id(messages):
    return {message_id: flags for message_id, flags in messages.values()}


def within(seconds, holds):
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if holds():
            return True
        time.sleep(0.02)
    return False


def eventually(holds, seconds=10):
    return within(seconds, holds)


def certificate(box):
    return ssl.get_server_certificate(("127.0.0.1", box.ports["imaps"]))
