#!/usr/bin/env python3
"""kill -9 at random moments while SMTP sessions deliver, IMAP sessions append (one or several at once), flag, move and
expunge, and a POP3 session deletes: what was acknowledged is there exactly once and as it was acknowledged, what was cut
off once or not at all, no UID is given twice, UIDNEXT and HIGHESTMODSEQ never go back, and the first login after a start
takes less than a second.

Usage: kill.py PROGRAM [ROUNDS]
"""

import imaplib
import poplib
import random
import re
import smtplib
import sys
import tempfile
import threading
import time

from house import CLEAR, Box

ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 10
MAILBOXES = ["INBOX", "Drafts", "Archive"]


class Message:
    """What a session knows of a message that it has appended."""

    def __init__(self, mark):
        self.mark, self.places, self.flags, self.maybe_flags = mark, [], set(), set()
        # Acknowledged to be somewhere; else it may be nowhere.
        self.certain = False


class Ledger:
    def __init__(self):
        self.lock = threading.Lock()
        self.delivered, self.tried, self.messages, self.wrong = [], [], [], []
        self.uids, self.highest = {}, {}
        # Marks that POP3 was told to delete, and those that it then has.
        self.doubtful, self.deleted = set(), set()
        self.counts = {"delivered": 0, "appended": 0, "flagged": 0, "moved": 0, "expunged": 0, "deleted by POP3": 0}

    def count(self, what):
        with self.lock:
            self.counts[what] += 1

    def given(self, mailbox, uid, mark):
        with self.lock:
            if self.uids.setdefault((mailbox, uid), mark) != mark:
                self.wrong.append(f"{mailbox} UID {uid} is {mark} and was {self.uids[mailbox, uid]}")

    def shown(self, mailbox, uidnext, modseq):
        with self.lock:
            before = self.highest.get(mailbox, (0, 0))
            self.highest[mailbox] = (max(before[0], uidnext), max(before[1], modseq))
        return before


def login(box, account=0):
    ann = box.accounts[account]
    session = imaplib.IMAP4_SSL("127.0.0.1", box.ports["imaps"], ssl_context=CLEAR, timeout=20)
    session.login(ann["address"], ann["password"])
    return session


def status(session, mailbox):
    text = session.status(mailbox, "(UIDNEXT HIGHESTMODSEQ)")[1][0]
    return tuple(int(n) for n in re.search(rb"UIDNEXT (\d+) HIGHESTMODSEQ (\d+)", text).groups())


def deliver(box, name, ledger, account=0):
    try:
        session = smtplib.SMTP("127.0.0.1", box.ports["smtp"], timeout=20)
        for number in range(100000):
            mark = f"{name}-{number}"
            ledger.tried.append(mark)
            session.sendmail("x@else.example", [box.accounts[account]["address"]], f"Subject: {mark}\r\n\r\n{'x' * random.randrange(9000)}\r\n")
            ledger.delivered.append(mark)
            ledger.count("delivered")
    except (OSError, smtplib.SMTPException):
        pass


def deliver_to_bob(box, name, ledger):
    deliver(box, name, ledger, 1)


def expect(answer):
    code, data = answer
    if code != "OK":
        raise imaplib.IMAP4.abort(f"{code} {data}")
    return data


def collect(box, name, ledger):
    """Deletes Bob's mail by POP3: his messages go when QUIT is answered, and not before it is said."""
    bob = box.accounts[1]
    try:
        while True:
            session = poplib.POP3_SSL("127.0.0.1", box.ports["pop3s"], context=CLEAR, timeout=20)
            session.user(bob["address"])
            session.pass_(bob["password"])
            count = session.stat()[0]
            marks = set()
            for number in random.sample(range(1, count + 1), min(count, 3)):
                header = b"\n".join(session.top(number, 0)[1])
                marks.add(re.search(rb"^Subject: (\S+)", header, re.M).group(1).decode())
                session.dele(number)
            if random.random() < 0.2:
                # What is not followed by QUIT deletes nothing.
                session.close()
                continue
            ledger.doubtful |= marks
            session.quit()
            ledger.deleted |= marks
            for _ in marks:
                ledger.count("deleted by POP3")
    except (OSError, EOFError, poplib.error_proto):
        pass


def append(session, texts):
    """The UIDs of messages that come by one APPEND."""
    tag = session._new_tag()
    words = b" ".join(rb"(\Draft) {%d+}" % len(text) + b"\r\n" + text for text in texts)
    session.send(tag + b" APPEND Drafts " + words + b"\r\n")
    answer = expect(session._get_tagged_response(tag))
    first, last = re.search(rb"APPENDUID \d+ (\d+)(?::(\d+))?", answer[0]).groups()
    return range(int(first), int(last or first) + 1)


def change(box, name, ledger):
    """Appends to Drafts, then flags, moves to Archive and expunges what it appended; each step is acknowledged or in doubt."""
    mine = []
    try:
        session = login(box)
        expect(session.select("Drafts"))
        for number in range(100000):
            messages = [Message(f"{name}-{number}.{n}") for n in range(random.choice([1, 1, 1, 5]))]
            for message in messages:
                message.places, message.maybe_flags = ["Drafts"], {b"\\Draft"}
            ledger.messages += messages
            uids = append(session, [f"Subject: {message.mark}\r\n\r\n{'y' * random.randrange(3000)}\r\n".encode() for message in messages])
            for uid, message in zip(uids, messages, strict=True):
                ledger.given((0, "Drafts"), uid, message.mark)
                message.certain, message.flags = True, {b"\\Draft"}
                ledger.count("appended")
                mine.append((uid, message))
            uid, message = mine.pop(random.randrange(len(mine)))
            step = random.choice(["flag", "flag", "move", "expunge"])
            if step == "flag":
                flag = random.choice([b"\\Flagged", b"\\Answered", b"$Work", b"$Home"])
                message.maybe_flags.add(flag)
                expect(session.uid("STORE", str(uid), "+FLAGS.SILENT", f"({flag.decode()})"))
                message.flags.add(flag)
                ledger.count("flagged")
                mine.append((uid, message))
            elif step == "move":
                message.places = ["Drafts", "Archive"]
                expect(session.uid("MOVE", str(uid), "Archive"))
                message.places = ["Archive"]
                ledger.count("moved")
            else:
                message.maybe_flags.add(b"\\Deleted")
                expect(session.uid("STORE", str(uid), "+FLAGS.SILENT", r"(\Deleted)"))
                message.certain = False
                expect(session.uid("EXPUNGE", str(uid)))
                message.places = []
                ledger.count("expunged")
            if number % 10 == 0:
                ledger.shown("Drafts", *status(session, "Drafts"))
    except (OSError, imaplib.IMAP4.error):
        pass


def start(folder, ledger):
    """Starts, logs in, and holds the numbers against those that were shown before."""
    box = Box(folder)
    began = time.monotonic()
    session = login(box)
    session.select("INBOX")
    seconds = time.monotonic() - began
    for mailbox in MAILBOXES:
        now = status(session, mailbox)
        before = ledger.shown(mailbox, *now)
        if now[0] < before[0] or now[1] < before[1]:
            ledger.wrong.append(f"{mailbox}: UIDNEXT and HIGHESTMODSEQ {now} were {before}")
    session.logout()
    return box, seconds


def everything(box, ledger):
    """Mailbox, UID and flags of every message by its mark."""
    found = {}
    for account, mailboxes in ((0, MAILBOXES), (1, ["INBOX"])):
        session = login(box, account)
        for mailbox in mailboxes:
            read(session, account, mailbox, ledger, found)
        session.logout()
    return found


def read(session, account, mailbox, ledger, found):
    if expect(session.select(mailbox, readonly=True)) != [b"0"]:
        _, items = session.uid("FETCH", "1:*", "(UID FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
        for item in items:
            if isinstance(item, tuple):
                uid = int(re.search(rb"UID (\d+)", item[0]).group(1))
                flags = set(re.search(rb"FLAGS \(([^)]*)\)", item[0]).group(1).split()) - {b"\\Recent"}
                mark = item[1].decode().split(":", 1)[1].strip()
                ledger.given((account, mailbox), uid, mark)
                found.setdefault(mark, []).append((mailbox, flags))


def judge(found, ledger):
    wrong = ledger.wrong
    wrong += [f"lost: {mark}" for mark in ledger.delivered if mark not in found and mark not in ledger.doubtful]
    wrong += [f"deleted by POP3, and there again: {mark}" for mark in ledger.deleted if mark in found]
    wrong += [f"{len(places)} times: {mark}" for mark, places in found.items() if len(places) > 1]
    known = set(ledger.tried)
    for message in ledger.messages:
        known.add(message.mark)
        places = found.get(message.mark, [])
        if message.certain and not places:
            wrong.append(f"lost: {message.mark}")
        for mailbox, flags in places:
            if mailbox not in message.places:
                wrong.append(f"{message.mark} is in {mailbox}, not in {message.places}")
            if not message.flags <= flags <= message.maybe_flags | message.flags:
                wrong.append(f"{message.mark} has {flags}, not {message.flags} to {message.maybe_flags}")
    wrong += [f"never sent: {mark}" for mark in found if mark not in known]


def main():
    ledger, slowest = Ledger(), 0.0
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(ROUNDS):
            box, seconds = start(folder, ledger)
            slowest = max(slowest, seconds)
            work = [(deliver, f"{turn}.{n}") for n in range(4)] + [(change, f"{turn}.c{n}") for n in range(3)] + [(collect, f"{turn}.p"), (deliver_to_bob, f"{turn}.b")]
            threads = [threading.Thread(target=what, args=(box, name, ledger)) for what, name in work]
            for thread in threads:
                thread.start()
            time.sleep(random.uniform(0.1, 0.7))
            box.process.kill()
            box.process.wait()
            for thread in threads:
                thread.join()
        box, seconds = start(folder, ledger)
        judge(everything(box, ledger), ledger)
        code, _, talk = box.stop()
    if slowest >= 1:
        ledger.wrong.append(f"the slowest first login took {slowest:.2f} s")
    done = ", ".join(f"{count} {what}" for what, count in ledger.counts.items())
    print(f"{ROUNDS} kills: {done}; slowest first login {slowest:.2f} s; {len(ledger.wrong)} wrong")
    for line in ledger.wrong[:20]:
        print("WRONG", line)
    sys.exit(bool(ledger.wrong) or code != 0)


main()
