#!/usr/bin/env python3
"""Python's imaplib reads and changes mail of a running `pillarbox try`: the forms of an answer, compression, IDLE, and how
guessing at passwords is slowed down.

Usage: imap.py PROGRAM. Prints a line a check and `test result:` as cargo does.
"""

import base64
import imaplib
import smtplib
import socket
import tempfile
import threading
import time
import zlib

from house import CLEAR, MESSAGE, Box, check, deliver, eventually, finish, login, state


def imaplib_checks(box):
    ann = box.accounts[0]
    session = imaplib.IMAP4("127.0.0.1", box.ports["imap"])
    check("the greeting tells what we can", "IMAP4REV1" in session.capabilities and "IDLE" in session.capabilities)
    session.starttls(ssl_context=CLEAR)
    session.authenticate("PLAIN", lambda _: f"\0{ann['address']}\0{ann['password']}".encode())
    check("the mailboxes of every account", len(session.list()[1]) == 6)
    deliver(box, [f"m{n}" for n in range(10)])
    check("SELECT counts", session.select("INBOX") == ("OK", [b"10"]))
    check("search by subject", session.search(None, "SUBJECT", "m3")[1] == [b"4"])
    _, found = session.fetch("4", "(RFC822)")
    check("the message is the file, byte for byte", found[0][1].endswith(MESSAGE.format("m3").encode()))
    check("reading sets \\Seen", session.search(None, "SEEN")[1] == [b"4"])
    text = b"Subject: draft\r\n\r\nnot yet\r\n"
    code, answer = session.append("Drafts", r"(\Draft)", imaplib.Time2Internaldate(1e9), text)
    check("APPEND", code == "OK" and b"APPENDUID" in answer[0])
    session.select("Drafts")
    _, found = session.fetch("1", "(FLAGS INTERNALDATE BODY.PEEK[])")
    check("and it is there with its date", found[0][1] == text and b"2001" in found[0][0])
    session.select("INBOX")
    check("MOVE", session._simple_command("MOVE", "1:2", "Archive")[0] == "OK")
    session.store("1", "+FLAGS", r"(\Deleted)")
    check("EXPUNGE", session.expunge()[1][-1:] == [b"1"])
    check("and what is left", session.uid("SEARCH", "ALL")[1] == [b"4 5 6 7 8 9 10"])
    session.close()
    session.logout()


def forms_checks(box):
    """Mailbox names in UTF-8, parts without their transfer encoding, previews and quotas, as imaplib writes and reads them."""
    session = login(box)
    check("ENABLE UTF8=ACCEPT", session.enable("UTF8=ACCEPT") == ("OK", [b"Enabled"]))
    name = '"Entw\u00fcrfe \u53f0\u5317"'
    check("a mailbox in UTF-8 is made", session.create(name)[0] == "OK")
    check("and listed in UTF-8", [row.decode() for row in session.list('""', '"Entw\u00fc*"')[1]] == [f'(\\HasNoChildren) "/" {name}'])
    plain = login(box)
    check("and in UTF-7 for others", plain.list('""', "Entw*")[1] == [b'(\\HasNoChildren) "/" "Entw&APw-rfe &U,BTFw-"'])
    picture = bytes(range(256)) * 2000
    parts = (b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>two <b>parts</b>\r\n"
             b"--b\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(picture).replace(b"\n", b"\r\n")
             + b"--b--\r\n")
    target = '"Entw&APw-rfe &U,BTFw-"'
    check("a picture comes in", plain.append(target, None, None, parts)[0] == "OK" and plain.select(target)[1] == [b"1"])
    _, found = plain.fetch("1", "(BINARY.SIZE[2] BINARY.PEEK[2])")
    check("BINARY has its bytes", found[0][1] == picture and b"BINARY.SIZE[2] 512000 BINARY[2] ~{512000}" in found[0][0])
    _, found = plain.fetch("1", "(BINARY.PEEK[2]<300000.300000>)")
    check("and a range of them", found[0][1] == picture[300000:])
    check("PREVIEW", plain.fetch("1", "(PREVIEW)")[1] == [b'1 (PREVIEW "two parts")'])
    check("GETQUOTAROOT", plain.getquotaroot(target) == ("OK", [[target.encode() + b' ""'], [b'"" ()']]))
    plain.close()
    check("it goes again", plain.delete(target)[0] == "OK")
    plain.logout()
    session.logout()


class Deflated:
    """A socket of imaplib's with RFC 4978 between, whose client flushes partially."""

    def __init__(self, sock):
        self.sock, self.inflater = sock, zlib.decompressobj(-15)
        self.deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
        self.received = b""

    def send(self, data):
        self.sock.sendall(self.deflater.compress(data) + self.deflater.flush(zlib.Z_PARTIAL_FLUSH))

    def more(self):
        self.received += self.inflater.decompress(self.sock.recv(65536))

    def readline(self):
        while b"\n" not in self.received:
            self.more()
        line, _, self.received = self.received.partition(b"\n")
        return line + b"\n"

    def read(self, size):
        while len(self.received) < size:
            self.more()
        data, self.received = self.received[:size], self.received[size:]
        return data


def deflate_checks(box):
    session = login(box)
    check("COMPRESS=DEFLATE is announced", "COMPRESS=DEFLATE" in session.capabilities)
    imaplib.Commands["COMPRESS"] = ("AUTH", "SELECTED")
    check("COMPRESS", session._simple_command("COMPRESS", "DEFLATE")[0] == "OK")
    wire = Deflated(session.sock)
    session.send, session.readline, session.read = wire.send, wire.readline, wire.read
    check("a deflated session goes on", session.select("INBOX")[0] == "OK")
    count = int(session.select("INBOX")[1][0])
    _, found = session.fetch("1:*", "(FLAGS ENVELOPE BODY.PEEK[])")
    check("and brings every message", len([item for item in found if isinstance(item, tuple)]) == count)
    code, text = session._simple_command("COMPRESS", "DEFLATE")
    check("a second time is refused", code == "NO" and b"COMPRESSIONACTIVE" in text[0])
    text = b"Subject: deflated\r\n\r\n" + b"all work and no play\r\n" * 20000
    check("a large APPEND", session.append("Drafts", None, None, text)[0] == "OK")
    session.send(b"x IDLE\r\n")
    session.readline()
    time.sleep(6)
    deliver(box, ["after-a-rest"])
    check("IDLE is heard after the connection has rested", b"EXISTS" in session.readline())
    session.readline()
    session.send(b"DONE\r\n")
    session.readline()
    session.logout()


def guessing(box):
    """Failures of many sessions slow the next failure down, and never a right password."""
    ann = box.accounts[0]

    def attempt(password):
        session = imaplib.IMAP4("127.0.0.1", box.ports["imap"])
        began = time.monotonic()
        try:
            session.login(ann["address"], password)
            return True, time.monotonic() - began
        except imaplib.IMAP4.error:
            return False, time.monotonic() - began

    for _ in range(6):
        attempt("abcd-efgh-jkmn-pqrs")
    wrong, right = attempt("abcd-efgh-jkmn-pqrs"), attempt(ann["password"])
    check(f"the seventh wrong password waits ({wrong[1]:.1f} s), a right one does not ({right[1]:.2f} s)",
          not wrong[0] and wrong[1] >= 2.5 and right[0] and right[1] < 0.5)


def idle_checks(box):
    """From the 250 of a delivery to the EXISTS of an IDLE session."""
    session = login(box)
    session.select("INBOX")
    session.send(b"x IDLE\r\n")
    session.readline()
    heard = []

    def listen():
        while line := session.readline():
            if b"EXISTS" in line:
                heard.append(time.monotonic())

    threading.Thread(target=listen, daemon=True).start()
    waits = []
    with smtplib.SMTP("127.0.0.1", box.ports["smtp"]) as smtp:
        for number in range(20):
            count = len(heard)
            smtp.sendmail("x@else.example", [box.accounts[0]["address"]], MESSAGE.format(f"idle{number}"))
            done = time.monotonic()
            eventually(lambda: len(heard) > count, 5)
            waits.append((heard[-1] - done) * 1000 if len(heard) > count else 5000)
    waits.sort()
    check(f"IDLE hears of a delivery within 100 ms (median {waits[10]:.1f} ms, worst {waits[-1]:.1f} ms)", waits[-1] < 100)
    session.sock.shutdown(socket.SHUT_RDWR)


def main():
    with tempfile.TemporaryDirectory() as folder:
        box = Box(folder)
        imaplib_checks(box)
        forms_checks(box)
        idle_checks(box)
        deflate_checks(box)
        guessing(box)
        before = state(box)
        code, seconds, talk = box.stop()
        check(f"SIGTERM stops in order within 5 s ({seconds:.1f} s)", code == 0 and seconds < 5 and "ERROR" not in talk)
        box = Box(folder)
        check("after a restart all is as it was, UIDs and flags", state(box) == before)
        code, _, talk = box.stop()
        check("and nothing went wrong on the way", code == 0 and "ERROR" not in talk)
    finish()


main()
