#!/usr/bin/env python3
"""Two households write to each other: Pillarbox is one, a real Postfix the other. Mail goes both ways in every form that
the two can agree on, waits while it must, and comes back with a reason where it cannot arrive.

Usage: households.py PROGRAM. Prints a line a check and `test result:` as cargo does.
"""

import email
import email.policy
import pathlib
import random
import re
import shutil
import smtplib
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading

from house import check, finish
from postfix import Postfix
from town import Dns, Home, certificate, empty, notices, said, status, why_no_postfix, why_not, within

ADDRESS = "127.0.0.2"
# Postfix takes 127.0.0.1 for itself wherever it listens, and sends nothing there.
HOME = "127.0.0.3"
RECORDS = f"""
home      MX 10 mail.home
mail.home A {HOME}
else      MX 10 mail.else
mail.else A {ADDRESS}
"""
YOUNG = "jürgen@else.test"


class Household(Postfix):
    """`joe`, `eve` and `jürgen` live at `else.test`. Port 25 takes mail for them, port 587 takes theirs to others."""

    def __init__(self, folder, dns):
        folder = pathlib.Path(folder) / "else.test"
        folder.mkdir()
        (folder / "mailboxes").write_text("".join(f"{name}@else.test {name}/\n" for name in ("joe", "eve", "jürgen")))
        (folder / "mail").mkdir()
        shutil.chown(folder / "mail", "nobody", "nogroup")
        certificate(folder, "mail.else.test")
        settings = {
            "myhostname": "mail.else.test",
            "mydomain": "else.test",
            "mynetworks": "",
            "inet_interfaces": "127.0.0.1",
            "smtpd_peername_lookup": "no",
            "virtual_mailbox_domains": "else.test",
            "virtual_mailbox_maps": "texthash:{folder}/mailboxes",
            "virtual_mailbox_base": "{folder}/mail",
            "virtual_mailbox_limit": "0",
            "virtual_uid_maps": "static:65534",
            "virtual_gid_maps": "static:65534",
            "smtpd_tls_cert_file": "{folder}/mail.else.test.pem",
            "smtpd_tls_key_file": "{folder}/mail.else.test.key",
            "smtpd_tls_received_header": "yes",
            # A line that is as long as the sender wrote it leaves as it is.
            "smtp_line_length_limit": "0",
        }
        submission = "-o mynetworks=127.0.0.0/8 -o smtpd_tls_security_level=none -o syslog_name=postfix/submission"
        listeners = f"{ADDRESS}:25 inet n - n - - smtpd\n{ADDRESS}:587 inet n - n - - smtpd {submission}"
        super().__init__(folder, settings, listeners, dns.resolv_conf)

    def start(self):
        super().start()
        assert within(20, self.greets), self.log()

    def greets(self):
        try:
            with socket.create_connection((ADDRESS, 25), timeout=20) as connection:
                return connection.recv(4) == b"220 "
        except OSError:
            return False

    def set(self, **changes):
        """Goes on with other settings than at first."""
        self.stop()
        self.write(**changes)
        self.start()

    def mail(self, who="joe"):
        files = sorted((self.folder / "mail" / who).glob("new/*"))
        return [file.read_bytes().replace(b"\n", b"\r\n") for file in files]

    def send(self, to, text, options=(), rcpt_options=(), who="joe"):
        with smtplib.SMTP(ADDRESS, 587, timeout=20) as session:
            session.sendmail(f"{who}@else.test", to, text, options, rcpt_options)


def message(sender, subject, body=b"Hello\r\n", fields=""):
    """What nobody needs to complete on its way."""
    header = (f"From: <{sender}>\r\nTo: somebody@there.test\r\nSubject: {subject}\r\nDate: Mon, 2 Nov 2026 10:00:00 +0100\r\n"
              f"Message-ID: <{random.getrandbits(64):x}@{sender.split('@')[1]}>\r\n{fields}\r\n")
    return header.encode() + body


def from_ann(*arguments):
    return message("ann@home.test", *arguments)


def from_joe(*arguments):
    return message("joe@else.test", *arguments)


MIME = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
FORMS = {
    "dots": (b".\r\n..\r\n.a\r\n\r\n.\r\n", ""),
    "an empty body": (b"", ""),
    "8 bit": ("Grüße, 你好\r\n.ü\r\n".encode() * 50, MIME),
    "lines of 998 bytes": ((b"." * 998 + b"\r\n" + b"x" * 998 + b"\r\n") * 20, ""),
    "a line of 9,000 bytes": (b"x" * 9000 + b"\r\nend\r\n", ""),
    "5 MB": (b"".join(b"%08d %s\r\n" % (number, b"x" * 70) for number in range(64_000)), ""),
}


def copies(place, text, who):
    """Those that have come with every byte, below what servers put on top."""
    return [one for one in place.mail(who) if one.endswith(b"\r\n" + text)]


def arrived(place, text, who):
    return within(30, lambda: len(copies(place, text, who)) == 1)


def top(place, text, who):
    """What servers have put on top of a message that should be there."""
    return b"".join(one.removesuffix(text) for one in copies(place, text, who))


def to_postfix(home, other, name, text, **options):
    home.send(["joe@else.test"], text, **options)
    check(f"{name} reaches Postfix", arrived(other, text, "joe"), (said(home), other.log()[-2000:]))
    return top(other, text, "joe")


def to_pillarbox(home, other, name, text, options=()):
    other.send(["ann@home.test"], text, options)
    check(f"{name} comes from Postfix", arrived(home, text, "ann"), other.log()[-2000:])
    return top(home, text, "ann")


def commands(other, after):
    """Postfix's count of the commands in each session at port 25 that brought mail, without the first so many."""
    return re.findall(r"postfix/smtpd\[\d+\]: disconnect from \S+ (.* mail=.*)", other.log())[after:]


def extensions(home, other):
    """Every form of message, with each set of extensions that the other side offers."""
    for off, by in (("", "bdat"), ("chunking", "data"), ("pipelining", "bdat"), ("pipelining, chunking", "data"),
                    ("dsn, size, smtputf8, enhancedstatuscodes, chunking, pipelining", "data")):
        other.set(smtpd_discard_ehlo_keywords=off)
        before = len(commands(other, 0))
        for form, (body, fields) in FORMS.items():
            to_postfix(home, other, f"{form}, without {off or 'any lack'}", from_ann(form, body, fields))
        # A session rests before it ends.
        ended = within(10, lambda: len(commands(other, before)) > 0)
        check(f"... by {by.upper()}", ended and all(f"{by}=" in session for session in commands(other, before)), commands(other, before))
    other.set(smtpd_discard_ehlo_keywords="8bitmime")
    text = from_ann("8 bit, encoded", *FORMS["8 bit"])
    home.send(["joe@else.test"], text)
    encoded = lambda: [one for one in other.mail("joe") if b"\nSubject: 8 bit, encoded\r\n" in one]
    read = lambda raw: email.message_from_bytes(raw, policy=email.policy.default).get_content().replace("\r\n", "\n")
    check("8 bit, without 8BITMIME: arrives encoded, and says the same", within(10, encoded) and encoded()[0].isascii() and read(encoded()[0]) == read(text), said(home))
    other.set()
    for form, (body, fields) in FORMS.items():
        to_pillarbox(home, other, form, from_joe(form, body, fields), ["BODY=8BITMIME"] if fields == MIME else [])
    text = from_joe("by sendmail", *FORMS["8 bit"])
    subprocess.run(["/usr/sbin/sendmail", "-C", other.folder, "-i", "-f", "joe@else.test", "ann@home.test"], input=text.replace(b"\r\n", b"\n"), check=True)
    check("what sendmail takes comes from Postfix", arrived(home, text, "ann"), other.log()[-2000:])


def told(home, count, who="ann"):
    """Has one more notice come than there were?"""
    return within(20, lambda: len(notices(home, who)) == count + 1)


def received(trace):
    """The field of the last server."""
    return b"".join(trace.split(b"\r\nReceived: ")[1:2])


def tls(home, other):
    for ours, level in (("ESMTP", "none"), ("ESMTPS", "may"), ("ESMTPS", "encrypt")):
        other.set(smtpd_tls_security_level=level, smtp_tls_security_level=level)
        trace = received(to_postfix(home, other, f"TLS at Postfix {level}: a message", from_ann("tls")))
        check(f"... with {ours}", f" with {ours} id ".encode() in trace and (b"(using TLSv1.3 " in trace) == (level != "none"), trace)
        trace = received(to_pillarbox(home, other, f"TLS of Postfix {level}: a message", from_joe("tls")))
        check(f"... with {ours}", f" with {ours} id ".encode() in trace, trace)
    for form, (body, fields) in FORMS.items():
        to_postfix(home, other, f"{form}, by TLS", from_ann(form, body, fields))
        to_pillarbox(home, other, f"{form}, by TLS,", from_joe(form, body, fields), ["BODY=8BITMIME"] if fields == MIME else [])
    other.set()


class Greylist(socketserver.ThreadingTCPServer):
    """A policy service of Postfix: who comes for the first time is told to come again."""

    allow_reuse_address = daemon_threads = True

    def __init__(self, first):
        self.first, self.seen = first, set()
        super().__init__(("127.0.0.1", 0), Policy)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()


class Policy(socketserver.StreamRequestHandler):
    def handle(self):
        asked = {}
        for line in self.rfile:
            name, _, value = line.decode().rstrip("\n").partition("=")
            if name:
                asked[name] = value
                continue
            who = asked["client_address"], asked["sender"], asked["recipient"]
            action = "dunno" if who in self.server.seen else self.server.first
            self.server.seen.add(who)
            self.wfile.write(f"action={action}\n\n".encode())
            asked = {}


def greylisting(home, other):
    for first in ("defer_if_permit 4.7.1 Greylisted, come again", "450 4.7.1 Greylisted, come again"):
        policy = Greylist(first)
        other.set(smtpd_recipient_restrictions=f"check_policy_service inet:127.0.0.1:{policy.server_address[1]}")
        text, count = from_ann("greylisted"), len(home.mail())
        home.send(["joe@else.test", "eve@else.test"], text)
        waits = within(10, lambda: len(words := said(home)) == 2 and all("450 4.7.1" in word and "Greylisted, come again" in word for word in words))
        check(f"{first.split()[0]} at first: it waits, and the queue says why", waits and copies(other, text, "joe") == [], said(home))
        listed = home.json("queue", "list")[0]
        check("... for five minutes", 290 <= listed["next"] - listed["arrived"] <= 330 and not listed["held"], listed)
        home.run("queue", "retry")
        check("... and reaches both when it is tried again", arrived(other, text, "joe") and arrived(other, text, "eve"), (said(home), other.log()[-2000:]))
        check("... and the queue is empty, and nobody was told", within(5, lambda: home.json("queue", "list") == []) and len(home.mail()) == count)
        policy.shutdown()
        policy.server_close()
    other.set()


def refused(home, other):
    count, text = len(notices(home)), from_ann("one of two")
    home.send(["joe@else.test", "nobody@else.test"], text)
    check("one of two recipients is unknown: the other has it", arrived(other, text, "joe"), other.log()[-2000:])
    check("... and the sender is told", told(home, count), said(home))
    notice = notices(home)[-1]
    fields, words = status(notice), "User unknown in virtual mailbox table"
    check("... with Postfix's words, for people and for programs", words in notice.get_payload(0).get_content() and words in fields["diagnostic-code"], notice)
    check("... of that recipient alone", (fields["action"], fields["status"], fields["final-recipient"]) == ("failed", "5.1.1", "rfc822; nobody@else.test")
          and len(notice.get_payload(1).get_payload()) == 2 and fields["remote-mta"].startswith("dns; mail.else.test"), notice)
    check("... and the queue is empty", within(5, lambda: home.json("queue", "list") == []), said(home))
    count, text = len(notices(other, "joe")), from_joe("one of two")
    other.send(["ann@home.test", "nobody@home.test"], text)
    check("the same from Postfix: the other has it", arrived(home, text, "ann"), other.log()[-2000:])
    check("... and its sender hears our words from it", told(other, count, "joe") and "550 5.1.1" in status(notices(other, "joe")[-1])["diagnostic-code"]
          and status(notices(other, "joe")[-1])["final-recipient"] == "rfc822; nobody@home.test", other.log()[-2000:])


def letters(home, other):
    other.set(smtputf8_enable="no")
    count, text = len(notices(home)), from_ann("Grüße", *FORMS["8 bit"])
    home.send([YOUNG], text, options=["SMTPUTF8", "BODY=8BITMIME"])
    check("an address beyond ASCII, without SMTPUTF8: comes back", told(home, count) and b"\r\nStatus: 5.6.7\r\n" in home.mail()[-1], said(home))
    other.set()
    home.send([YOUNG], text, options=["SMTPUTF8", "BODY=8BITMIME"])
    check("... with SMTPUTF8: reaches Postfix", arrived(other, text, "jürgen"), (said(home), other.log()[-2000:]))
    text = message(YOUNG, "Grüße", *FORMS["8 bit"])
    other.send(["ann@home.test"], text, ["SMTPUTF8", "BODY=8BITMIME"], who="jürgen")
    check("... and comes from Postfix", arrived(home, text, "ann") and b" with UTF8SMTP" in top(home, text, "ann"), other.log()[-2000:])


def sizes(home, other):
    for off, words in (("", "too big"), ("size", "552 5.3.4"), ("size, chunking", "552 5.3.4")):
        other.set(smtpd_discard_ehlo_keywords=off, message_size_limit="100000")
        count = len(notices(home))
        home.send(["joe@else.test"], from_ann("big", *FORMS["5 MB"]))
        check(f"too big, without {off or 'any lack'}: comes back", told(home, count), said(home))
        check("... as 5.3.4", status(notices(home)[-1])["status"] == "5.3.4" and words in notices(home)[-1].get_payload(0).get_content(), notices(home)[-1])
    to_postfix(home, other, "what is smaller", from_ann("small", b"x" * 900 + b"\r\n"))
    other.set()


def wishes(home, other):
    count = len(notices(home))
    to_postfix(home, other, "NOTIFY=SUCCESS: the message", from_ann("success"), options=["RET=HDRS", "ENVID=QQ314159"], rcpt_options=["NOTIFY=SUCCESS", "ORCPT=rfc822;Joe@else.test"])
    check("... and Postfix's report comes", told(home, count), other.log()[-2000:])
    notice = notices(home)[-1]
    fields = dict(notice.get_payload(1).get_payload()[0].items())
    check("... of its delivery, under the sender's name for it", status(notice)["action"] == "delivered" and status(notice)["original-recipient"] == "rfc822;Joe@else.test"
          and fields["Original-Envelope-Id"] == "QQ314159" and fields["Reporting-MTA"] == "dns; mail.else.test", notice)
    to_postfix(home, other, "NOTIFY=NEVER: the message", from_ann("never"), rcpt_options=["NOTIFY=NEVER"])
    home.send(["nobody@else.test"], from_ann("never"), rcpt_options=["NOTIFY=NEVER"])
    check("... and nobody hears of anything", within(10, lambda: home.json("queue", "list") == []) and len(notices(home)) == count + 1)
    count = len(notices(other, "joe"))
    other.send(["ann@home.test"], from_joe("success"), rcpt_options=["NOTIFY=SUCCESS"])
    check("NOTIFY=SUCCESS from Postfix: our report reaches it", told(other, count, "joe"), (said(home), other.log()[-2000:]))
    notice = notices(other, "joe")[-1]
    check("... of our delivery", status(notice)["action"] == "delivered" and status(notice)["final-recipient"] == "rfc822; ann@home.test"
          and notice["return-path"] == "<>", notice)


def five_sessions(texts, session, sender, to):
    """Five threads that send so many messages."""
    def send(part):
        with session() as open_session:
            for text in texts[part::5]:
                open_session.sendmail(sender, [to], text)

    threads = [threading.Thread(target=send, args=(part,)) for part in range(5)]
    for thread in threads:
        thread.start()
    return threads


def many(home, other):
    """A hundred each way at once."""
    ours, theirs = ([write("many", b"".join(b"%d %d %s\r\n" % (number, line, b"." * random.randrange(70)) for line in range(random.randrange(400))))
                     for number in range(100)] for write in (from_ann, from_joe))
    threads = five_sessions(ours, home.session, "ann@home.test", "joe@else.test")
    threads += five_sessions(theirs, lambda: smtplib.SMTP(ADDRESS, 587, timeout=20), "joe@else.test", "ann@home.test")
    for thread in threads:
        thread.join()
    for name, texts, place, who in (("to Postfix", ours, other, "joe"), ("from Postfix", theirs, home, "ann")):
        of_them = lambda: [one[one.index(b"\r\nFrom: <") + 2:] for one in place.mail(who) if b"\r\nSubject: many\r\n" in one]
        everything = within(60, lambda: len(of_them()) >= 100)
        check(f"a hundred messages {name} arrive once each, byte for byte", everything and sorted(of_them()) == sorted(texts), (len(of_them()), said(home)[:3]))
    check("both queues are empty", within(10, lambda: home.json("queue", "list") == [] and not other.queued()))
    other.set(smtpd_client_connection_count_limit="1")
    ours = [from_ann("one at a time", b"%d\r\n" % number) for number in range(50)]
    for thread in five_sessions(ours, home.session, "ann@home.test", "joe@else.test"):
        thread.join()
    check("a server that takes one connection at a time gets all of fifty", all(arrived(other, text, "joe") for text in ours), said(home)[:3])
    other.set()


def strict(home, other):
    """Postfix looks up who we are, and asks us whether the sender is known here."""
    other.set(smtpd_helo_required="yes", smtpd_helo_restrictions="reject_invalid_helo_hostname, reject_non_fqdn_helo_hostname, reject_unknown_helo_hostname",
              smtpd_sender_restrictions="reject_non_fqdn_sender, reject_unknown_sender_domain, reject_unverified_sender", address_verify_map="")
    to_postfix(home, other, "a message from a sender that Postfix has asked for", from_ann("verified"))
    check("... which it did", "status=deliverable (250 2.1.5" in other.log(), other.log()[-2000:])
    other.set()


def away(home, other):
    other.stop()
    text, count = from_ann("away"), len(home.mail())
    home.send(["joe@else.test"], text)
    check("Postfix is away: the message waits", within(10, lambda: any("no connection" in word for word in said(home))), said(home))
    check("... and nobody is told of a failure", len(home.mail()) == count)
    other.start()
    home.run("queue", "retry")
    check("... and arrives when Postfix is back", arrived(other, text, "joe"), said(home))
    home.stop()
    text = from_joe("away")
    other.send(["ann@home.test"], text)
    check("Pillarbox is away: the message waits", within(10, lambda: other.queued(["deferred"])), other.log()[-2000:])
    home.start()
    other.flush()
    check("... and comes when Pillarbox is back", arrived(home, text, "ann"), other.log()[-2000:])


def main():
    if reason := why_not() or why_no_postfix():
        print(f"skipped: households: {reason}")
        return
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder).chmod(0o755)
        dns = Dns(folder, RECORDS, at_53=True)
        home = Home(folder, "home.test", HOME, dns)
        other = Household(folder, dns)
        for part in (extensions, tls, greylisting, refused, letters, sizes, wishes, strict, many, away):
            print(f"== {part.__name__}", flush=True)
            part(home, other)
            empty(home)
        code = home.stop()
        check("it stops in order", code == 0, code)
        other.stop()
        dns.stop()
    finish()


main()
