#!/usr/bin/env python3
"""Other people's programs bring mail to a running `pillarbox try`: Python's smtplib, swaks and Postfix's smtp-source.

Usage: smtp.py PROGRAM. Prints a line a check and `test result:` as cargo does.
"""

import mailbox
import pathlib
import smtplib
import socket
import subprocess
import tempfile
import time

from house import CLEAR, PROGRAM, Box, check, finish


def refusal(work):
    try:
        work()
        return None
    except smtplib.SMTPRecipientsRefused as error:
        return next(iter(error.recipients.values()))
    except smtplib.SMTPResponseException as error:
        return error.smtp_code, error.smtp_error


def body(message):
    return message.split(b"\r\n\r\n", 1)[1]


def smtplib_checks(box):
    ann, bob = box.accounts
    session = smtplib.SMTP("127.0.0.1", box.ports["smtp"])
    eight_bit = "Subject: Grüße\r\n\r\nüöä\r\n.\r\n..two\r\n".encode()
    session.sendmail("x@else.example", [ann["address"]], eight_bit)
    check("8-bit text and dots come through", body(box.mail(1)[-1]) == body(eight_bit))
    check("a Return-Path stands on top", box.mail(1)[-1].startswith(b"Return-Path: <x@else.example>\r\n"))
    check("unknown here", refusal(lambda: session.sendmail("x@e.example", ["no@pillarbox.test"], b"x"))[0:1] == (550,))
    code, text = refusal(lambda: session.sendmail("x@e.example", ["no@else.example"], b"x"))
    check("not ours", code == 550 and text.startswith(b"5.7.1"))
    check("no AUTH on the port for servers", not session.has_extn("auth"))
    session.starttls(context=CLEAR)
    check("TLS 1.3", session.sock.version() == "TLSv1.3")
    session.sendmail("x@else.example", ["Ann+lists@PILLARBOX.test", "postmaster@pillarbox.test"], b"Subject: plus\r\n\r\nx\r\n")
    check("plus address and postmaster are one message for one person", len(box.mail(1)) == 2)
    big = b"Subject: big\r\n\r\n" + b"0123456789abcdef" * 4 * (20 << 14) + b"\r\n"
    session.sendmail("x@else.example", [bob["address"]], big)
    check("20 MB come through", body(box.mail(2)[-1]) == body(big))
    session.quit()

    session = smtplib.SMTP_SSL("127.0.0.1", box.ports["submissions"], context=CLEAR)
    check("mail only after a login", refusal(lambda: session.sendmail(ann["address"], [bob["address"]], b"x"))[0] == 530)
    check("a wrong password", refusal(lambda: session.login(ann["address"], "abcd-efgh-jkmn-pqrs"))[0] == 535)
    session.login(ann["address"], ann["password"].replace("-", " ").upper())
    session.sendmail(ann["address"], [bob["address"]], b"Subject: s\r\nBcc: secret@x.example\r\n\r\ny\r\n")
    sent = box.mail(2)[-1]
    check("Date and Message-ID are added, Bcc is gone", b"\r\nDate: " in sent and b"\r\nMessage-ID: <" in sent and b"secret" not in sent)
    code, text = refusal(lambda: session.sendmail(bob["address"], [bob["address"]], b"x"))
    check("nobody sends under another's address", code == 550 and text.startswith(b"5.7.1"))
    code, text = refusal(lambda: session.sendmail(ann["address"], ["a@else.example"], b"x"))
    check("nothing leaves a trial, and that is said", code == 550 and b"Nothing leaves this machine" in text)
    session.quit()


def other_programs(box):
    ann = box.accounts[0]
    before = len(box.mail(1))
    command = ["swaks", "--server", f"127.0.0.1:{box.ports['smtp']}", "--tls", "--to", ann["address"], "--silent"]
    check("swaks delivers over TLS", subprocess.run(command).returncode == 0 and len(box.mail(1)) == before + 1)
    command = ["swaks", "--server", f"127.0.0.1:{box.ports['submission']}", "--auth", "LOGIN", "--auth-user", ann["address"],
               "--auth-password", ann["password"], "--from", ann["address"], "--to", ann["address"], "--silent"]
    check("swaks submits with LOGIN", subprocess.run(command).returncode == 0 and len(box.mail(1)) == before + 2)
    before = len(box.mail(1))
    command = ["/usr/sbin/smtp-source", "-s", "10", "-m", "200", "-l", "4096", "-t", ann["address"], f"127.0.0.1:{box.ports['smtp']}"]
    check("smtp-source brings 200 by ten sessions", subprocess.run(command).returncode == 0 and len(box.mail(1)) == before + 200)


def a_crowd(box):
    """200 connections from one address fit, one more is told politely that there is no place, and places come back."""
    port = ("127.0.0.1", box.ports["smtp"])
    crowd = [socket.create_connection(port, timeout=10) for _ in range(200)]
    greeted = all(one.recv(100).startswith(b"220 ") for one in crowd)
    with socket.create_connection(port, timeout=10) as more:
        told = more.recv(200)
    check("200 connections of a household fit, one more gets 421", greeted and told.startswith(b"421 4.7.0 "))
    for one in crowd:
        one.close()
    limit = time.monotonic() + 10
    while time.monotonic() < limit:
        with socket.create_connection(port, timeout=10) as again:
            if again.recv(100).startswith(b"220 "):
                break
    check("places are given back", time.monotonic() < limit)


def main():
    with tempfile.TemporaryDirectory() as folder:
        box = Box(folder)
        second = subprocess.run([PROGRAM, "try", "--dir", folder, "--port-base", "0"], capture_output=True, text=True)
        check("the second is told who has the folder", second.returncode == 1 and f"pid {box.process.pid}" in second.stderr)
        smtplib_checks(box)
        other_programs(box)
        a_crowd(box)
        maildir = mailbox.Maildir(pathlib.Path(folder) / "accounts/1/Maildir", create=False)
        check("Python's mailbox reads the Maildir", len(maildir) == len(box.mail(1)) and all(m["Received"] for m in maildir))
        check("and sees the mailboxes", {"Sent", "Drafts", "Archive", "Junk", "Trash"} <= set(maildir.list_folders()))
        mode = (pathlib.Path(folder) / "try.json").stat().st_mode & 0o777
        check("passwords are kept with mode 0600", mode == 0o600)
        before, accounts = [box.mail(1), box.mail(2)], box.accounts
        code, seconds, talk = box.stop()
        check(f"SIGTERM stops in order within 5 s ({seconds:.1f} s)", code == 0 and seconds < 5 and "ERROR" not in talk)
        box = Box(folder)
        check("the next start goes on with the same accounts", box.accounts == accounts)
        check("and with the same mail", [box.mail(1), box.mail(2)] == before)
        box.process.kill()
        box.process.wait()
    finish()


main()
