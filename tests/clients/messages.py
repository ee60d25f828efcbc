#!/usr/bin/env python3
"""Real messages: those of Python's test suite and of published collections come in by SMTP, or by APPEND where SMTP may not
carry them, come back byte for byte, and have the ENVELOPE and BODYSTRUCTURE that Dovecot gives the same message.
Where the two differ, `messages-differences.txt` says why; a line there that is no difference any more is an error too.
Made 7-bit (seven_bit.py), they hold what they held before.

Usage: messages.py PROGRAM. The collections are looked for in ../shared/vectors or $PILLARBOX_VECTORS.
"""

import imaplib
import os
import pathlib
import re
import smtplib
import subprocess
import tempfile

from house import CLEAR, Box, check, finish
from seven_bit import seven_bit

SUITE = pathlib.Path("/usr/lib/python3.11/test/test_email/data")
VECTORS = pathlib.Path(os.environ.get("PILLARBOX_VECTORS", "../shared/vectors"))
DIFFERENCES = pathlib.Path(__file__).with_name("messages-differences.txt")
imaplib._MAXLINE = 10_000_000


def crlf(text):
    return re.sub(rb"(?<!\r)\n", b"\r\n", text)


def split_mbox(text):
    parts = re.split(rb"(?m)^From [^\n]*\n", text)
    return [part for part in parts if part.strip()]


def gather():
    """Name and text of every message."""
    for path in sorted(SUITE.glob("msg_*.txt")):
        yield f"python/{path.name}", crlf(path.read_bytes())
    if not VECTORS.is_dir():
        print(f"skipped: no test vectors at {VECTORS}")
        return
    for path in sorted(p for p in VECTORS.rglob("*") if p.is_file()):
        name = str(path.relative_to(VECTORS))
        if "mbox" in path.parent.name and not path.name.endswith("-summary.txt"):
            for number, text in enumerate(split_mbox(path.read_bytes())):
                yield f"{name}#{number}", crlf(text)
        elif path.suffix in (".eml", ".msg", ".mime"):
            yield name, crlf(path.read_bytes())


def may_go_by_smtp(text):
    return b"\0" not in text and not re.search(rb"\r(?!\n)", text)


def parse(text):
    """A parenthesised list of IMAP as lists of bytes; NIL is None."""
    at, stack = 0, [[]]
    while at < len(text):
        c = text[at:at + 1]
        if c == b"(":
            stack.append([])
            at += 1
        elif c == b")":
            done = stack.pop()
            stack[-1].append(done)
            at += 1
        elif c == b'"':
            out, at = b"", at + 1
            while text[at:at + 1] != b'"':
                at += text[at:at + 1] == b"\\"
                out += text[at:at + 1]
                at += 1
            stack[-1].append(out)
            at += 1
        elif c == b"{":
            end = text.index(b"}\r\n", at)
            size = int(text[at + 1:end])
            stack[-1].append(text[end + 3:end + 3 + size])
            at = end + 3 + size
        elif c == b" ":
            at += 1
        else:
            word = re.match(rb"[^ ()]+", text[at:]).group()
            stack[-1].append(None if word.upper() == b"NIL" else word)
            at += len(word)
    return stack[0]


def shapes(session, count):
    """Size, envelope and structure of each message in order."""
    session.select("INBOX", readonly=True)
    found = []
    for first in range(1, count + 1, 50):
        _, lines = session.fetch(f"{first}:{min(count, first + 49)}", "(RFC822.SIZE ENVELOPE BODYSTRUCTURE)")
        text = b""
        for line in lines:
            text += (line[0] + b"\r\n" + line[1]) if isinstance(line, tuple) else line
            if not isinstance(line, tuple):
                found.append(parse(text)[1])
                text = b""
    return [dict(zip(item[::2], item[1::2])) for item in found]


def dovecot(folder, texts):
    """A session with Dovecot's imap, without any server, on a Maildir of these messages."""
    maildir = folder / "Maildir"
    for sub in ("cur", "new", "tmp"):
        (maildir / sub).mkdir(parents=True)
    for number, text in enumerate(texts):
        (maildir / "cur" / f"{1000000 + number}.x:2,").write_bytes(text)
    config = folder / "dovecot.conf"
    config.write_text(f"log_path={folder}/log\nmail_location=maildir:{maildir}\nssl=no\nfirst_valid_uid=1\n"
                      f"base_dir={folder}/run\nstate_dir={folder}/run\n")
    (folder / "run").mkdir()
    command = f"env -i HOME={folder} USER=someone MAIL=maildir:{maildir} /usr/lib/dovecot/imap -c {config}"
    if os.getuid() == 0:
        # It will not work as root.
        subprocess.run(["chown", "-R", "nobody:nogroup", folder], check=True)
        command = f"setpriv --reuid=nobody --regid=nogroup --clear-groups {command}"
    return imaplib.IMAP4_stream(command)


def bring(box, messages):
    ann = box.accounts[0]
    session = imaplib.IMAP4_SSL("127.0.0.1", box.ports["imaps"], ssl_context=CLEAR)
    session.login(ann["address"], ann["password"])
    smtp = smtplib.SMTP("127.0.0.1", box.ports["smtp"])
    appended = []
    for name, text in messages:
        if may_go_by_smtp(text):
            smtp.sendmail("x@else.example", [ann["address"]], text)
        else:
            appended.append((name, "NUL" if b"\0" in text else "bare CR"))
            assert session.append("INBOX", None, None, text)[0] == "OK", name
    smtp.quit()
    print(f"{len(messages)} messages, {len(appended)} of them by APPEND: " + ", ".join(f"{n} ({why})" for n, why in appended))
    return session


def without_trace(text):
    """The message behind the fields that a delivery adds."""
    for field in (b"Return-Path", b"Delivered-To", b"Received"):
        match = re.match(field + rb":[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*", text)
        assert match, text[:300]
        text = text[match.end():]
    return text


def main():
    messages = [(name, text) for name, text in gather() if text]
    check("Python's messages are there", sum(name.startswith("python/") for name, _ in messages) == 47)
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as other:
        box = Box(folder)
        session = bring(box, messages)
        session.select("INBOX", readonly=True)
        texts = []
        changed = []
        for number, (name, text) in enumerate(messages, 1):
            _, found = session.fetch(str(number), "(BODY.PEEK[])")
            texts.append(found[0][1])
            if may_go_by_smtp(text):
                same = without_trace(found[0][1]) == (text if text.endswith(b"\r\n") else text + b"\r\n")
            else:
                # With a NUL in it, only BINARY tells of it as it is (RFC 9051 section 4.3.1).
                _, found = session.fetch(str(number), "(BINARY.PEEK[])")
                same = found[0][1] == text
            if not same:
                changed.append(name)
        check(f"all come back byte for byte {changed}", not changed)
        ours = shapes(session, len(messages))
        theirs = shapes(dovecot(pathlib.Path(other), texts), len(messages))
        check("Dovecot answers for all", len(theirs) == len(ours) == len(messages))
        sizes = [name for (name, _), text, shape in zip(messages, texts, ours) if int(shape[b"RFC822.SIZE"]) != len(text)]
        check(f"RFC822.SIZE is the length of the message {sizes}", not sizes)
        known = dict(line.split("\t") for line in DIFFERENCES.read_text().splitlines() if line and not line.startswith("#"))
        different = {name: [k.decode() for k in a if a[k] != b.get(k)] for (name, _), a, b in zip(messages, ours, theirs)}
        different = {name: keys for name, keys in different.items() if keys}
        for name in sorted(set(different) - set(known)):
            a, b = next((a, b) for (n, _), a, b in zip(messages, ours, theirs) if n == name)
            for key in a:
                if a[key] != b.get(key):
                    print(f"  {name} {key.decode()}\n    ours   {a[key]}\n    theirs {b.get(key)}")
        new = sorted(set(different) - set(known))
        check(f"ENVELOPE and BODYSTRUCTURE as Dovecot has them, but for {len(known)} with a reason: {new}", not new)
        here = {name for name, _ in messages}
        gone = sorted(name for name in known if name in here and name not in different)
        check(f"each reason is still one {gone}", not gone)
        session.logout()
        code, _, talk = box.stop()
        check("nothing went wrong on the way", code == 0 and "ERROR" not in talk)
    seven_bit(messages)
    finish()


main()
