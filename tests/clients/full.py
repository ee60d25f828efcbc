#!/usr/bin/env python3
"""A disk that becomes full: mail is refused for now and never lost, reading goes on, and when there is room again so does
everything else. On a small file system in memory, which only root may mount; skipped where that is not to be had.

Usage: full.py PROGRAM
"""

import imaplib
import os
import pathlib
import smtplib
import subprocess
import sys
import tempfile

from house import CLEAR, Box, check, finish

SIZE_MB = 96


def refusal(session, sender, to, text):
    try:
        session.sendmail(sender, [to], text)
        return None
    except smtplib.SMTPRecipientsRefused as error:
        return next(iter(error.recipients.values()))
    except smtplib.SMTPResponseException as error:
        return error.smtp_code, error.smtp_error


def login(box):
    ann = box.accounts[0]
    session = imaplib.IMAP4_SSL("127.0.0.1", box.ports["imaps"], ssl_context=CLEAR)
    session.login(ann["address"], ann["password"])
    session.select("INBOX")
    return session


def fill_up(folder, leave):
    """Takes all room but so many bytes."""
    free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
    with open(folder / "ballast", "ab") as ballast:
        ballast.write(b"\0" * max(0, free - leave))


def refused_for_now(box, folder):
    ann = box.accounts[0]["address"]
    text = "Subject: {}\r\n\r\n" + "x" * 64 + "\r\n"
    with smtplib.SMTP("127.0.0.1", box.ports["smtp"]) as session:
        kept = 0
        while kept < 200 and (no := refusal(session, "x@else.example", ann, text.format(kept) + "y" * (1 << 20))) is None:
            kept += 1
        check(f"nearly full: after {kept} MB mail is refused for now", no is not None and no[0] == 452 and no[1].startswith(b"4.3.1"))
    mail = login(box)
    check("what was acknowledged is there", mail.select("INBOX")[1] == [str(kept).encode()])
    fill_up(folder, 0)
    code, said = mail.append("Drafts", None, None, b"Subject: no room\r\n\r\n" + b"z" * 100_000)
    check(f"APPEND on a full disk is refused {said}", code == "NO" and b"OVERQUOTA" in said[0])
    _, read = mail.fetch("1", "(BODY.PEEK[])")
    check("reading goes on", len(read[0][1]) > 1 << 20)
    return kept


def room_again(box, folder, kept):
    (folder / "ballast").unlink()
    mail = login(box)
    check("STORE", mail.store(f"1:{kept // 2}", "+FLAGS", r"(\Deleted)")[0] == "OK")
    check("EXPUNGE", mail.expunge()[0] == "OK")
    with smtplib.SMTP("127.0.0.1", box.ports["smtp"]) as session:
        no = refusal(session, "x@else.example", box.accounts[0]["address"], "Subject: again\r\n\r\nx\r\n")
    check("with room again mail comes in without a restart", no is None)
    left = kept - kept // 2 + 1
    check("nothing is lost, nothing is there twice", mail.select("INBOX")[1] == [str(left).encode()])
    return left


def main():
    with tempfile.TemporaryDirectory() as point:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "tmpfs", point]
        if os.getuid() != 0 or subprocess.run(mount, stderr=subprocess.DEVNULL).returncode != 0:
            print("skipped: no small file system can be mounted here")
            sys.exit(0)
        try:
            folder = pathlib.Path(point)
            box = Box(folder / "data")
            kept = refused_for_now(box, folder)
            left = room_again(box, folder, kept)
            code, _, talk = box.stop()
            check("it stops in order", code == 0)
            box = Box(folder / "data")
            check("after a restart too", login(box).select("INBOX")[1] == [str(left).encode()])
            box.stop()
        finally:
            subprocess.run(["umount", "-l", point])
    finish()


main()
