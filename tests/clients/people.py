#!/usr/bin/env python3
"""Aliases, domains, catch-all, quotas and people who may not log in: by the commands, seen from SMTP and IMAP.

Usage: people.py PROGRAM
"""

import imaplib
import json
import smtplib
import subprocess
import tempfile

from house import CLEAR, PROGRAM, Box, check, finish


def main():
    with tempfile.TemporaryDirectory() as folder:
        box = Box(folder)
        ann, bob = box.accounts

        def command(*words):
            done = subprocess.run([PROGRAM, *words, "--dir", folder], capture_output=True, text=True, timeout=20)
            return done.returncode, done.stdout, done.stderr

        def ask(*words):
            code, out, err = command(*words, "--json")
            assert code == 0, (words, err)
            return json.loads(out)

        def count(account):
            with imaplib.IMAP4_SSL("127.0.0.1", box.ports["imaps"], ssl_context=CLEAR) as session:
                session.login(account["address"], account["password"])
                return int(session.select("INBOX")[1][0])

        def deliver(*to):
            with smtplib.SMTP("127.0.0.1", box.ports["smtp"]) as session:
                try:
                    session.sendmail("x@else.example", list(to), "Subject: s\r\n\r\nx\r\n")
                    return None
                except smtplib.SMTPRecipientsRefused as error:
                    return next(iter(error.recipients.values()))

        def send(account, sender):
            with smtplib.SMTP_SSL("127.0.0.1", box.ports["submissions"], context=CLEAR) as session:
                session.login(account["address"], account["password"])
                try:
                    session.sendmail(sender, [bob["address"]], "Subject: s\r\n\r\nx\r\n")
                    return True
                except smtplib.SMTPSenderRefused:
                    return False

        check("an address that nobody has", deliver("family@pillarbox.test")[0] == 550)
        ask("alias", "add", "family@pillarbox.test", ann["address"])
        both = ask("alias", "add", "Family@pillarbox.test", bob["address"])
        check("an alias of two", both == {"alias": "family@pillarbox.test", "users": [ann["address"], bob["address"]]})
        check("mail for it reaches both, once each", deliver("family+dogs@pillarbox.test", ann["address"]) is None and (count(ann), count(bob)) == (1, 1))
        check("both may send under it", send(ann, "family@pillarbox.test") and not send(ann, "other@pillarbox.test"))
        code, _, err = command("alias", "add", ann["address"], bob["address"])
        check("an address that somebody has is no alias", code == 1 and "belongs to someone" in err)
        code, _, err = command("alias", "add", "x@else.example", bob["address"])
        check("nor is one elsewhere", code == 1 and "not a domain of this box" in err)
        check("the list", ask("alias", "list") == [both])
        ask("alias", "rm", "family@pillarbox.test", bob["address"])
        check("one leaves the alias", deliver("family@pillarbox.test") is None and (count(ann), count(bob)) == (2, 2))
        check("the rest of it goes", ask("alias", "rm", "family@pillarbox.test")["users"] == [] and deliver("family@pillarbox.test")[0] == 550)
        code, _, err = command("alias", "rm", "family@pillarbox.test")
        check("what is not there cannot go", code == 1 and "there is no alias" in err)

        check("a domain that is not ours", deliver("any@second.test")[:2] == (550, b"5.7.1 We do not take mail for this domain"))
        ask("domain", "add", "second.test")
        check("a second domain", deliver("any@second.test")[1].startswith(b"5.1.1"))
        ask("domain", "add", "second.test", "--catch-all", bob["address"])
        check("with a catch-all", deliver("any@second.test") is None and count(bob) == 3)
        rows = {row["domain"]: row for row in ask("domain", "list")}
        check("the list tells of both", rows["second.test"]["catch_all"] == bob["address"] and rows["pillarbox.test"]["in_settings"])
        ask("user", "add", "carl@second.test")
        code, _, err = command("domain", "rm", "second.test")
        check("a domain with people stays", code == 1 and "carl@second.test" in err)
        ask("user", "rm", "carl@second.test", "--yes")
        ask("domain", "rm", "second.test")
        check("then it goes", deliver("any@second.test")[1].startswith(b"5.7.1"))

        session = imaplib.IMAP4_SSL("127.0.0.1", box.ports["imaps"], ssl_context=CLEAR)
        session.login(bob["address"], bob["password"])
        check("someone is disabled", ask("user", "set", bob["address"], "--disable")["enabled"] is False)
        try:
            session.noop()
            ended = False
        except (imaplib.IMAP4.abort, OSError):
            ended = True
        check("open sessions end", ended)
        try:
            count(bob)
            check("nobody logs in", False)
        except imaplib.IMAP4.error as error:
            check("nobody logs in", b"AUTHENTICATIONFAILED" in str(error).encode())
        check("mail still comes in", deliver(bob["address"]) is None)
        ask("user", "set", bob["address"], "--enable")
        check("and all is there when it is over", count(bob) == 4)
        quota = ask("user", "set", bob["address"], "--quota", "64K")
        check("a quota", quota["quota"] == 65536 and 0 < quota["used"] < 65536)
        with smtplib.SMTP("127.0.0.1", box.ports["smtp"]) as session:
            session.ehlo()
            session.mail("x@else.example", ["SIZE=100000"])
            check("mail over it is refused for now", session.rcpt(bob["address"]) == (452, b"4.2.2 The mailbox is full; try later"))
            session.rset()
            check("and not for others", session.mail("x@else.example", ["SIZE=100000"])[0] == 250 and session.rcpt(ann["address"])[0] == 250)
        with imaplib.IMAP4_SSL("127.0.0.1", box.ports["imaps"], ssl_context=CLEAR) as session:
            session.login(bob["address"], bob["password"])
            code, said = session.append("Drafts", None, None, b"Subject: large\r\n\r\n" + b"x" * 70000)
            check(f"APPEND over it {said}", code == "NO" and b"OVERQUOTA" in said[0])
            check("what fits comes in", session.append("Drafts", None, None, b"Subject: s\r\n\r\nx\r\n")[0] == "OK")
        check("no quota again", ask("user", "set", bob["address"], "--quota", "none")["quota"] is None)
        limited = ask("user", "set", bob["address"], "--quota-messages", "6")
        check("a quota of messages", limited["message_quota"] == 6 and limited["messages"] == 5 and limited["quota"] is None)
        with imaplib.IMAP4_SSL("127.0.0.1", box.ports["imaps"], ssl_context=CLEAR) as session:
            session.login(bob["address"], bob["password"])
            code, (roots, quotas) = session.getquotaroot("INBOX")
            check(f"imaplib reads it {roots} {quotas}", code == "OK" and roots == [b'"INBOX" ""'] and quotas == [b'"" (MESSAGE 5 6)'])
            check("one more comes in", session.append("Drafts", None, None, b"Subject: s\r\n\r\nx\r\n")[0] == "OK")
            code, said = session.append("Drafts", None, None, b"Subject: s\r\n\r\nx\r\n")
            check(f"and then none {said}", code == "NO" and b"OVERQUOTA" in said[0])
            check("and none is copied", session.select("Drafts")[0] == "OK" and session.copy("1", "Archive")[0] == "NO")
        with smtplib.SMTP("127.0.0.1", box.ports["smtp"]) as session:
            session.ehlo()
            session.mail("x@else.example")
            check("nor delivered", session.rcpt(bob["address"]) == (452, b"4.2.2 The mailbox is full; try later"))
        check("and any number again", ask("user", "set", bob["address"], "--quota-messages", "none")["message_quota"] is None)
        code, _, err = command("user", "set", bob["address"])
        check("what to set must be said", code == 2 and "--enable or --disable" in err)
        code, _, talk = box.stop()
        check("nothing went wrong on the way", code == 0 and "ERROR" not in talk)
    finish()


main()
