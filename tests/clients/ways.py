#!/usr/bin/env python3
"""The ways that mail takes beside the straight one: held for later, by a smarthost for some domains or when nothing else
works, and by LMTP to a Dovecot behind us. And what stops it: too much of it in a day, and circles.

Usage: ways.py PROGRAM. Prints a line a check and `test result:` as cargo does.
"""

import atexit
import datetime
import email
import email.policy
import os
import pathlib
import shutil
import signal
import smtplib
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent.parent / "target" / "python"))
import dkim  # noqa: E402

from house import check, finish, free_ports  # noqa: E402
from town import Dns, Home, Server, certificate, why_not, within  # noqa: E402

if reason := why_not():
    print(f"skipped: ways: {reason}")
    sys.exit()

RECORDS = """
home      MX 10 mail.home
mail.home A 127.0.0.1
else      MX 10 mx.else
mx.else   A 127.0.0.2
odd       MX 10 mx.else
third     MX 10 mx.else
nowhere1  A 127.0.0.31
nowhere2  A 127.0.0.32
nowhere3  A 127.0.0.33
smart     A 127.0.0.9
"""


def text(subject, sender="ann@home.test"):
    return f"From: {sender}\r\nTo: joe@else.test\r\nSubject: {subject}\r\n\r\nHello\r\n"


def came(home, subject, who="bob"):
    return [raw for raw in home.mail(who) if f"\nSubject: {subject}\r\n".encode() in raw]


def said(home):
    return [recipient["result"] or "" for message in home.json("queue", "list") for recipient in message["recipients"]]


def empty(home):
    for message in home.json("queue", "list"):
        home.run("queue", "drop", message["id"])


def held(home):
    """RFC 4865."""
    server = Server("127.0.0.2")
    with home.session() as session:
        session.ehlo()
        words = session.esmtp_features["futurerelease"].split()
        limit = datetime.datetime.fromisoformat(words[1].replace("Z", "+00:00"))
        ahead = (limit - datetime.datetime.now(datetime.UTC)).total_seconds()
        check("FUTURERELEASE tells how far ahead", abs(ahead - int(words[0])) < 60, words)
    home.send(["bob@home.test", "joe@else.test"], text("for three seconds"), options=["HOLDFOR=3"])
    began = time.monotonic()
    waiting = home.json("queue", "list")
    check("a message that is held waits, for people here too", len(waiting) == 1 and not server.taken and not came(home, "for three seconds"), waiting)
    check("... and leaves when it is time", within(10, lambda: server.taken and came(home, "for three seconds")) and time.monotonic() - began > 2, said(home))
    check("... with its trace, once", len(came(home, "for three seconds")) == 1 and b"Return-Path: <ann@home.test>" in came(home, "for three seconds")[0])
    later = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=5)).strftime("%Y-%m-%dT%H:%M:%SZ")
    home.send(["bob@home.test"], text("until later"), options=[f"HOLDUNTIL={later}"])
    row = home.json("queue", "list")[0]
    check("queue list says when it leaves", abs(row["next"] - time.time() - 5 * 3600) < 60, row)
    home.stop()
    home.start()
    row = home.json("queue", "list")[0]
    check("... after a start too", abs(row["next"] - time.time() - 5 * 3600) < 60, row)
    home.run("queue", "drop", row["id"])
    check("one that is dropped never leaves: undo", home.json("queue", "list") == [] and not came(home, "until later"))
    home.send(["bob@home.test"], text("let go"), options=["HOLDFOR=86400"])
    home.run("queue", "retry", home.json("queue", "list")[0]["id"])
    check("one that is let go arrives", within(10, lambda: came(home, "let go")), said(home))
    server.script["RCPT"] = "550 5.1.1 no"
    count = len(home.mail("ann"))
    home.send(["joe@else.test"], text("comes back"), options=["HOLDFOR=1"])
    check("a report on it repeats the wish", within(10, lambda: len(home.mail("ann")) > count) and b"\nFuture-Release-Request: for;1\r\n" in home.mail("ann")[-1]
          and b"\nArrival-Date: " in home.mail("ann")[-1], said(home))
    home.send(["bob@home.test"], text("wish for success"), options=["HOLDFOR=1"], rcpt_options=["NOTIFY=SUCCESS"])
    check("... and success is told when it has arrived", within(10, lambda: b"\nAction: delivered\r\n" in home.mail("ann")[-1]), said(home))
    home.send(["bob@home.test"], text("too much"), options=["HOLDFOR=2"])
    home.run("user", "set", "bob@home.test", "--quota", "1K")
    check("a full mailbox keeps it in the queue", within(10, lambda: any("full" in one for one in said(home))), said(home))
    home.run("user", "set", "bob@home.test", "--quota", "none")
    home.run("queue", "retry")
    check("... until there is room", within(10, lambda: came(home, "too much") and home.json("queue", "list") == []), said(home))
    server.stop()


def forwards(home):
    """Aliases whose mail goes on, and what comes back."""
    server = Server("127.0.0.2")
    row = home.json("alias", "add", "club@home.test", "joe@else.test")
    home.run("alias", "add", "club@home.test", "bob@home.test")
    check("an alias may lead elsewhere", row == {"alias": "club@home.test", "users": ["joe@else.test"]}, row)
    check("alias list shows it", any(sorted(one["users"]) == ["bob@home.test", "joe@else.test"] for one in home.json("alias", "list")), home.json("alias", "list"))

    def from_third(to, subject, sender="x@third.test", more=""):
        with smtplib.SMTP("127.0.0.1", 25) as session:
            return session.sendmail(sender, to, more + text(subject, "x@third.test"))

    from_third(["club@home.test"], "to the club")
    check("its mail goes on, and stays", within(10, lambda: len(server.taken) == 1) and came(home, "to the club"), said(home))
    sender, recipients, raw = server.taken[0]
    address = sender.removeprefix("MAIL FROM:<").split(">")[0]
    check("... under an address of ours, that names the first sender", address.startswith("SRS0=") and address.endswith("=third.test=x@home.test") and recipients == ["RCPT TO:<joe@else.test>"], sender)
    check("... marked, and not signed as if it were ours", b"Delivered-To: club@home.test\r\n" in raw and b"DKIM-Signature" not in raw, raw)
    server.taken.clear()
    from_third([address.lower()], "a notice", "")
    check("a notice to that address goes back to the first sender", within(10, lambda: len(server.taken) == 1) and server.taken[0][0].startswith("MAIL FROM:<>") and server.taken[0][1] == ["RCPT TO:<x@third.test>"], (server.taken, said(home)))
    server.taken.clear()
    for name, sender in (("from anybody", "x@third.test"), ("from us", "ann@home.test")):
        try:
            from_third([address], "no notice", sender)
            code = 250
        except smtplib.SMTPRecipientsRefused as error:
            code = next(iter(error.recipients.values()))[0]
        check(f"... but nothing else does, {name}", code == 550, code)
    try:
        from_third(["club@home.test"], "as if it were ann's", more="From: Ann <ann@home.test>\r\n")
        code = 250
    except smtplib.SMTPDataError as error:
        code = error.smtp_code
    check("what says that it is ours and is not, is not sent on", code == 550 and not server.taken, (code, server.taken))
    for name, odd in (("forged", address.replace("SRS0=", "SRS0=a")), ("of somebody else", address.replace("=x@", "=y@"))):
        try:
            from_third([odd], "forged", "")
            code = 250
        except smtplib.SMTPRecipientsRefused as error:
            code = next(iter(error.recipients.values()))[0]
        check(f"... but not to one that is {name}", code == 550, code)
    server.script["RCPT TO:<joe@else.test>"] = "550 5.1.1 no such joe"
    from_third(["club@home.test"], "refused there")
    check("what is refused there comes back to the first sender, from nobody", within(10, lambda: len(server.taken) == 1) and server.taken[0][0].startswith("MAIL FROM:<>")
          and server.taken[0][1] == ["RCPT TO:<x@third.test>"] and b"no such joe" in server.taken[0][2], (server.taken, said(home)))
    server.script.clear()
    server.taken.clear()
    home.send(["club@home.test"], text("ann to the club"))
    check("our own people's mail goes on in their name, signed", within(10, lambda: len(server.taken) == 1) and server.taken[0][0].startswith("MAIL FROM:<ann@home.test>") and b"DKIM-Signature" in server.taken[0][2], server.taken)
    try:
        from_third(["club@home.test"], "round and round", more="Delivered-To: Club@home.test\r\n")
        code, words = 250, b""
    except smtplib.SMTPDataError as error:
        code, words = error.smtp_code, error.smtp_error
    check("what has come by there before is refused", code == 554 and b"5.4.6" in words, words)
    home.run("alias", "rm", "club@home.test", "joe@else.test")
    server.taken.clear()
    from_third(["club@home.test"], "only here")
    check("... until it is taken away", came(home, "only here") and not server.taken and home.json("queue", "list") == [])
    server.stop()


def lesser(home):
    """Servers that can do less than the message says that it needs."""
    server = Server("127.0.0.2", offers=["PIPELINING"])
    german = "Gr\u00fc\u00dfe und \u20ac\r\n.ein Punkt\r\n"
    head = "From: ann@home.test\r\nSubject: eight\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    home.send(["joe@else.test"], (head + german).encode(), options=["BODY=8BITMIME"])
    check("8-bit text for a server that takes none is encoded", within(10, lambda: len(server.taken) == 1) and server.taken[0][2].isascii() and "BODY" not in server.taken[0][0], said(home))
    raw = server.taken[0][2]
    read = email.message_from_bytes(raw, policy=email.policy.default)
    check("... and says the same", read.get_content().replace("\r\n", "\n") == german.replace("\r\n", "\n") and read["Content-Transfer-Encoding"] in ("quoted-printable", "base64"), raw)
    keys = {f"{key['selector']}._domainkey.home.test.": key["text"].encode() for key in home.json("dkim", "list", "home.test")}
    check("... and its signatures are right", raw.count(b"DKIM-Signature") == 2 and all(dkim.DKIM(raw).verify(idx, dnsfunc=lambda name, timeout=5: keys.get(name.decode())) for idx in (0, 1)), keys)
    binary = b"From: ann@home.test\r\nSubject: binary\r\nMIME-Version: 1.0\r\nContent-Type: application/x-any\r\nContent-Transfer-Encoding: binary\r\n\r\n\0\1\r\n\xff\n\r"
    with home.session() as session:
        session.ehlo()
        session.docmd("MAIL", "FROM:<ann@home.test> BODY=BINARYMIME")
        session.docmd("RCPT", "TO:<joe@else.test>")
        session.send(b"BDAT %d LAST\r\n" % len(binary) + binary)
        session.getreply()
    check("a binary message too", within(10, lambda: len(server.taken) == 2) and email.message_from_bytes(server.taken[1][2]).get_payload(decode=True) == b"\0\1\r\n\xff\n\r", server.taken[1:])
    signed = head.replace("text/plain; charset=utf-8", "multipart/signed; protocol=\"a/b\"; micalg=x; boundary=b").replace("eight", "signed")
    count = len(home.mail("ann"))
    home.send(["joe@else.test"], (signed + f"--b\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{german}\r\n--b\r\nContent-Type: a/b\r\n\r\nx\r\n--b--\r\n").encode())
    check("what somebody has signed is not changed, and comes back", within(10, lambda: len(home.mail("ann")) > count) and b"\nStatus: 5.6.3\r\n" in home.mail("ann")[-1] and b"signed" in home.mail("ann")[-1], said(home))
    server.taken.clear()
    home.send(["joe@else.test"], text("plain after all"), options=["SMTPUTF8"])
    check("SMTPUTF8 that nothing needs is left out", within(10, lambda: len(server.taken) == 1) and "SMTPUTF8" not in server.taken[0][0], (said(home), server.lines))
    server.taken.clear()
    count = len(home.mail("ann"))
    home.send(["joe@else.test", "j\u00f6@else.test"], text("for one of two"), options=["SMTPUTF8"])
    check("who can be reached is, who cannot is told", within(10, lambda: len(server.taken) == 1 and len(home.mail("ann")) > count) and server.taken[0][1] == ["RCPT TO:<joe@else.test>"]
          and b"\nStatus: 5.6.7\r\n" in home.mail("ann")[-1] and "j\u00f6@else.test".encode() in home.mail("ann")[-1], (said(home), server.lines))
    server.taken.clear()
    count = len(home.mail("ann"))
    home.send(["joe@else.test"], text("gr\u00fcn").encode(), options=["SMTPUTF8"])
    check("a header that needs it comes back", within(10, lambda: len(home.mail("ann")) > count) and b"\nStatus: 5.6.7\r\n" in home.mail("ann")[-1] and not server.taken, said(home))
    server.stop()


def allowance(folder, dns):
    home = Home(folder, "busy.test", "127.0.0.20", dns, "[limits]\nrecipients_a_day = 10\n")
    server = Server("127.0.0.2")
    send = lambda count, who="ann": home.send([f"u{n}@else.test" for n in range(count)], text("many", f"{who}@busy.test"), who)
    send(10)
    check("what a device may send leaves at once", within(10, lambda: sum(len(one[1]) for one in server.taken) == 10), said(home))
    check("... and nobody is told", not came(home, "Too much mail from one of your devices", "ann"))
    send(1)
    send(9)
    send(1)
    rows = home.json("queue", "list")
    ahead = [round((row["next"] - time.time()) / 86400) for row in rows]
    check("what is over is held for the next days, not lost", ahead == [1, 1, 2] and len(server.taken) == 1, rows)
    letters = came(home, "Too much mail from one of your devices", "ann")
    check("... and its owner is told once", len(letters) == 1 and b"device revoke" in letters[0], len(letters))
    check("... in the log too", "more than 10 in a day" in (home.folder / "log").read_text())
    send(10, "bob")
    check("another device is free", within(10, lambda: sum(len(one[1]) for one in server.taken) == 20), said(home))
    for _ in range(3):
        with home.session("bob") as session:
            session.docmd("MAIL", "FROM:<bob@busy.test>")
            for number in range(9):
                session.docmd("RCPT", f"TO:<u{number}@else.test>")
            session.docmd("DATA")
            session.send(b"Subject: x\r\n\r\n" + b"x" * 600_000)
            session.close()
    assert within(10, lambda: home.json("status")["sessions"] == 0)
    send(1, "bob")
    ahead = [round((row["next"] - time.time()) / 86400) for row in home.json("queue", "list") if row["from"] == "bob@busy.test"]
    check("what was broken off does not count, and the first that is held is told of", ahead == [1] and len(came(home, "Too much mail from one of your devices")) == 1, ahead)
    home.send(["bob@busy.test"], text("at home", "ann@busy.test"))
    check("mail to people here does not count", within(10, lambda: came(home, "at home")))
    home.run("queue", "retry")
    check("who runs the server can let it go", within(10, lambda: home.json("queue", "list") == []), said(home))
    server.stop()
    home.stop()


def circles(home):
    hops = "".join(f"Received: from a{n}.test by b{n}.test; Sat, 28 Nov 2026 10:00:00 +0000\r\n" for n in range(101))
    with smtplib.SMTP("127.0.0.1", 25) as session:
        try:
            session.sendmail("joe@else.test", ["bob@home.test"], hops + text("a circle"))
            code, words = 250, b""
        except smtplib.SMTPDataError as error:
            code, words = error.smtp_code, error.smtp_error
    check("a message that 101 servers have passed on is refused", code == 554 and b"5.4.6" in words and b"circles" in words, words)
    with smtplib.SMTP("127.0.0.1", 25) as session:
        session.sendmail("joe@else.test", ["bob@home.test"], hops.split("\r\n", 1)[1] + text("a long way"))
    check("... one that 100 have is taken", came(home, "a long way"))


def smarthosts(folder, dns):
    made, context = certificate(folder, "smart.test")
    password = pathlib.Path(folder) / "smart.password"
    password.write_text("right\n")
    base = f'[smarthost]\nserver = "smart.test"\nuser = "ann"\npassword_file = "{password}"\n'
    login = {"AUTH PLAIN AGFubgByaWdodA==": "235 2.7.0 welcome"}
    offers = ["PIPELINING", "8BITMIME", "AUTH PLAIN"]
    smart = Server("127.0.0.9", offers=offers, tls=context, port=465, script=login)
    server = Server("127.0.0.2")
    home = Home(folder, "some.test", "127.0.0.21", dns, base + 'domains = ["odd.test"]\n', trusted=made)
    home.send(["a@odd.test", "b@else.test"], text("parted", "ann@some.test"))
    check("a smarthost for some domains gets their mail", within(10, lambda: [one[1] for one in smart.taken] == [["RCPT TO:<a@odd.test>"]]), (smart.lines, said(home)))
    check("... and the rest goes straight", within(10, lambda: [one[1] for one in server.taken] == [["RCPT TO:<b@else.test>"]]), said(home))
    home.stop()
    smart.taken.clear()
    server.taken.clear()
    home = Home(folder, "last.test", "127.0.0.22", dns, base + "fallback = true\n", trusted=made)
    server.script["RCPT"] = "451 4.7.1 not from a home line"
    home.send(["b@else.test"], text("in the end", "ann@last.test"))
    for tries in range(1, 4):
        check(f"a smarthost that stands by does not get what may still go straight: {tries}", within(10, lambda: any("not from" in one for one in said(home))) and not smart.taken, said(home))
        seen = server.lines.count("RCPT TO:<b@else.test>")
        home.run("queue", "retry")
        if tries < 3:
            check("... it is tried straight again", within(10, lambda: server.lines.count("RCPT TO:<b@else.test>") > seen), server.lines)
    check("after three it does", within(10, lambda: len(smart.taken) == 1), said(home))
    smart.taken.clear()
    server.script.pop("RCPT")
    for n in (1, 2):
        home.send([f"a@nowhere{n}.test"], text(f"nowhere {n}", "ann@last.test"))
        check(f"nothing answers at port 25: {n}", within(10, lambda: len([one for one in said(home) if "no connection" in one]) == n), said(home))
    home.send(["b@else.test"], text("at once", "ann@last.test"))
    check("when nothing answers anywhere, the smarthost gets all at once", within(10, lambda: [one[1] for one in smart.taken] == [["RCPT TO:<b@else.test>"]]) and not server.taken, (smart.lines, said(home)))
    home.run("queue", "retry")
    check("... and what waited", within(10, lambda: len(smart.taken) == 3 and home.json("queue", "list") == []), said(home))
    check("... and the log says why", "port 25" in (home.folder / "log").read_text())
    paths = lambda: {path["path"]: path for path in home.json("status")["paths"]}
    hour = time.time() // 3600 * 3600
    # A session rests before it ends.
    check("the status tells which way works", within(5, lambda: paths().get("smarthost", {}).get("worked") in (hour, hour - 3600)), paths())
    check("... and which does not", paths()["straight"]["failed"] and "no connection" in paths()["straight"]["why"], paths())
    for one in (smart, server):
        one.stop()
    home.stop()


DOVECOT = """
protocols = lmtp
base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/log
ssl = no
mail_location = maildir:~/Maildir
first_valid_uid = 1
recipient_delimiter = +
auth_username_format = %Lu
passdb {{
  driver = passwd-file
  args = {folder}/passwd
}}
userdb {{
  driver = passwd-file
  args = {folder}/passwd
  default_fields = uid=nobody gid=nogroup home={folder}/home/%u
}}
service lmtp {{
  unix_listener {folder}/lmtp {{
    mode = 0666
  }}
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {port}
  }}
}}
"""


class Dovecot:
    def __init__(self, folder, people):
        self.folder = pathlib.Path(folder) / "dovecot"
        self.folder.mkdir()
        pathlib.Path(folder).chmod(0o755)
        self.port = free_ports(1)[0]
        (self.folder / "home").mkdir()
        shutil.chown(self.folder / "home", "nobody", "nogroup")
        (self.folder / "passwd").write_text("".join(f"{name}:{{plain}}x::::::\n" for name in people))
        (self.folder / "dovecot.conf").write_text(DOVECOT.format(folder=self.folder, port=self.port))
        self.start()

    def start(self):
        self.process = subprocess.Popen(["dovecot", "-F", "-c", self.folder / "dovecot.conf"])
        atexit.register(self.process.kill)
        assert within(10, self.listens), (self.folder / "log").read_text()

    def listens(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=20)

    def mail(self, name):
        place = self.folder / "home" / name / "Maildir"
        return [file.read_bytes() for file in sorted(place.glob("new/*"))]


def behind(home, folder):
    if not os.path.exists("/usr/lib/dovecot/lmtp") or os.getuid() != 0:
        print("skipped: behind: dovecot-lmtpd is not installed, or this is not root", flush=True)
        return
    dovecot = Dovecot(folder, ["carl@cluster.test", "dora@cluster.test", "bob@home.test"])
    row = home.json("domain", "add", "cluster.test", "--lmtp", f"{dovecot.folder}/lmtp")
    check("a domain is given to a server behind us", row["lmtp"] == f"{dovecot.folder}/lmtp", row)

    def from_outside(to, subject, body="Hello\r\n.a dot\r\n..two\r\n"):
        with smtplib.SMTP("127.0.0.1", 25) as session:
            return session.sendmail("joe@else.test", to, (text(subject, "joe@else.test") + body).encode())

    refused = from_outside(["carl@cluster.test", "nobody@cluster.test", "dora+lists@cluster.test"], "to the cluster")
    check("whom it does not know is refused at once, in its words", list(refused) == ["nobody@cluster.test"] and refused["nobody@cluster.test"][0] == 550
          and b"User doesn't exist" in refused["nobody@cluster.test"][1], refused)
    check("the others' mail arrives there", within(10, lambda: dovecot.mail("carl@cluster.test") and dovecot.mail("dora@cluster.test")), (said(home), (dovecot.folder / "log").read_text()[-1000:]))
    raw = dovecot.mail("carl@cluster.test")[0].replace(b"\r\n", b"\n")
    check("... byte for byte", raw.endswith(b"\n\nHello\nHello\n.a dot\n..two\n") and b"Return-Path: <joe@else.test>" in raw, raw)
    home.send(["carl@cluster.test"], text("from ann"))
    check("our own people's mail too, signed", within(10, lambda: any(b"DKIM-Signature" in one and b"from ann" in one for one in dovecot.mail("carl@cluster.test"))), said(home))
    shown = home.json("user", "set", "bob@home.test", "--lmtp", f"127.0.0.1:{dovecot.port}")
    check("a person's mail is given there by a port", shown["lmtp"] == f"127.0.0.1:{dovecot.port}", shown)
    count = len(home.mail("bob"))
    home.run("alias", "add", "both@home.test", "ann@home.test")
    home.run("alias", "add", "both@home.test", "bob@home.test")
    from_outside(["bob@home.test"], "to bob")
    from_outside(["both@home.test"], "to both")
    check("... and arrives there, through an alias too", within(10, lambda: len(dovecot.mail("bob@home.test")) == 2) and len(home.mail("bob")) == count, said(home))
    check("... while others of the alias have it here", came(home, "to both", "ann"))
    dovecot.stop()
    try:
        from_outside(["erna@cluster.test"], "away")
        code = 250
    except smtplib.SMTPRecipientsRefused as error:
        code = error.recipients["erna@cluster.test"][0]
    check("while it is away, others are told to come back", code == 451, code)
    from_outside(["carl@cluster.test"], "known already")
    home.send(["dora@cluster.test"], text("waits"))
    check("... but not for those whom it knew, nor our own people", within(10, lambda: len([one for one in said(home) if "no connection" in one]) == 2), said(home))
    dovecot.start()
    home.run("queue", "retry")
    check("what waited arrives when it is back", within(10, lambda: any(b"waits" in one for one in dovecot.mail("dora@cluster.test")) and home.json("queue", "list") == []), said(home))
    home.run("user", "set", "bob@home.test", "--lmtp", "none")
    from_outside(["bob@home.test"], "here again")
    check("a person may come back", came(home, "here again"))
    done = home.run("user", "set", "bob@home.test", "--lmtp", "dovecot", check=False)
    check("a place that is none is told", done.returncode == 1 and "no place of an LMTP server" in done.stderr, done.stderr)
    dovecot.stop()


def main():
    with tempfile.TemporaryDirectory() as folder:
        dns = Dns(folder, RECORDS)
        home = Home(folder, "home.test", "127.0.0.1", dns)
        for name, part in (("held", lambda: held(home)), ("circles", lambda: circles(home)), ("forwards", lambda: forwards(home)), ("lesser", lambda: lesser(home)), ("behind", lambda: behind(home, folder)),
                           ("allowance", lambda: allowance(folder, dns)), ("smarthosts", lambda: smarthosts(folder, dns))):
            print(f"== {name}", flush=True)
            part()
            if home.process.poll() is None:
                empty(home)
        home.stop()
        dns.stop()
    finish()


main()
