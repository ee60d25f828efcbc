#!/usr/bin/env python3
"""Programs on the machine send by `sendmail`: mailx, s-nail, mutt, Python and cron-like texts, as root and as others. Who
sends is whom the kernel names; what goes wrong is told by an exit code.

Usage: sendmail.py PROGRAM. Prints a line a check and `test result:` as cargo does.
"""

import email
import email.policy
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile

from house import Box, check, eventually, finish
from town import PROGRAM, Dns, Home, Server, why_not

if os.getuid() != 0:
    print("skipped: sendmail: other users' programs can be started by root only")
    sys.exit()
if reason := why_not():
    print(f"skipped: sendmail: {reason}")
    sys.exit()

RECORDS = """
home      MX 10 mail.home
mail.home A 127.0.0.1
else      MX 10 mx1.else
mx1.else  A 127.0.0.2
"""
TO_ANN = b"To: ann@home.test\nSubject: hi\n\nx\n"


class Machine:
    """A home, and the program under the name `sendmail` as others have it."""

    def __init__(self, folder, dns):
        folder = pathlib.Path(folder)
        # Everybody may pass.
        folder.chmod(0o755)
        self.home = Home(folder, "home.test", "127.0.0.1", dns)
        self.home.folder.chmod(0o755)
        self.home.config.chmod(0o644)
        shutil.copy(PROGRAM, folder / "pillarbox")
        (folder / "sendmail").symlink_to(folder / "pillarbox")
        # Mail programs that take a path alone.
        self.path = folder / "bin"
        self.path.write_text(f'#!/bin/sh\nexec {folder}/sendmail -C {self.home.config} "$@"\n')
        self.path.chmod(0o755)

    def send(self, *words, text=TO_ANN, user=None):
        command = [self.path, *words]
        if user:
            command = ["setpriv", f"--reuid={user}", "--clear-groups", *command]
        return subprocess.run(command, input=text, capture_output=True, cwd="/", timeout=120)

    def new(self, who, work):
        """The messages that come to someone while something is done."""
        before = self.home.mail(who)
        work()
        eventually(lambda: len(self.home.mail(who)) > len(before), 5)
        return [message for message in self.home.mail(who) if message not in before]

    def one(self, who, *words, **how):
        """What becomes of a message that must be taken."""
        done = []
        found = self.new(who, lambda: done.append(self.send(*words, **how)))
        if done[0].returncode != 0 or len(found) != 1:
            print(f"      {done[0]} {len(found)} messages")
            return b""
        return found[0]


def parsed(raw):
    return email.message_from_bytes(raw, policy=email.policy.default)


def texts(machine):
    raw = machine.one("ann", "-t")
    message = parsed(raw)
    check("a message comes by -t", message["subject"] == "hi" and raw.endswith(b"\r\n\r\nx\r\n"), raw)
    check("the trace says whose program it was, and no address", b"Received: from root\r\n\tby mail.home.test with local id " in raw and b"127.0.0.1" not in raw, raw)
    check("sender, date, id and author are filled in", raw.startswith(b"Return-Path: <root@home.test>\r\n") and message["date"] and message["message-id"]
          and message["from"].addresses[0].addr_spec == "root@home.test", raw)
    raw = machine.one("ann", "-i", "ann", text=b"/etc/cron.daily/backup:\ndisk is\nfull\n")
    check("a text without any header, as cron jobs write it", raw.endswith(b"\r\n\r\n/etc/cron.daily/backup:\r\ndisk is\r\nfull\r\n") and parsed(raw)["from"], raw)
    raw = machine.one("ann", "-FCron Daemon", "-i", "-odi", "-oem", "-oi", "-t", text=b"From nobody Sat Nov 28\nTo: ann\nSubject: Cron <root@box> ls\n\nout\n")
    check("cron's words, a recipient without domain, and a line of mbox", parsed(raw)["from"].addresses[0].display_name == "Cron Daemon" and b"From nobody" not in raw, raw)
    raw = machine.one("ann", "-t", "-F", "Jürgen (Ö)", text=b"to: ann\n\n")
    check("a full name beyond ASCII", parsed(raw)["from"].addresses[0].display_name == "Jürgen (Ö)", raw)
    raw = machine.one("ann", "-t", text=b"To: ann\nFrom: Someone <else@where.example>\n\nx\n")
    check("an author that is there stays", parsed(raw)["from"] == "Someone <else@where.example>")
    bcc = b"To: ann\nBcc: bob,\n x@home.test\nSubject: b\n\nBcc: stays\n"
    done = machine.send("-t", text=bcc)
    check("an unknown recipient is told, the others get it", done.returncode == 67 and b"x@home.test" in done.stderr and b"others" in done.stderr, done)
    found = parsed(machine.one("bob", "-t", text=bcc.replace(b",\n x@home.test", b"")))
    check("Bcc gets it and is taken out", found["subject"] == "b" and found["bcc"] is None and found["to"] == "ann" and "Bcc: stays" in found.get_content())
    dots = b"To: ann\n\n.\n..\n.x\nend\n"
    check("-i: dots are text", machine.one("ann", "-ti", text=dots).endswith(b"\r\n\r\n.\r\n..\r\n.x\r\nend\r\n"))
    check("without it a dot ends the text", machine.one("ann", "-t", text=b"To: ann\n\n..\n.x\n.\nend\n").endswith(b"\r\n\r\n..\r\n.x\r\n"))
    long = b"To: ann\n\n" + b"l" * 50000 + b"\n"
    check("a long line", machine.one("ann", "-ti", text=long).endswith(b"l" * 50000 + b"\r\n"))
    eight = b"To: ann\nSubject: Gr\xc3\xbc\xc3\x9fe\n\n\xff\xfe caf\xc3\xa9\n"
    raw = machine.one("ann", "-ti", text=eight)
    check("8-bit in header and body", "Subject: Grüße".encode() in raw and raw.endswith(b"\r\n\r\n\xff\xfe caf\xc3\xa9\r\n"), raw)
    check("a NUL", machine.one("ann", "-ti", text=b"To: ann\n\na\0b\n") != b"")
    check("CR alone, as progress bars have it", machine.one("ann", "-ti", text=b"To: ann\n\n1%\r2%\r\nend\n").endswith(b"\r\n1%\r\n2%\r\nend\r\n"))
    check("root's mail reaches whoever was added first", machine.one("ann", "root", text=b"x\n") != b"")
    big = b"To: ann\n\n" + b"x" * 52_428_800
    done = machine.send("-t", text=big)
    check("a message over the limit is told", done.returncode == 65 and b"too big" in done.stderr, done.stderr)
    found = machine.new("bob", lambda: machine.send("-i", *(f"bob+{n}" for n in range(1001))))
    check("more recipients than go at once", len(found) == 2, len(found))
    raw = machine.one("ann", "-f", "<>", "ann")
    check("a message from nobody", raw.startswith(b"Return-Path: <>\r\n"), raw)
    raw = machine.one("ann", "-f", "ann", "-N", "success", "-V", "a b", "-R", "hdrs", "bob")
    check("a report that was asked for, by the message's name", b"multipart/report" in raw and b"Original-Envelope-Id: a b" in raw, raw)


def programs(machine):
    home = machine.home
    mailrc = machine.path.with_name("mailrc")
    mailrc.write_text(f"set sendmail={machine.path}\n")
    environment = {"HOME": "/nonexistent", "PATH": os.environ["PATH"], "LANG": "C.UTF-8", "USER": "root", "MAILRC": str(mailrc)}
    run = lambda command, text: subprocess.run(command, input=text, capture_output=True, env=environment, timeout=60)
    for name, command in (
        ("bsd-mailx", ["bsd-mailx", "-n", "-s", "by bsd-mailx", "-b", "bob@home.test", "ann@home.test"]),
        ("s-nail", ["s-nail", "-:/", "-S", f"mta={machine.path}", "-s", "by s-nail", "-b", "bob@home.test", "ann@home.test"]),
        ("mutt", ["mutt", "-n", "-F", "/dev/null", "-e", f'set sendmail="{machine.path} -oem -oi" copy=no use_envelope_from=yes from=ann@home.test',
                  "-s", "by mutt", "-b", "bob@home.test", "--", "ann@home.test"]),
    ):
        done = []
        text = "Grüße\n.\n..dot\n".encode()
        found = machine.new("ann", lambda: done.append(run(command, text)))
        message = parsed(found[0]) if found else None
        check(f"{name} sends", done[0].returncode == 0 and len(found) == 1 and message["subject"] == f"by {name}", (done, home.run("status", check=False)))
        check(f"... the text as it is, and no Bcc", message and message.get_content().replace("\r\n", "\n") == text.decode() and message["bcc"] is None, found)
        check(f"... to the hidden recipient as well", any(f"by {name}".encode() in raw for raw in home.mail("bob")))
    message = email.message.EmailMessage()
    message["To"], message["Subject"] = "Ann <ann@home.test>", "by Python"
    message.set_content("Grüße\n")
    message.add_attachment(bytes(range(256)), maintype="application", subtype="octet-stream")
    raw = machine.one("ann", "-t", "-oi", text=message.as_bytes())
    parts = list(parsed(raw).iter_attachments())
    check("Python's message comes whole", parts and parts[0].get_content() == bytes(range(256)), raw[:500])
    with socket.socket(socket.AF_UNIX) as talk:
        talk.connect(str(home.folder / "submit"))
        talk.sendall(b"EHLO x\r\nMAIL FROM:<root@home.test>\r\nRCPT TO:<ann@home.test>\r\nDATA\r\n")
        said = b""
        while b"354 " not in said:
            said += talk.recv(4096)
        check("a program may speak SMTP to the socket itself", b"XLOCAL root@home.test" in said, said)


def others(machine):
    home = machine.home
    raw = machine.one("ann", "-t", user="nobody")
    check("another user sends under the own name", raw.startswith(b"Return-Path: <nobody@home.test>\r\n") and b"Received: from nobody\r\n" in raw, raw)
    for sender in ("ann@home.test", "root", "joe@else.test"):
        done = machine.send("-t", "-f", sender, user="nobody")
        check(f"nobody may not send from {sender}", done.returncode == 77 and b"may not send" in done.stderr and b"nobody@home.test" in done.stderr, done)
    check("but from the own address", machine.send("-t", "-fnobody@HOME.test", user="nobody").returncode == 0)
    check("... with a detail", machine.send("-t", "-f", "nobody+x", user="nobody").returncode == 0)
    check("root sends from any address of ours", machine.one("ann", "-t", "-fbob").startswith(b"Return-Path: <bob@home.test>\r\n"))
    done = machine.send("-t", "-f", "joe@else.test")
    check("... and from no other", done.returncode == 77 and b"no domain of ours" in done.stderr, done)
    home.run("user", "add", "games@home.test")
    home.run("alias", "add", "family@home.test", "games@home.test")
    check("a user who is a person here sends from all of that person's addresses", machine.send("-t", "-f", "family", user="games").returncode == 0)
    check("... and from no other's", machine.send("-t", "-f", "ann", user="games").returncode == 77)
    mode = [(home.folder / name).stat().st_mode & 0o777 for name in ("submit", "control")]
    check("everybody may send, nobody else may command", mode == [0o666, 0o600], mode)
    done = subprocess.run(["setpriv", "--reuid=nobody", "--clear-groups", machine.path.parent / "pillarbox", "status", "--config", home.config], capture_output=True)
    check("the commands stay shut", done.returncode == 75, done)
    codes = [machine.send("-t", user="backup").returncode for _ in range(101)]
    done = machine.send("-t", user="backup")
    check("a hundred messages in an hour are the most", codes == [0] * 100 + [75] and done.returncode == 75 and b"100 messages" in done.stderr, (codes, done))
    check("... which is no other user's matter", machine.send("-t", user="nobody").returncode == 0)


def faults(machine):
    for words, code, said in (
        ((), 64, b"nobody is named"), (("-t", "-Z"), 64, b"-Z"), (("-bp",), 64, b"queue list"), (("-bs",), 64, b"-bs"),
        (("nobody-here",), 67, b"5.1.1"), (("two words",), 64, b"no address"), (("-f", "x" * 300, "ann"), 65, b"too long"),
        (("-C", "/nonexistent", "ann"), 78, b"not there"),
    ):
        done = machine.send(*words)
        check(f"{' '.join(words)[:20]!r}: {code}", done.returncode == code and said in done.stderr and not done.stdout, done)
    done = machine.send("-t", text=b"Subject: x\n\nTo: ann\n")
    check("-t and nobody in the header: 64", done.returncode == 64, done)
    done = machine.send("-t", text=b"To: two words\n\n")
    check("-t and something that is no address: 65", done.returncode == 65 and b"two words" in done.stderr, done)
    done = machine.send("-t", text=b"X: " + b"y\n z" * 100_000)
    check("a header that is too long: 65", done.returncode == 65 and b"header" in done.stderr, done)
    check("-q has nothing to do", machine.send("-q15m").returncode == 0)
    shown = subprocess.run([PROGRAM, "sendmail", "--help"], capture_output=True, text=True)
    check("help", shown.returncode == 0 and "-f ADDRESS" in shown.stdout and "sendmail" in subprocess.run([PROGRAM, "help"], capture_output=True, text=True).stdout)


def away(machine):
    server = Server("127.0.0.2")
    done = machine.send("-i", "joe@else.test", "ann", user="nobody")
    check("mail leaves as well, signed", done.returncode == 0 and eventually(lambda: server.taken)
          and server.taken[0][0].startswith("MAIL FROM:<nobody@home.test>") and b"DKIM-Signature" in server.taken[0][2]
          and b"Received: from nobody\r\n\tby mail.home.test with local" in server.taken[0][2], (done, server.lines))
    server.taken.clear()
    done = machine.send("-i", "joe@else.test", text=b"From: Ann <ann@home.test>\nSubject: x\n\nnot ann's\n", user="nobody")
    check("in another's name it leaves without our signature", done.returncode == 0 and eventually(lambda: server.taken) and b"DKIM-Signature" not in server.taken[0][2], (done, server.lines))
    server.stop()
    check("it stops in order", machine.home.stop() == 0)
    done = machine.send("-t")
    check("no server: 75, and what to do", done.returncode == 75 and b"try again later" in done.stderr and b"systemctl" in done.stderr, done)
    (machine.home.folder / "submit").unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(machine.home.folder / "submit"))
        other.listen()
        process = subprocess.Popen([machine.path, "-t"], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdin.write(TO_ANN)
        process.stdin.close()
        connection, _ = other.accept()
        connection.sendall(b"421 4.3.2 stopping\r\n")
        connection.close()
        said = process.stderr.read()
        check("a server that stops: 75", process.wait(timeout=20) == 75 and b"4.3.2" in said, said)
        process = subprocess.Popen([machine.path, "-t"], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdin.write(TO_ANN)
        process.stdin.close()
        connection, _ = other.accept()
        connection.sendall(b"220 other\r\n")
        connection.recv(1000)
        connection.sendall(b"250 other\r\n")
        connection.recv(1000)
        connection.close()
        said = process.stderr.read()
        check("another server than ours: 69", process.wait(timeout=20) == 69 and b"who sends" in said, said)


def trial(folder):
    box = Box(folder)
    send = lambda to: subprocess.run([PROGRAM, "sendmail", "--dir", folder, to], input=b"Subject: x\n\nx\n", capture_output=True)
    check("`try` has it as well", send("ann@pillarbox.test").returncode == 0 and len(box.mail(1)) == 1)
    done = send("joe@else.example")
    check("nothing leaves a trial: 77", done.returncode == 77 and b"Nothing leaves" in done.stderr, done)
    box.stop()


def main():
    with tempfile.TemporaryDirectory() as folder:
        dns = Dns(folder, RECORDS)
        machine = Machine(folder, dns)
        for part in (texts, programs, others, faults, away):
            print(f"== {part.__name__}", flush=True)
            part(machine)
        dns.stop()
    with tempfile.TemporaryDirectory() as folder:
        trial(folder)
    finish()


main()
