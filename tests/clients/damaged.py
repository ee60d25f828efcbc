#!/usr/bin/env python3
"""Files that are copies may be damaged: the registry (which has a backup), an account's index, the message cards. The next
start sets them aside or makes them anew, says so, and everything is as it was.

Usage: damaged.py PROGRAM
"""

import imaplib
import random
import re
import smtplib
import tempfile

from house import CLEAR, Box, check, finish


def state(box):
    ann = box.accounts[0]
    session = imaplib.IMAP4_SSL("127.0.0.1", box.ports["imaps"], ssl_context=CLEAR)
    session.login(ann["address"], ann["password"])
    seen = {}
    for folder in ("INBOX", "Archive"):
        session.select(folder, readonly=True)
        validity = session.response("UIDVALIDITY")[1]
        items = session.uid("FETCH", "1:*", "(UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)")[1]
        # Which messages are \\Recent is the index's alone to know.
        seen[folder] = validity, [re.sub(rb" ?\\Recent", b"", item) for item in items]
    session.logout()
    return seen


def fill(box):
    ann = box.accounts[0]
    with smtplib.SMTP("127.0.0.1", box.ports["smtp"]) as smtp:
        for number in range(40):
            smtp.sendmail("x@else.example", [ann["address"]], f"Subject: {number}\r\n\r\n{'x' * 500}\r\n")
    session = imaplib.IMAP4_SSL("127.0.0.1", box.ports["imaps"], ssl_context=CLEAR)
    session.login(ann["address"], ann["password"])
    session.select("INBOX")
    session.store("1:20", "+FLAGS.SILENT", r"(\Seen $Work)")
    session._simple_command("UID", "MOVE", "5:9", "Archive")
    session.store("3", "+FLAGS.SILENT", r"(\Deleted)")
    session.expunge()
    session.logout()


def spoil(path, how):
    raw = bytearray(path.read_bytes())
    if how == "overwritten":
        for at in range(0, len(raw), 7):
            raw[at] ^= 0xA5
    elif how == "half":
        raw = raw[: len(raw) // 2]
    elif how == "another file":
        raw = bytearray(b"not at all what it should be\n" * 400)
    elif how == "empty":
        raw = bytearray()
    else:
        # A page in the middle.
        middle = len(raw) // 2 // 4096 * 4096
        raw[middle:middle + 4096] = random.randbytes(4096)
    path.write_bytes(raw)


def stop(box):
    # Standard error is read to its end while the box stops.
    box.process.terminate()
    _, talk = box.process.communicate(timeout=20)
    return talk


def main():
    with tempfile.TemporaryDirectory() as folder:
        box = Box(folder)
        fill(box)
        before = state(box)
        stop(box)
        account = box.folder / "accounts" / "1"
        for how in ("overwritten", "half", "another file", "empty", "a page"):
            for file in (box.folder / "state.db", account / "index.db", box.folder / "hot" / "cards" / "data.mdb"):
                for suffix in ("-wal", "-shm"):
                    file.with_name(file.name + suffix).unlink(missing_ok=True)
                spoil(file, how)
                box = Box(folder)
                try:
                    now = state(box)
                except imaplib.IMAP4.error as error:
                    now = {"INBOX": (None, [str(error)])}
                talk = stop(box)
                check(f"{file.name}, {how}: all is as it was", now == before)
                if now != before:
                    print(now["INBOX"][1][:1], talk[-2000:])
                if file.name == "state.db" and how in ("overwritten", "half", "another file", "empty"):
                    check(f"{file.name}, {how}: it is said loudly", "its backup takes its place" in talk)
    finish()


main()
