"""Attacks by number, by slowness, and through doors that are not meant for everybody."""

import contextlib
import json
import pathlib
import socket
import struct
import subprocess
import threading
import time

from house import CLEAR, PROGRAM, check, free_ports
from strict import Broken, Session

EACH_MAX = 200
SECURE = ("submissions", "imaps", "pop3s")


def phone(assault, number, wrong):
    """Five connections at once, as a phone does that wakes up."""
    account = assault.box.accounts[0]
    try:
        sessions = [Session(assault.box.ports["imap"], assault.address, timeout=30) for _ in range(5)]
        for session in sessions:
            session.login(account)
        for folder, session in zip(("INBOX", "Sent", "Drafts", "Archive", "Small"), sessions):
            for command in ('LIST "" "*"', f"SELECT {folder}", "FETCH 1:* (UID FLAGS ENVELOPE BODYSTRUCTURE)", "SEARCH UNSEEN"):
                status, text, _, took = session.ask(command)
                if status != b"OK" or took > 5:
                    wrong.append((number, folder, command, status, text, took))
        for session in sessions:
            session.ask("LOGOUT")
            session.close()
    except (Broken, OSError, AssertionError) as error:
        wrong.append((number, repr(error)))


def phones(assault):
    with assault.attack("20 phones with 5 connections each", 32):
        wrong = []
        threads = [threading.Thread(target=phone, args=(assault, number, wrong)) for number in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        check("20 phones behind one address are all served", not wrong, wrong[:3])


def too_many(assault):
    box = assault.box
    told = {"smtp": b"421 4.7.0 Too many", "submission": b"421 4.7.0 Too many", "lmtp": b"421 4.7.0 Too many", "imap": b"* BYE Too many", "pop3": b"-ERR [SYS/TEMP] Too many"}
    with assault.attack("more than one address may have", 24), contextlib.ExitStack() as stack:
        def connect(port, source):
            one = stack.enter_context(socket.create_connection(("127.0.0.1", box.ports[port]), 10, (source, 0)))
            return one.recv(1000)
        greeted = [connect("imap", assault.address) for _ in range(EACH_MAX)]
        check(f"{EACH_MAX} connections of one address are greeted", all(text.startswith(b"* OK") for text in greeted))
        said = {port: connect(port, assault.address) for port in told}
        check("one more is told why not, on each port", all(said[port].startswith(words) for port, words in told.items()), said)
        check("another address is not held back", connect("imap", "127.0.0.77").startswith(b"* OK"))
    with contextlib.closing(Session(box.ports["imap"], assault.address)) as session:
        check("when they have gone it may come again", session.greeting.startswith(b"* OK"), session.greeting)


def storm(assault, seconds):
    """Connections that go as soon as they have come, with a handshake and without."""
    def come_and_go(port):
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", assault.box.ports[port]), 2, (assault.address, 0)) as connection:
                if port in SECURE:
                    CLEAR.wrap_socket(connection).close()

    with assault.attack("connections that come and go", 24):
        threads = [threading.Thread(target=come_and_go, args=(port,)) for port in ("imap", "smtp", "pop3", "imaps", "submissions")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def slow(assault, seconds, count):
    """Connections that send a byte now and then: before TLS, before login, within a command."""
    box = assault.box
    begins = {"smtp": b"EHLO c.example", "submission": b"EHLO c.example", "imap": b"a LOGIN {9000}\r\n" + b"x" * 100, "pop3": b"USER " + b"x" * 200, "lmtp": b"LHLO c.example",
              "submissions": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "imaps": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "pop3s": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"}
    with assault.attack(f"{count} slow connections to each port", 48), contextlib.ExitStack() as stack:
        held = []
        for place, (port, text) in enumerate(begins.items()):
            for _ in range(count):
                one = stack.enter_context(socket.create_connection(("127.0.0.1", box.ports[port]), 10, (f"127.0.1.{place + 1}", 0)))
                held.append((one, iter(text + b"x" * 100)))
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            for one, text in held:
                one.send(bytes([next(text)]))
            time.sleep(1)
        for port, secure in (("imap", False), ("imaps", True)):
            session = Session(box.ports[port], assault.address, tls=secure).login(box.accounts[0])
            check(f"others log in on {port} meanwhile", session.ask("NOOP")[0] == b"OK")
            session.close()


class Served:
    """A `pillarbox serve` that takes LMTP from 127.0.0.8 and PROXY headers from 127.0.0.9; it looks like a `Box`."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        names = ["smtp", "submission", "submissions", "imap", "imaps", "pop3", "pop3s", "lmtp"]
        self.ports = dict(zip(names, free_ports(len(names))))
        self.config = self.folder / "pillarbox.toml"
        listen = "".join(f'{name} = "127.0.0.1:{port}"\n' for name, port in self.ports.items())
        self.config.write_text(f'host = "mail.home.test"\ndomains = ["home.test"]\ndata = "{folder}/data"\ncontrol = "{folder}/run/control"\n'
                               f'[listen]\n{listen}[trust]\nlmtp = "127.0.0.8"\nproxy = ["127.0.0.9"]\n')
        with open(self.folder / "log", "wb") as log:
            self.process = subprocess.Popen([PROGRAM, "serve", "--config", self.config], stderr=log)
        limit = time.monotonic() + 10
        while self.command("status").returncode != 0 and time.monotonic() < limit:
            time.sleep(0.05)
        self.command("user", "add", "ann@home.test")
        self.password = json.loads(self.command("device", "add", "ann@home.test", "--json").stdout)["password"]

    def command(self, *words):
        return subprocess.run([PROGRAM, *words, "--config", self.config], capture_output=True, text=True, timeout=60)

    def log(self):
        return (self.folder / "log").read_text()

    def stop(self):
        self.process.terminate()
        return self.process.wait(timeout=20)


def everything(connection, seconds=10):
    connection.settimeout(seconds)
    said = b""
    try:
        while piece := connection.recv(4096):
            said += piece
    except ConnectionError:
        pass
    return said


def doors(box):
    """LMTP and PROXY headers from where they must not come, and bad ones from where they may."""
    def connect(port, source, data=b""):
        one = socket.create_connection(("127.0.0.1", box.ports[port]), 10, (source, 0))
        one.sendall(data)
        return one

    def said(port, source, data):
        with connect(port, source, data) as one:
            return everything(one)

    delivery = lambda hello: f"{hello} c\r\nMAIL FROM:<x@e.example>\r\nRCPT TO:<ann@home.test>\r\nDATA\r\nSubject: s\r\n\r\nx\r\n.\r\nQUIT\r\n".encode()
    signature = b"\r\n\r\n\0\r\nQUIT\n"
    second = lambda address: signature + b"\x21\x11\x00\x0c" + socket.inet_aton(address) + socket.inet_aton("127.0.0.1") + struct.pack("!HH", 1, 24)
    first = lambda address: f"PROXY TCP4 {address} 127.0.0.1 1 24\r\n".encode()
    told = said("lmtp", "127.0.0.7", delivery("LHLO"))
    check("LMTP from an address that is not listed is refused", told.startswith(b"554 5.7.1 ") and told.count(b"\r\n") == 1, told)
    check("and logged", 'peer=127.0.0.7 refused="not trusted with it"' in box.log(), box.log())
    for name, header in (("v1", first("127.0.0.8")), ("v2", second("127.0.0.8"))):
        for source in ("127.0.0.7", "127.0.0.9"):
            told = said("lmtp", source, header + delivery("LHLO"))
            check(f"PROXY {name} from {source} opens no LMTP", told.startswith(b"554 5.7.1 ") and b"250" not in told, told)
        told = said("smtp", "127.0.0.7", header + delivery("EHLO"))
        check(f"PROXY {name} from who is no proxy is no command", told.startswith(b"220 ") and b"\r\n500 " in told, told)
        files = [f.read_bytes() for f in (box.folder / "data/accounts/1/Maildir/new").glob("*")]
        check("and nobody is taken for another", all(b"[127.0.0.8]" not in text for text in files))
        told = said("imap", "127.0.0.7", header + b"a CAPABILITY\r\nb LOGOUT\r\n")
        check("nor on the IMAP port", told.startswith(b"* OK") and b"BAD" in told, told)
    for name, header in (("without an end", b"PROXY TCP4 " + b"1" * 200_000), ("of 64 KB", signature + b"\x21\x11\xff\xff" + b"x" * 70_000), ("of nulls", bytes(100_000)),
                         ("with a line feed alone", b"PROXY TCP4 127.0.0.8 127.0.0.1 1 24\n"), ("twice", first("127.0.0.8") * 2 + b"QUIT\r\n"), ("of TLS", b"\x16\x03\x01" + bytes(600))):
        try:
            told = said("smtp", "127.0.0.9", header)
        except ConnectionError:
            told = b""
        # A header after a header is a word of the client's.
        fine = told == b"" if name != "twice" else told.startswith(b"220 ") and b"\r\n500 " in told
        check(f"a header {name} ends the connection", fine, told)
    check("and is logged", box.log().count("proxy=127.0.0.9 ended=") >= 4, box.log())


def half_sent(assault, count):
    """Headers that do not come to an end hold a place, but no other's, and not for long."""
    with assault.attack(f"{count} half PROXY headers", 16), contextlib.ExitStack() as stack:
        parts = [b"", b"PROXY", b"PROXY TCP4 127.0.0.8 127.0.0.1 1 2", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x07\xff"]
        held = [stack.enter_context(socket.create_connection(("127.0.0.1", assault.box.ports["smtp"]), 10, ("127.0.0.9", 0))) for _ in range(count)]
        began = time.monotonic()
        for number, one in enumerate(held):
            one.sendall(parts[number % 4])
        check("they are closed within ten seconds", all(everything(one) == b"" for one in held) and time.monotonic() - began < 10)
