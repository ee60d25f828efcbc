#!/usr/bin/env python3
"""A mail server stands before a running `pillarbox try` and hands on what it took: Python's smtplib, swaks and Postfix
speak LMTP, in 8 bit and with SMTPUTF8 too; binary messages come in chunks. Then a proxy says who stands behind it.

Usage: lmtp.py PROGRAM. Prints a line a check and `test result:` as cargo does.
"""

import base64
import imaplib
import json
import os
import pathlib
import smtplib
import socket
import stat
import struct
import subprocess
import tempfile
import time

import front
from house import CLEAR, PROGRAM, Box, check, finish, free_ports
from postfix import why_not

BINARY = b"Subject: chunks\r\nMIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\n" \
    b"Content-Transfer-Encoding: binary\r\n\r\n" + bytes(range(256)) * 300 + b"\r\n.\r\n\n.\n\r.\rQUIT"
YOUNG = "jürgen@pillarbox.test"


def body(message):
    return message.split(b"\r\n\r\n", 1)[1]


def within(seconds, holds):
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if holds():
            return True
        time.sleep(0.02)
    return False


def subject(messages, words):
    return [m for m in messages if f"\r\nSubject: {words}\r\n".encode() in m.split(b"\r\n\r\n")[0] + b"\r\n"]


def run(box, *words):
    done = subprocess.run([PROGRAM, *words, "--dir", box.folder, "--json"], capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout)


def lmtp(box):
    return smtplib.LMTP("127.0.0.1", box.ports["lmtp"], timeout=20)


def smtplib_speaks_lmtp(box):
    ann, bob = (account["address"] for account in box.accounts)
    with lmtp(box) as session:
        code, text = session.docmd("EHLO c.example")
        check("EHLO is no word of LMTP", code == 500, text)
        refused = session.sendmail("x@else.example", [ann, "no@pillarbox.test", bob], "Subject: lmtp\r\n\r\nüöä\r\n.\r\n".encode(), ["BODY=8BITMIME"])
        check("an unknown recipient is refused alone", list(refused) == ["no@pillarbox.test"] and refused["no@pillarbox.test"][0] == 550, refused)
        # smtplib reads one reply; the second recipient's is still there.
        check("the other recipient has a reply too", session.getreply()[0] == 250)
        came = [subject(box.mail(number), "lmtp") for number in (1, 2)]
        check("both have it, byte for byte", [len(c) for c in came] == [1, 1] and all(body(c[0]) == "üöä\r\n.\r\n".encode() for c in came))
        check("Received says LMTP", all(b" with LMTP id " in c[0] for c in came))
        check("nobody logs in", not session.has_extn("auth") and session.docmd("AUTH PLAIN AGEAYg==")[0] == 502)


def one_fails(box):
    """A mailbox that goes away under a message fails alone, whenever that is."""
    ann, eve = box.accounts[0]["address"], "eve@pillarbox.test"
    for moment, codes in [("before it begins", [250, 550]), ("while it comes", [250, 451])]:
        run(box, "user", "add", eve)
        with lmtp(box) as session:
            session.ehlo_or_helo_if_needed()
            session.mail("x@else.example")
            taken = [session.rcpt(to)[0] for to in (ann, eve, ann)]
            if codes[1] == 550:
                run(box, "user", "rm", eve, "--yes")
            begun = session.docmd("data")[0]
            session.send(f"Subject: gone {moment}\r\n\r\n".encode() + b"x" * 78 + b"\r\n" + (b"x" * 78 + b"\r\n") * 4000)
            if codes[1] == 451:
                run(box, "user", "rm", eve, "--yes")
            session.send(b".\r\n")
            replies = [session.getreply()[0] for _ in taken]
        check(f"a mailbox that goes away {moment} fails alone", (taken, begun, replies) == ([250] * 3, 354, [*codes, 250]), (taken, begun, replies))
        check("and the other has it once", len(subject(box.mail(1), f"gone {moment}")) == 1)


def one_is_full(box):
    """RFC 2033 in a household: the one who has no room left is told apart from the others."""
    ann, fay = box.accounts[0]["address"], "fay@pillarbox.test"
    number = run(box, "user", "add", fay)["account"]
    run(box, "user", "set", fay, "--quota", "1M")
    with lmtp(box) as session:
        big = b"Subject: big\r\n\r\n" + (b"x" * 78 + b"\r\n") * 20_000
        refused = session.sendmail("x@else.example", [fay, ann], big)
        check("a full mailbox is refused, the other has it", list(refused) == [fay] and refused[fay][0] == 452 and refused[fay][1].startswith(b"4.2.2"), refused)
        session.sendmail("x@else.example", [fay], b"Subject: small\r\n\r\nx\r\n")
    check("and what fits still comes", [len(subject(box.mail(n), word)) for n, word in ((1, "big"), (number, "big"), (number, "small"))] == [1, 0, 1])


def swaks_speaks_lmtp(box):
    ann, bob = (account["address"] for account in box.accounts)
    command = ["swaks", "--server", "127.0.0.1", "--port", str(box.ports["lmtp"]), "--protocol", "LMTP", "--to", f"{ann},{bob}",
               "--header", "Subject: by swaks", "--silent"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    check("swaks delivers by LMTP", done.returncode == 0 and [len(subject(box.mail(n), "by swaks")) for n in (1, 2)] == [1, 1], done)


def letters_beyond_ascii(box):
    added = run(box, "user", "add", YOUNG)
    number = added["account"]
    password = run(box, "device", "add", YOUNG)["password"]
    check("someone is added beyond ASCII", added["address"] == YOUNG and YOUNG in sum((u["addresses"] for u in run(box, "user", "list")), []), added)
    with smtplib.SMTP("127.0.0.1", box.ports["smtp"], timeout=20) as session:
        session.sendmail("δοκιμή@παράδειγμα.example", [YOUNG], "Subject: Grüße\r\n\r\nüöä\r\n".encode(), ["SMTPUTF8", "BODY=8BITMIME"])
        code, text = session.docmd("MAIL", f"FROM:<{YOUNG}>") if session.command_encoding == "utf-8" else (0, b"")
        check("and not without SMTPUTF8", (code, text[:5]) == (550, b"5.6.7"), (code, text))
    came = box.mail(number)
    check("mail for them comes by SMTPUTF8", len(came) == 1 and body(came[0]) == "üöä\r\n".encode() and b" with UTF8SMTP id " in came[0])
    check("Return-Path and Received name them", came[0].startswith("Return-Path: <δοκιμή@xn--hxajbheg2az3al.example>\r\n".encode()) and f"for <{YOUNG}>".encode() in came[0])
    with smtplib.SMTP_SSL("127.0.0.1", box.ports["submissions"], context=CLEAR, timeout=20) as session:
        session.ehlo()
        plain = base64.b64encode(f"\0{YOUNG}\0{password}".encode()).decode()
        check("they log in", session.docmd("AUTH", "PLAIN " + plain)[0] == 235)
        session.sendmail(YOUNG, [YOUNG, box.accounts[0]["address"]], "Subject: von Jürgen\r\n\r\nx\r\n".encode(), ["SMTPUTF8"])
    sent = subject(box.mail(1), "von Jürgen")
    check("and send to others", len(sent) == 1 and b" with UTF8SMTPSA id " in sent[0] and len(box.mail(number)) == 2)
    with imaplib.IMAP4_SSL("127.0.0.1", box.ports["imaps"], ssl_context=CLEAR) as session:
        session.login(box.accounts[0]["address"], box.accounts[0]["password"])
        session.select("INBOX", readonly=True)
        found = session.search(None, "HEADER", "Subject", '"von "')[1][0].split()
        answer = session.fetch(found[-1], "(ENVELOPE)")[1][0]
        check("an old mail app gets an ENVELOPE in ASCII", answer.isascii() and b"=?utf-8?" in answer.lower(), answer)


def chunks(box):
    """A few lines of BDAT: pipelined, binary, by SMTP and by LMTP."""
    ann, bob = (account["address"] for account in box.accounts)
    for port, hello, rcpt, replies in [("smtp", "EHLO", [ann], 1), ("lmtp", "LHLO", [ann, bob], 2)]:
        message = BINARY.replace(b"chunks", b"chunks by " + port.encode())
        with socket.create_connection(("127.0.0.1", box.ports[port]), timeout=20) as connection:
            lines = connection.makefile("rb")
            connection.sendall(f"{hello} c.example\r\nMAIL FROM:<x@else.example> BODY=BINARYMIME SIZE={len(message)}\r\n".encode())
            connection.sendall("".join(f"RCPT TO:<{to}>\r\n" for to in rcpt).encode())
            for at in range(0, len(message), 30_000):
                piece = message[at:at + 30_000]
                connection.sendall(f"BDAT {len(piece)}\r\n".encode() + piece)
            connection.sendall(b"BDAT 0 LAST\r\nQUIT\r\n")
            said = [line.decode() for line in lines]
        pieces = -(-len(message) // 30_000)
        ends = said[-replies - 1 - pieces:]
        check(f"binary chunks are taken by {port}", all(line.startswith("250 2.0.0 ") for line in ends[:-1]) and ends[-1].startswith("221 "), said)
        came = subject(box.mail(1), f"chunks by {port}")
        check("and kept byte for byte", len(came) == 1 and came[0].endswith(message))


def postfix_in_front(box):
    reason = why_not()
    if reason:
        print(f"skipped: {reason}")
        return
    ann, bob = (account["address"] for account in box.accounts)
    with tempfile.TemporaryDirectory() as folder:
        postfix = front.Front(folder, f"inet:[127.0.0.1]:{box.ports['lmtp']}", "pillarbox.test")
        try:
            with postfix.session() as session:
                text = "Subject: eight bits\r\n\r\nüöä\r\n.\r\n..two\r\n".encode()
                session.sendmail(ann, [ann, bob, "nobody@pillarbox.test"], text, ["BODY=8BITMIME"])
                came = within(20, lambda: all(len(subject(box.mail(n), "eight bits")) == 1 for n in (1, 2)))
                check("Postfix hands on by LMTP, in 8 bit", came and all(body(subject(box.mail(n), "eight bits")[0]) == body(text) for n in (1, 2)), postfix.log())
                check("for the unknown one it writes the sender a notice", within(20, lambda: any(b"nobody@pillarbox.test" in m and b"5.1.1" in m for m in box.mail(1))), postfix.log())
                session.sendmail("δοκιμή@παράδειγμα.example", [YOUNG], "Subject: über Postfix\r\n\r\nüöä\r\n".encode(), ["SMTPUTF8", "BODY=8BITMIME"])
                came = within(20, lambda: len(subject(box.mail(3), "über Postfix")) == 1)
                check("and with SMTPUTF8", came and b" with UTF8LMTP id " in subject(box.mail(3), "über Postfix")[0], postfix.log())
                for number in range(100):
                    session.sendmail("x@else.example", [ann, bob], f"Subject: many\r\n\r\n{number}\r\n".encode())
            everything = within(60, lambda: all(len(subject(box.mail(n), "many")) >= 100 for n in (1, 2)))
            check("a hundred messages come once each", everything and all(sorted(int(body(m)) for m in subject(box.mail(n), "many")) == list(range(100)) for n in (1, 2)), postfix.log()[-3000:])
        finally:
            postfix.stop()


def behind_a_proxy(folder):
    """A real `serve` that trusts this machine as a proxy, and only another one with LMTP."""
    names = ["smtp", "submission", "submissions", "imap", "imaps", "pop3", "pop3s", "lmtp"]
    ports = dict(zip(names, free_ports(len(names))))
    folder = pathlib.Path(folder)
    config = folder / "pillarbox.toml"
    listen = "".join(f'{name} = "127.0.0.1:{port}"\n' for name, port in ports.items())
    config.write_text(f'host = "mail.home.test"\ndomains = ["home.test"]\ndata = "{folder}/data"\ncontrol = "{folder}/run/control"\n'
                      f'[listen]\n{listen}[trust]\nlmtp = "192.0.2.9"\nproxy = ["127.0.0.0/8"]\n')
    log = open(folder / "log", "wb")
    process = subprocess.Popen([PROGRAM, "serve", "--config", config], stderr=log)
    try:
        through_a_proxy(folder, config, ports)
    finally:
        process.terminate()
        code = process.wait(timeout=20)
        log.close()
    check("serve stops in order", code == 0 and "ERROR" not in (folder / "log").read_text())


def through_a_proxy(folder, config, ports):
    command = lambda *words: subprocess.run([PROGRAM, *words, "--config", config], capture_output=True, text=True, timeout=60)
    check("serve starts", within(10, lambda: command("status").returncode == 0), (folder / "log").read_text())
    command("user", "add", "ann@home.test")
    password = json.loads(command("device", "add", "ann@home.test", "--json").stdout)["password"]

    def connect(name, header):
        connection = socket.create_connection(("127.0.0.1", ports[name]), timeout=20)
        connection.sendall(header)
        return connection

    def everything(connection):
        connection.settimeout(20)
        said = b""
        try:
            while piece := connection.recv(4096):
                said += piece
        except ConnectionResetError:
            pass
        connection.close()
        return said

    def bring(header, word):
        text = f"EHLO c\r\nMAIL FROM:<x@e.example>\r\nRCPT TO:<ann@home.test>\r\nDATA\r\nSubject: {word}\r\n\r\nx\r\n.\r\nQUIT\r\n"
        said = everything(connect("smtp", header + text.encode()))
        new = folder / "data/accounts/1/Maildir/new"
        came = subject([f.read_bytes() for f in new.iterdir()] if new.exists() else [], word)
        return said, came[0] if came else b""

    signature = b"\r\n\r\n\0\r\nQUIT\n"
    four = socket.inet_aton("203.0.113.7") + socket.inet_aton("192.0.2.1") + struct.pack("!HH", 1234, 25)
    six = socket.inet_pton(socket.AF_INET6, "2001:db8::7") + bytes(16) + struct.pack("!HH", 1234, 25)
    for word, header, told in [
        ("v1", b"PROXY TCP4 203.0.113.7 192.0.2.1 1234 25\r\n", b"([203.0.113.7])"),
        ("v1-six", b"PROXY TCP6 2001:db8::7 ::1 1234 25\r\n", b"([IPv6:2001:db8::7])"),
        ("v1-unknown", b"PROXY UNKNOWN\r\n", b"([127.0.0.1])"),
        ("v2", signature + b"\x21\x11" + struct.pack("!H", len(four)) + four, b"([203.0.113.7])"),
        ("v2-six-tlv", signature + b"\x21\x21" + struct.pack("!H", len(six) + 5) + six + b"\x01\x00\x02h2", b"([IPv6:2001:db8::7])"),
        ("v2-local", signature + b"\x20\x00\x00\x00", b"([127.0.0.1])"),
    ]:
        said, came = bring(header, word)
        check(f"PROXY {word}: Received names who it tells", told in came, (said, came))
    for word, header in [("none", b""), ("bad address", b"PROXY TCP4 203.0.113.777 192.0.2.1 1234 25\r\n"),
                         ("bad TLV", signature + b"\x21\x11" + struct.pack("!H", len(four) + 3) + four + b"\x01\xff\xff"),
                         ("64 KB", signature + b"\x21\x11\xff\xff" + four), ("UDP", signature + b"\x21\x12" + struct.pack("!H", len(four)) + four)]:
        said, came = bring(header, "refused")
        check(f"a proxy's header ({word}) ends the connection without a word", said == b"" and came == b"", said)
    began = time.monotonic()
    said = everything(connect("imap", b"PROXY TCP4"))
    check("a header that does not come is given up", said == b"" and 4 < time.monotonic() - began < 15)

    connection = CLEAR.wrap_socket(connect("imaps", signature + b"\x21\x11" + struct.pack("!H", len(four)) + four))
    connection.sendall(f"a LOGIN ann@home.test {password}\r\nb LOGOUT\r\n".encode())
    said = everything(connection)
    check("IMAP over TLS behind a proxy", b"\r\na OK " in said, said)
    log_text = (folder / "log").read_text()
    check("the log names who stands behind", "login=ann@home.test peer=203.0.113.7" in log_text, log_text)
    many = [connect("smtp", b"PROXY TCP4 203.0.113.8 192.0.2.1 1 25\r\n") for _ in range(200)]
    greeted = all(one.recv(100).startswith(b"220 ") for one in many)
    full = connect("smtp", b"PROXY TCP4 203.0.113.8 192.0.2.1 1 25\r\n").recv(200)
    other = connect("smtp", b"PROXY TCP4 203.0.113.9 192.0.2.1 1 25\r\n").recv(200)
    check("places are counted by who stands behind", greeted and full.startswith(b"421 4.7.0 ") and other.startswith(b"220 "), (greeted, full, other))
    for one in many:
        one.close()
    haproxy_in_front(folder, ports, password)
    said = everything(connect("lmtp", b""))
    check("who is not listed is told that it may not speak LMTP", said.startswith(b"554 5.7.1 "), said)


def haproxy_in_front(folder, ports, password):
    """HAProxy itself, with its two forms of the header and its health checks."""
    fronts = dict(zip(["v1", "v2", "imaps"], free_ports(3)))
    config = folder / "haproxy.cfg"
    section = "listen {0}\n  bind 127.0.0.1:{1}\n  server box 127.0.0.1:{2} {3} check inter 100ms\n"
    config.write_text(
        "defaults\n  mode tcp\n  timeout connect 10s\n  timeout client 30s\n  timeout server 30s\n"
        + section.format("v1", fronts["v1"], ports["smtp"], "send-proxy")
        + section.format("v2", fronts["v2"], ports["smtp"], "send-proxy-v2 proxy-v2-options crc32c,unique-id")
        + section.format("imaps", fronts["imaps"], ports["imaps"], "send-proxy-v2"))
    haproxy = subprocess.Popen(["/usr/sbin/haproxy", "-db", "-q", "-f", config], stderr=subprocess.DEVNULL)

    def answers(port):
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=20, source_address=("127.0.0.5", 0)):
                return True
        except OSError:
            return False

    try:
        for word in ("v1", "v2"):
            within(10, lambda: answers(fronts[word]))
            with smtplib.SMTP("127.0.0.1", fronts[word], timeout=20, source_address=("127.0.0.5", 0)) as session:
                session.starttls(context=CLEAR)
                session.sendmail("x@else.example", ["ann@home.test"], f"Subject: haproxy {word}\r\n\r\nx\r\n")
            new = folder / "data/accounts/1/Maildir/new"
            came = subject([f.read_bytes() for f in new.iterdir()], f"haproxy {word}")
            check(f"HAProxy in front of SMTP, {word}", len(came) == 1 and b"([127.0.0.5])" in came[0] and b" with ESMTPS id " in came[0], came)
        with imaplib.IMAP4_SSL("127.0.0.1", fronts["imaps"], ssl_context=CLEAR, timeout=20) as session:
            check("HAProxy in front of IMAP over TLS", session.login("ann@home.test", password)[0] == "OK")
    finally:
        haproxy.terminate()
        haproxy.wait(timeout=20)


def on_a_socket(folder):
    """A Unix socket in place of a port: whoever may open it is trusted with it, whatever the addresses say."""
    names = ["smtp", "submission", "submissions", "imap", "imaps", "pop3", "pop3s"]
    folder = pathlib.Path(folder)
    config, path = folder / "pillarbox.toml", folder / "lmtp" / "socket"
    off = "".join(f"{name} = []\n" for name in names)
    config.write_text(f'host = "mail.home.test"\ndomains = ["home.test"]\ndata = "{folder}/data"\ncontrol = "{folder}/run/control"\n'
                      f'[listen]\n{off}lmtp = "{path}"\n[trust]\nlmtp = []\n')
    command = lambda *words: subprocess.run([PROGRAM, *words, "--config", config], capture_output=True, text=True, timeout=60)

    def start():
        process = subprocess.Popen([PROGRAM, "serve", "--config", config], stderr=subprocess.PIPE, text=True)
        return process, within(10, lambda: command("status").returncode == 0)

    path.parent.mkdir()
    path.write_text("notes")
    done = command("serve")
    check("a file in the socket's place stays", done.returncode == 1 and "no socket lies there" in done.stderr and path.read_text() == "notes", done)
    path.unlink()
    path.parent.rmdir()
    process, up = start()
    check("serve makes the socket and its folder", up and stat.S_ISSOCK(path.stat().st_mode))
    about, group = path.stat(), os.getegid()
    check("its group may use it and nobody else", (about.st_mode & 0o777, about.st_gid, path.parent.stat().st_mode & 0o777) == (0o660, group, 0o750), oct(about.st_mode))
    shown = {port["name"]: port["address"] for port in json.loads(command("status", "--json").stdout)["ports"]}
    check("status names it", shown.get("lmtp") == str(path), shown)
    command("user", "add", "ann@home.test")
    new = folder / "data" / "accounts" / "1" / "Maildir" / "new"
    for turn in ("first", "after a kill"):
        with smtplib.LMTP(str(path), timeout=20) as session:
            session.ehlo()
            features = session.esmtp_features
            refused = session.sendmail("x@else.example", ["ann@home.test", "no@home.test"], f"Subject: {turn}\r\n\r\nx\r\n")
        check(f"smtplib over it, {turn}", set(refused) == {"no@home.test"} and "starttls" not in features, (refused, features))
        check("the message is there", len(subject([f.read_bytes() for f in new.iterdir()], turn)) == 1)
        if turn == "first":
            other = folder / "other.toml"
            other.write_text(config.read_text().replace("/data", "/data2").replace("/run/", "/run2/"))
            done = subprocess.run([PROGRAM, "serve", "--config", other], capture_output=True, text=True, timeout=20)
            check("a second server does not take it away", done.returncode == 1 and "another program answers there" in done.stderr, done)
            process.kill()
            process.communicate()
            check("killed, it leaves the socket", path.exists())
            process, up = start()
            check("which the next start replaces", up)
    process.terminate()
    _, talk = process.communicate(timeout=20)
    check("a stop removes it", process.returncode == 0 and not path.exists() and "ERROR" not in talk, talk)


def main():
    with tempfile.TemporaryDirectory() as folder:
        box = Box(folder)
        try:
            smtplib_speaks_lmtp(box)
            swaks_speaks_lmtp(box)
            letters_beyond_ascii(box)
            one_fails(box)
            one_is_full(box)
            chunks(box)
            postfix_in_front(box)
        finally:
            code, _, talk = box.stop()
        check("SIGTERM stops it in order", code == 0, talk)
    with tempfile.TemporaryDirectory() as folder:
        behind_a_proxy(folder)
    with tempfile.TemporaryDirectory() as folder:
        on_a_socket(folder)
    finish()


main()
