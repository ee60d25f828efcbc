#!/usr/bin/env python3
"""Mail leaves for other servers by MX, and each way in which these misbehave is met: it is tried elsewhere, tried later,
or given up with a notice that says why. Knot serves the zone; the servers' words are written down here.

Usage: sending.py PROGRAM. Prints a line a check and `test result:` as cargo does.
"""

import socket
import sys
import tempfile
import threading
import time

from house import check, finish
from town import Dns, Home, Server, certificate, empty, notices, said, status, why_not, within

if reason := why_not():
    print(f"skipped: sending: {reason}")
    sys.exit()

TEXT = "From: Ann <ann@home.test>\r\nTo: joe@else.test\r\nSubject: {}\r\n\r\nHello\r\n.a dot\r\n"
RECORDS = """
home      MX 10 mail.home
mail.home A 127.0.0.1
else      MX 10 mx1.else
else      MX 20 mx2.else
mx1.else  A 127.0.0.2
mx2.else  A 127.0.0.3
plain     A 127.0.0.2
many      MX 10 mx1.else
silent0   A 127.0.0.4
silent1   A 127.0.0.4
silent2   A 127.0.0.4
silent3   A 127.0.0.4
silent4   A 127.0.0.4
silent5   A 127.0.0.4
silent6   A 127.0.0.4
silent7   A 127.0.0.4
silent8   A 127.0.0.4
silent9   A 127.0.0.4
silent10   A 127.0.0.4
silent11   A 127.0.0.4
silent12   A 127.0.0.4
silent13   A 127.0.0.4
silent14   A 127.0.0.4
circle    MX 10 mx.circle
mx.circle A 127.0.0.1
null      MX 0 .
nohost    MX 10 gone.nohost
loop      MX 10 mail.home
smart     A 127.0.0.9
lame      NS ns.lame
ns.lame   A 127.0.0.99
"""


def taken(server, count=1):
    return within(10, lambda: len(server.taken) >= count)


def by_mx(home, folder):
    server = Server("127.0.0.2")
    home.send(["joe@else.test"], TEXT.format("one"))
    check("a message reaches the host of the MX", taken(server))
    sender, recipients, text = server.taken[0]
    check("envelope and text are as they were sent", sender.startswith("MAIL FROM:<ann@home.test>")
          and recipients == ["RCPT TO:<joe@else.test>"] and text.endswith(b"\r\n\r\nHello\r\n.a dot\r\n"), server.taken)
    check("our trace is on top, and no address of the sender's device in it", text.split(b"DKIM-Signature")[-1].count(b"Received: from") == 1 and b"([127" not in text, text)
    check("the queue is empty then", within(5, lambda: home.json("queue", "list") == []) and home.queue() == [])
    home.send(["a@else.test", "b@else.test", "a@else.test", "c@else.test"], TEXT.format("three"))
    check("recipients of a domain go in one transaction, each once", taken(server, 2) and len(server.taken[1][1]) == 3)
    before = server.connections
    for number in range(3):
        home.send(["joe@else.test"], TEXT.format(number))
    check("messages that follow go by the connection that is there", taken(server, 5) and server.connections <= before + 1, server.connections - before)
    home.send(["joe@plain.test"], TEXT.format("plain"))
    check("a domain without MX takes its own mail", taken(server, 6))
    server.stop()


def elsewhere(home, folder):
    second = Server("127.0.0.3")
    home.send(["joe@else.test"], TEXT.format("one"))
    check("the first host is down: the second gets it", taken(second))
    for greeting in ("554 5.7.1 not you", "421 4.3.2 busy", "SSH-2.0-OpenSSH", "close"):
        first = Server("127.0.0.2", greeting=greeting if greeting != "close" else (lambda talk: talk.connection.shutdown(socket.SHUT_RDWR)))
        count = len(second.taken)
        second.hang_up()
        home.send(["joe@else.test"], TEXT.format("two"))
        check(f"the first greets with {greeting!r}: the second gets it", taken(second, count + 1) and first.connections == 1, (first.connections, said(home)))
        first.stop()
    second.stop()
    first = Server("127.0.0.2", script={"EHLO": "502 5.5.1 what", "HELO": "250 peer"})
    home.send(["joe@else.test"], TEXT.format("helo"))
    check("a server of 1990 gets it by HELO", taken(first) and any(line.startswith("HELO mail.home.test") for line in first.lines), (said(home), first.lines))
    first.stop()


def refused(home, folder):
    for name, script, status_code, words in (
        ("at RCPT", {"RCPT TO:<b@else.test>": "550 5.1.1 no such user here"}, "5.1.1", "no such user here"),
        ("at MAIL", {"MAIL": "550 5.7.1 go away"}, "5.7.1", "go away"),
        ("at DATA", {"DATA": "554 5.5.1 no"}, "5.5.1", "554 5.5.1 no"),
        ("at the end", {"TEXT": "552 5.2.2 mailbox full"}, "5.2.2", "mailbox full"),
    ):
        for offers in (("8BITMIME",), ("PIPELINING", "8BITMIME"), ("PIPELINING", "8BITMIME", "CHUNKING")):
            if name == "at DATA" and "CHUNKING" in offers:
                continue
            server = Server("127.0.0.2", offers=offers, script=script)
            count = len(notices(home))
            home.send(["a@else.test", "b@else.test"], TEXT.format("refused"))
            check(f"refused {name}, offers {','.join(offers)}: the sender is told", within(10, lambda: len(notices(home)) > count), said(home))
            told = notices(home)[-1]
            check("... with the server's words and its code", words in told.get_payload(0).get_content() and status(told)["status"] == status_code, told)
            if name == "at RCPT":
                check("... of the one alone; the other has it", taken(server) and server.taken[0][1] == ["RCPT TO:<a@else.test>"]
                      and "b@else.test" in status(told)["final-recipient"], server.taken)
            check("... and the queue is empty", within(5, lambda: home.json("queue", "list") == []), said(home))
            server.stop()
    check("a notice has what the RFC asks for", told["auto-submitted"] == "auto-replied" and told["return-path"] == "<>"
          and told.get_param("report-type") == "delivery-status" and "Subject: refused" in told.get_payload(2).get_payload(), told)
    raw = [text for text in home.mail() if b"multipart/report" in text][-1]
    check("... and lines as they must be", all(len(line) < 998 and b"\n" not in line and b"\r" not in line for line in raw.split(b"\r\n")))
    count = len(home.mail())
    home.send(["x@nowhere.test"], TEXT.format("nowhere"))
    home.send(["x@null.test"], TEXT.format("null"))
    home.send(["x@nohost.test"], TEXT.format("nohost"))
    home.send(["x@loop.test"], TEXT.format("loop"))
    check("no domain, null MX, hosts without address, ourselves: told at once", within(10, lambda: len(home.mail()) == count + 4), said(home))
    codes = sorted(status(notice)["status"] for notice in notices(home)[-4:])
    check("... each with its code", codes == ["5.1.10", "5.1.2", "5.4.4", "5.4.6"], codes)


def circle(home, folder):
    """A host of another name that is ourselves."""
    count = len(notices(home))
    home.send(["joe@circle.test"], TEXT.format("in a circle"))
    check("a domain whose host is this one: it comes back at once, and says why", within(10, lambda: len(notices(home)) > count) and status(notices(home)[-1])["status"] == "5.4.6"
          and "in a circle" in notices(home)[-1].get_payload(0).get_content(), said(home))


def talkative(home, folder):
    """Who answers with very much is kept short."""
    long = "".join(f"451-4.3.0 {'x' * 1000}\r\n" for _ in range(150)) + "451 4.3.0 enough"
    server = Server("127.0.0.2", script={"RCPT": long})
    home.send([f"u{number}@plain.test" for number in range(30)], TEXT.format("talkative"))
    check("an answer of 150 KB is remembered as a few words", within(10, lambda: said(home) and all(0 < len(words) < 1000 for words in said(home))), [len(words) for words in said(home)][:3])
    empty(home)
    server.script["RCPT"] = long.replace("451", "550")
    count = len(notices(home))
    home.send(["joe@plain.test"], TEXT.format("talkative"))
    check("... and a notice is short", within(10, lambda: len(notices(home)) > count) and len(notices(home)[-1].as_bytes()) < 20_000)
    server.stop()


def silent(home, folder):
    """Strangers can have us send notices to hosts that say nothing: these leave room for mail that somebody waits for."""
    server = Server("127.0.0.4", greeting=lambda talk: time.sleep(20) or "close")
    with home.session() as session:
        for number in range(15):
            session.sendmail("", [f"joe@silent{number}.test"], TEXT.format("a notice"))
    check("what nobody waits for has ten sessions at most", within(10, lambda: server.connections == 10), server.connections)
    good = Server("127.0.0.2")
    home.send(["joe@plain.test"], TEXT.format("in between"))
    check("... and other mail leaves meanwhile", taken(good), said(home))
    check("... ten, no more", server.connections == 10, server.connections)
    good.stop()
    empty(home)
    server.stop()


def receipts(home, folder):
    server = Server("127.0.0.2")
    with home.session() as session:
        session.sendmail("", ["joe@plain.test"], TEXT.format("a receipt"))
    check("a receipt of a mail program has no sender, and leaves", taken(server) and server.taken[0][0].startswith("MAIL FROM:<>"), said(home))
    server.stop()


def later(home, folder):
    for name, script, words in (
        ("451 at RCPT", {"RCPT": "451 4.7.1 greylisted"}, "greylisted"),
        ("452 at the end", {"TEXT": "452 4.3.1 disk full"}, "disk full"),
        ("421 at MAIL", {"MAIL": "421 4.3.2 leaving"}, "leaving"),
        ("closed at RCPT", {"RCPT": "close"}, "closed"),
        ("closed at the end", {"TEXT": "close"}, "closed"),
        ("closed at EHLO", {"EHLO": "close"}, "closed"),
        ("nonsense", {"RCPT": "what?"}, "no reply"),
        ("a reply without end", {"RCPT": "\r\n".join(["250-more"] * 1000)}, "200 lines"),
        ("a line without end", {"RCPT": "250 " + "x" * 5000}, "2,048 bytes"),
        ("a 250 to DATA", {"DATA": "250 fine"}, "fine"),
    ):
        server = Server("127.0.0.2", script=script)
        other = Server("127.0.0.3", script=script)
        count = len(notices(home))
        home.send(["joe@else.test"], TEXT.format(name))
        check(f"{name}: it stays, and the queue says why", within(10, lambda: any(words in text for text in said(home))), said(home))
        check("... nobody is told of a failure", len(notices(home)) == count)
        for one in (server, other):
            one.script.clear()
        home.run("queue", "retry")
        check("... and goes when it is tried again", within(10, lambda: server.taken or other.taken) and within(5, lambda: home.json("queue", "list") == []), said(home))
        server.stop()
        other.stop()
    home.send(["joe@lame.test"], TEXT.format("lame"))
    check("a name server that does not answer: for later", within(40, lambda: any("DNS does not say" in text for text in said(home))), said(home))
    empty(home)


def slow(home, folder):
    def bytewise(text):
        def say(talk):
            for byte in text.encode() + b"\r\n":
                talk.wfile.write(bytes([byte]))
                talk.wfile.flush()
            return ""
        return say

    def spelled(talk):
        return bytewise("250-peer\r\n250-PIPELINING\r\n250 8BITMIME")(talk)

    server = Server("127.0.0.2", greeting=bytewise("220 peer"), script={"EHLO": spelled})
    home.send(["joe@else.test"], TEXT.format("bytes"))
    check("replies that come byte by byte are replies", taken(server), server.lines)
    server.stop()
    server = Server("127.0.0.2", script={"RCPT": "250 2.1.5 " + "very " * 300 + "long"})
    home.send(["joe@else.test"], TEXT.format("long"))
    check("a reply over 512 bytes is one", taken(server))
    server.stop()


def offers(home, folder):
    server = Server("127.0.0.2", offers=["PIPELINING", "8BITMIME", "SIZE 100000", "CHUNKING", "SMTPUTF8", "DSN"])
    text = "From: Ann <ann@home.test>\r\nSubject: gr\u00fcn\r\n\r\n\u00fc\r\n".encode()
    home.send(["joe@else.test"], text)
    check("by BDAT where it is offered", taken(server) and any(line.startswith("BDAT ") for line in server.lines), server.lines)
    check("8-bit bytes are announced though the client did not", " BODY=8BITMIME" in server.taken[0][0] and " SIZE=" in server.taken[0][0], server.taken[0])
    count = len(notices(home))
    home.send(["joe@else.test"], TEXT.format("x" * 200) + "line\r\n" * 20_000)
    check("a message that the server would not take is not sent", within(10, lambda: len(notices(home)) > count) and status(notices(home)[-1])["status"] == "5.3.4")
    server.stop()
    server = Server("127.0.0.2", offers=["PIPELINING"])
    count = len(notices(home))
    home.send(["joe@else.test"], text)
    check("a header that is not encoded, for a server that takes no 8-bit text: told", within(10, lambda: len(notices(home)) > count) and status(notices(home)[-1])["status"] == "5.6.3")
    server.stop()
    with home.session() as session:
        session.ehlo()
        session.docmd("MAIL", "FROM:<ann@home.test>")
        session.docmd("RCPT", "TO:<joe@else.test>")
        body = b"From: ann@home.test\r\nSubject: bare\r\n\r\na\n.\r\nb\rc\n.\n"
        server = Server("127.0.0.2")
        session.send(b"BDAT %d LAST\r\n" % len(body) + body)
        session.getreply()
    check("a CR or LF that stands alone does not leave us", taken(server) and server.taken[0][2].endswith(b"\r\n\r\na\r\n.\r\nb\r\nc\r\n.\r\n"), server.taken)
    server.stop()


def tls(home, folder):
    _, context = certificate(folder, "mx1.else.test")
    ends = []
    server = Server("127.0.0.2", offers=["PIPELINING", "8BITMIME", "STARTTLS"], tls=context,
                    script={"TEXT": lambda talk: ends.append(getattr(talk.connection, "version", str)()) or "250 2.0.0 taken"})
    home.send(["joe@else.test"], TEXT.format("tls"))
    check("STARTTLS where it is offered, whatever the certificate", taken(server) and ends == ["TLSv1.3"], ends)
    check("... and EHLO again behind it", [line.split(" ")[0] for line in server.lines[:3]] == ["EHLO", "STARTTLS", "EHLO"], server.lines)
    server.stop()
    for name, answer in (("refused", "454 4.7.0 not now"), ("broken", lambda talk: (talk.wfile.write(b"220 go\r\nnonsense\r\n"), talk.wfile.flush(), "close")[2])):
        server = Server("127.0.0.2", offers=["STARTTLS", "8BITMIME"], script={"STARTTLS": answer})
        home.send(["joe@else.test"], TEXT.format(name))
        check(f"STARTTLS that is {name}: in clear, since nothing forbids it", taken(server), (said(home), server.lines))
        server.stop()
    server = Server("127.0.0.2", offers=["STARTTLS"], script={"STARTTLS": lambda talk: (talk.wfile.write(b"220 go\r\nnonsense\r\n"), talk.wfile.flush(), "close")[2],
                                                             "MAIL": "530 5.7.0 Must issue a STARTTLS command first"})
    count = len(notices(home))
    home.send(["joe@plain.test"], TEXT.format("insists"))
    check("a server that insists on TLS and fails at it: for later, not for ever", within(10, lambda: any("530" in text for text in said(home))) and len(notices(home)) == count, said(home))
    empty(home)
    server.stop()


def restart(home, folder):
    server = Server("127.0.0.2", script={"RCPT": "450 4.2.0 not yet"})
    home.send(["joe@else.test"], TEXT.format("weekend"))
    check("it waits", within(10, lambda: any("not yet" in text for text in said(home))))
    before = home.json("queue", "list")[0]
    home.stop()
    home.start()
    after = home.json("queue", "list")[0]
    check("a restart keeps what was tried, and when it goes on", (before["id"], before["next"], before["recipients"]) == (after["id"], after["next"], after["recipients"]), (before, after))
    check("the first wait is five minutes", 290 <= after["next"] - after["arrived"] <= 330, after)
    home.run("queue", "hold", after["id"])
    server.script.clear()
    home.run("queue", "retry")
    shown = home.json("queue", "show", after["id"])
    check("what is held is not tried with the others", shown["held"] and not server.taken and len(shown["tries"]) == 1, (shown, server.taken))
    home.stop()
    home.start()
    check("... nor after a restart", home.json("queue", "list")[0]["held"])
    check("a person reads it", after["id"] in home.run("queue", "list").stdout and "450 4.2.0 not yet" in home.run("queue", "show", after["id"]).stdout)
    home.run("queue", "retry", after["id"])
    check("... and goes when it is let go", taken(server))
    home.send(["joe@null.test"], TEXT.format("x"))
    server.script["RCPT"] = "450 4.2.0 not yet"
    home.send(["joe@else.test"], TEXT.format("dropped"))
    check("it waits", within(10, lambda: any("not yet" in text for text in said(home))))
    home.run("queue", "drop", home.json("queue", "list")[0]["id"])
    check("what is dropped is gone", home.json("queue", "list") == [] and home.queue() == [])
    done = home.run("queue", "show", "abc", check=False)
    check("a name that is none is told", done.returncode == 1 and "queue list" in done.stderr, done.stderr)
    server.stop()


def turned_away(home, folder):
    """Whoever takes nothing, or few sessions, is left in peace."""
    for name, change in (("greets with 421", {"greeting": "421 4.3.2 not now"}), ("greets with 421 late", {"greeting": lambda talk: time.sleep(0.2) or "421 4.3.2 not now"}),
                         ("closes at once", {"greeting": lambda talk: talk.connection.shutdown(socket.SHUT_RDWR)})):
        server = Server("127.0.0.2", **change)
        with home.session() as session:
            for number in range(40):
                session.sendmail("ann@home.test", ["joe@plain.test"], TEXT.format(f"away {number}"))
        settled = within(10, lambda: len(words := said(home)) == 40 and all(words) and all(row["next"] for row in home.json("queue", "list")))
        check(f"a host that {name}: forty messages wait, each has its try", settled, (said(home)[:3], server.connections))
        check("... and it was asked a few times, not thousands", server.connections <= 60, server.connections)
        empty(home)
        server.stop()
    with home.session() as session:
        for number in range(40):
            session.sendmail("ann@home.test", ["joe@plain.test"], TEXT.format(f"away {number}"))
    settled = within(10, lambda: len(words := said(home)) == 40 and all(words) and all(row["next"] for row in home.json("queue", "list")))
    check("a port that refuses: the same", settled, said(home)[:3])
    empty(home)
    at_work, lock = [], threading.Lock()

    def one_only(talk):
        with lock:
            first = not at_work
            at_work.append(talk)
        return "220 peer" if first else "421 4.7.0 one at a time"

    server = Server("127.0.0.2", greeting=one_only, script={"TEXT": lambda talk: time.sleep(0.02) or "250 2.0.0 taken"})
    with home.session() as session:
        for number in range(40):
            session.sendmail("ann@home.test", ["joe@plain.test"], TEXT.format(f"one {number}"))
    check("a host that lets one session in gets all by it", within(10, lambda: len(server.taken) == 40), (len(server.taken), server.connections))
    check("... and is not pressed", server.connections <= 60, server.connections)
    check("... and nothing is left", within(5, lambda: home.json("queue", "list") == []), said(home))
    server.stop()


def too_many(home, folder):
    """RFC 5321 §4.5.3.1.10."""
    counts = []

    def rcpt(talk):
        line = talk.server.lines[-1]
        if talk.server.lines[-2].startswith("MAIL") or not counts:
            counts.clear()
        counts.append(line)
        return "250 2.1.5 ok" if len(counts) <= 10 else "452 4.5.3 too many recipients"

    server = Server("127.0.0.2", offers=["8BITMIME"], script={"RCPT": rcpt})
    home.send([f"u{number}@else.test" for number in range(25)], TEXT.format("for many"))
    check("recipients that were too many go in the next transaction", within(10, lambda: [len(one[1]) for one in server.taken] == [10, 10, 5]), ([len(one[1]) for one in server.taken], said(home)))
    check("... each once", sorted(sum((one[1] for one in server.taken), [])) == sorted(f"RCPT TO:<u{number}@else.test>" for number in range(25)))
    check("... and nothing is left", within(5, lambda: home.json("queue", "list") == []), said(home))
    server.stop()


def wishes(home, folder):
    """RFC 3461: what the sender wants to hear."""
    server = Server("127.0.0.2", offers=["PIPELINING", "8BITMIME", "DSN"])
    home.send(["joe@else.test"], TEXT.format("dsn"), options=["RET=HDRS", "ENVID=QQ314159"], rcpt_options=["NOTIFY=SUCCESS,DELAY", "ORCPT=rfc822;Joe@Else.test"])
    check("wishes are passed on", taken(server) and server.taken[0][0].endswith(" RET=HDRS ENVID=QQ314159")
          and server.taken[0][1] == ["RCPT TO:<joe@else.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Joe@Else.test"], server.taken)
    server.stop()
    count = len(notices(home))
    server = Server("127.0.0.2")
    home.send(["joe@else.test"], TEXT.format("dsn"), rcpt_options=["NOTIFY=SUCCESS"], options=["ENVID=a+2Bb"])
    check("a server that takes no wishes: the sender hears that it was handed on", within(10, lambda: len(notices(home)) > count)
          and status(notices(home)[-1])["action"] == "relayed", server.taken)
    fields = dict(notices(home)[-1].get_payload(1).get_payload()[0].items())
    check("... under the sender's name for it", fields["Original-Envelope-Id"] == "a+b" and fields["Reporting-MTA"] == "dns; mail.home.test", fields)
    home.send(["bob@home.test"], TEXT.format("dsn"), rcpt_options=["NOTIFY=SUCCESS", "ORCPT=rfc822;Robert@home.test"])
    told = notices(home)[-1]
    check("a message that has arrived here: the sender hears it", len(notices(home)) == count + 2 and status(told)["action"] == "delivered"
          and status(told)["original-recipient"] == "rfc822; Robert@home.test", told)
    server.script["RCPT"] = "550 5.1.1 no"
    home.send(["joe@else.test"], TEXT.format("dsn"), rcpt_options=["NOTIFY=NEVER"])
    home.send(["joe@else.test"], TEXT.format("dsn"), rcpt_options=["NOTIFY=FAILURE"], options=["RET=FULL"])
    check("RET=FULL: all of it comes back", within(10, lambda: len(notices(home)) == count + 3) and "Hello" in notices(home)[-1].get_payload(2).get_payload(0).get_payload())
    check("NOTIFY=NEVER: nobody hears", within(5, lambda: home.json("queue", "list") == []) and len(notices(home)) == count + 3)
    server.stop()


def keys(home, folder, dns):
    """New keys wait until their records are in DNS."""
    home.run("dkim", "rotate", "home.test")
    standing = lambda: sorted(key["standing"] for key in home.json("dkim", "list", "home.test"))
    check("new keys wait", standing() == ["current", "current", "next", "next"], standing())
    values = home.run("dns", "zone", "home.test").stdout
    lines = [line for line in values.splitlines() if "_domainkey" in line and not line.startswith(";")]
    dns.change(RECORDS + "$ORIGIN home.test.\n" + "\n".join(lines) + "\n")
    home.stop()
    home.start()
    check("... and sign once their records are in DNS", within(20, lambda: standing() == ["current", "current", "retired", "retired"]), (standing(), lines))


def smarthost(folder, dns):
    """All mail by a provider, over TLS and with a login."""
    made, context = certificate(folder, "smart.test")
    _, wrong = certificate(folder, "other.test")
    password = f"{folder}/password"
    with open(password, "w") as file:
        file.write("right\n")
    for number, (port, offers) in enumerate(((465, ["PIPELINING", "8BITMIME", "AUTH PLAIN LOGIN"]), (587, ["PIPELINING", "8BITMIME", "STARTTLS", "AUTH LOGIN"]))):
        settings = f'[smarthost]\nserver = "smart.test:{port}"\nuser = "ann"\npassword_file = "{password}"\n'
        home = Home(folder, f"cabin{number}.test", f"127.0.0.{10 + number}", dns, settings, trusted=made)
        login = {"AUTH PLAIN AGFubgByaWdodA==": "235 2.7.0 welcome", "AUTH LOGIN": "334 VXNlcm5hbWU6", "YW5u": "334 UGFzc3dvcmQ6", "cmlnaHQ=": "235 2.7.0 welcome",
                 "AUTH": "535 5.7.8 no"}
        server = Server("127.0.0.9", offers=offers, tls=context, port=port, script=dict(login))
        text = f"From: ann@cabin{number}.test\r\nSubject: x\r\n\r\ny\r\n"
        home.send(["a@one.test", "b@two.test"], text)
        check(f"port {port}: all of a message goes by the smarthost at once", taken(server) and len(server.taken[0][1]) == 2, (server.lines, said(home)))
        check("... signed, and after a login", any("AUTH" in line for line in server.lines) and b"DKIM-Signature" in server.taken[0][2])
        server.stop()
        for name, change in (("that refuses our login", {"script": {"AUTH": "535 5.7.8 no"}, "tls": context}), ("with another's certificate", {"script": login, "tls": wrong})):
            server = Server("127.0.0.9", offers=offers, port=port, **change)
            home.send(["a@one.test"], text)
            words = "535" if "login" in name else "certificate is not trusted"
            check(f"a smarthost {name} gets nothing, and the message stays", within(10, lambda: any(words in text for text in said(home))) and not server.taken, (said(home), server.lines))
            check("... nor the password", words == "535" or not any("AUTH" in line for line in server.lines))
            empty(home)
            server.stop()
        home.stop()


def at_home(home, folder):
    count = len(home.mail("bob"))
    server = Server("127.0.0.2")
    home.send(["bob@home.test", "joe@else.test"], TEXT.format("both"))
    check("a message for here and there reaches both", taken(server) and len(home.mail("bob")) == count + 1)
    with home.session() as session:
        code, words = session.docmd("MAIL", "FROM:<joe@else.test>")
    check("nobody sends under another's address", code == 550, words)
    server.stop()


def main():
    with tempfile.TemporaryDirectory() as folder:
        dns = Dns(folder, RECORDS)
        home = Home(folder, "home.test", "127.0.0.1", dns, "[limits]\nrecipients_a_day = 100000\n")
        for part in (by_mx, elsewhere, refused, circle, talkative, silent, receipts, later, slow, turned_away, too_many, offers, tls, restart, wishes, at_home):
            print(f"== {part.__name__}", flush=True)
            part(home, folder)
            empty(home)
        print("== smarthost", flush=True)
        smarthost(folder, dns)
        print("== keys", flush=True)
        keys(home, folder, dns)
        code = home.stop()
        check("it stops in order", code == 0, code)
        dns.stop()
    finish()


main()
