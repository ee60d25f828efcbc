#!/usr/bin/env python3
"""Other people's programs read, change and sync mail of a running `pillarbox try`: Python's imaplib, curl, neomutt and
mbsync by IMAP, and mbsync and mutt on the Maildir itself.

Usage: imap.py PROGRAM. Prints a line a check and `test result:` as cargo does.
"""

import base64
import imaplib
import os
import pathlib
import re
import smtplib
import socket
import subprocess
import tempfile
import threading
import time
import zlib

from house import CLEAR, Box, check, finish

MESSAGE = "From: Joe <joe@else.example>\r\nSubject: {0}\r\nMessage-ID: <{0}@else.example>\r\n\r\ntext {0}\r\n"


def deliver(box, subjects):
    with smtplib.SMTP("127.0.0.1", box.ports["smtp"]) as session:
        for subject in subjects:
            session.sendmail("joe@else.example", [box.accounts[0]["address"]], MESSAGE.format(subject))


def login(box):
    ann = box.accounts[0]
    session = imaplib.IMAP4_SSL("127.0.0.1", box.ports["imaps"], ssl_context=CLEAR)
    session.login(ann["address"], ann["password"])
    return session


def state(box, folder="INBOX"):
    """UIDVALIDITY, and flags and Message-ID by UID."""
    session = login(box)
    session.select(f'"{folder}"', readonly=True)
    validity = session.response("UIDVALIDITY")[1]
    _, found = session.uid("FETCH", "1:*", "(UID FLAGS BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")
    session.logout()
    messages = {}
    for item in found:
        if isinstance(item, tuple):
            uid = int(re.search(rb"UID (\d+)", item[0]).group(1))
            flags = set(re.search(rb"FLAGS \(([^)]*)\)", item[0]).group(1).split()) - {b"\\Recent"}
            messages[uid] = (item[1].strip(), flags)
    return validity, messages


def by_id(messages):
    return {message_id: flags for message_id, flags in messages.values()}


def eventually(holds, seconds=10):
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if holds():
            return True
        time.sleep(0.1)
    return False


def imaplib_checks(box):
    ann = box.accounts[0]
    session = imaplib.IMAP4("127.0.0.1", box.ports["imap"])
    check("the greeting tells what we can", "IMAP4REV1" in session.capabilities and "IDLE" in session.capabilities)
    session.starttls(ssl_context=CLEAR)
    session.authenticate("PLAIN", lambda _: f"\0{ann['address']}\0{ann['password']}".encode())
    check("the mailboxes of every account", len(session.list()[1]) == 6)
    deliver(box, [f"m{n}" for n in range(10)])
    check("SELECT counts", session.select("INBOX") == ("OK", [b"10"]))
    check("search by subject", session.search(None, "SUBJECT", "m3")[1] == [b"4"])
    _, found = session.fetch("4", "(RFC822)")
    check("the message is the file, byte for byte", found[0][1].endswith(MESSAGE.format("m3").encode()))
    check("reading sets \\Seen", session.search(None, "SEEN")[1] == [b"4"])
    text = b"Subject: draft\r\n\r\nnot yet\r\n"
    code, answer = session.append("Drafts", r"(\Draft)", imaplib.Time2Internaldate(1e9), text)
    check("APPEND", code == "OK" and b"APPENDUID" in answer[0])
    session.select("Drafts")
    _, found = session.fetch("1", "(FLAGS INTERNALDATE BODY.PEEK[])")
    check("and it is there with its date", found[0][1] == text and b"2001" in found[0][0])
    session.select("INBOX")
    check("MOVE", session._simple_command("MOVE", "1:2", "Archive")[0] == "OK")
    session.store("1", "+FLAGS", r"(\Deleted)")
    check("EXPUNGE", session.expunge()[1][-1:] == [b"1"])
    check("and what is left", session.uid("SEARCH", "ALL")[1] == [b"4 5 6 7 8 9 10"])
    session.close()
    session.logout()


def forms_checks(box):
    """Mailbox names in UTF-8, parts without their transfer encoding, previews and quotas, as imaplib writes and reads them."""
    session = login(box)
    check("ENABLE UTF8=ACCEPT", session.enable("UTF8=ACCEPT") == ("OK", [b"Enabled"]))
    name = '"Entw\u00fcrfe \u53f0\u5317"'
    check("a mailbox in UTF-8 is made", session.create(name)[0] == "OK")
    check("and listed in UTF-8", [row.decode() for row in session.list('""', '"Entw\u00fc*"')[1]] == [f'(\\HasNoChildren) "/" {name}'])
    plain = login(box)
    check("and in UTF-7 for others", plain.list('""', "Entw*")[1] == [b'(\\HasNoChildren) "/" "Entw&APw-rfe &U,BTFw-"'])
    picture = bytes(range(256)) * 2000
    parts = (b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>two <b>parts</b>\r\n"
             b"--b\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(picture).replace(b"\n", b"\r\n")
             + b"--b--\r\n")
    target = '"Entw&APw-rfe &U,BTFw-"'
    check("a picture comes in", plain.append(target, None, None, parts)[0] == "OK" and plain.select(target)[1] == [b"1"])
    _, found = plain.fetch("1", "(BINARY.SIZE[2] BINARY.PEEK[2])")
    check("BINARY has its bytes", found[0][1] == picture and b"BINARY.SIZE[2] 512000 BINARY[2] ~{512000}" in found[0][0])
    _, found = plain.fetch("1", "(BINARY.PEEK[2]<300000.300000>)")
    check("and a range of them", found[0][1] == picture[300000:])
    check("PREVIEW", plain.fetch("1", "(PREVIEW)")[1] == [b'1 (PREVIEW "two parts")'])
    check("GETQUOTAROOT", plain.getquotaroot(target) == ("OK", [[target.encode() + b' ""'], [b'"" ()']]))
    plain.close()
    check("it goes again", plain.delete(target)[0] == "OK")
    plain.logout()
    session.logout()


def curl_checks(box):
    ann = box.accounts[0]
    base = ["curl", "--silent", "--insecure", "--user", f"{ann['address']}:{ann['password']}"]
    url = f"imaps://127.0.0.1:{box.ports['imaps']}"
    listed = subprocess.run([*base, url], capture_output=True, text=True).stdout
    check("curl lists", '"Archive"' in listed and "INBOX" in listed)
    read = subprocess.run([*base, f"{url}/INBOX;UID=5"], capture_output=True, text=True).stdout
    check("curl reads a message", "Subject: m4" in read and "text m4" in read)
    with tempfile.NamedTemporaryFile("w", newline="") as file:
        file.write("Subject: by curl\r\n\r\nx\r\n")
        file.flush()
        sent = subprocess.run([*base, "--upload-file", file.name, f"{url}/Sent"], capture_output=True)
    check("curl appends", sent.returncode == 0 and len(state(box, "Sent")[1]) == 1)
    plain = f"imap://127.0.0.1:{box.ports['imap']}/INBOX?ALL"
    found = subprocess.run([*base, "--ssl-reqd", plain], capture_output=True, text=True).stdout
    check("curl searches over STARTTLS", found.startswith("* SEARCH 1 2 3"))


def neomutt_checks(box, home):
    ann = box.accounts[0]
    rc = home / "neomuttrc"
    user = ann["address"].replace("@", "%40")
    rc.write_text(
        f"set folder=imaps://{user}@127.0.0.1:{box.ports['imaps']}/\n"
        f"set imap_user={ann['address']} imap_pass={ann['password']}\n"
        "set ssl_verify_host=no ssl_verify_dates=no ssl_force_tls=yes\n"
        f"set certificate_file={home}/certificates spoolfile=+INBOX record='' sleep_time=0\n"
        "set delete=yes quit=yes confirmappend=no mail_check=1 imap_qresync=no imap_idle=no\n")
    (home / "certificates").write_text(certificate(box))
    before = len(state(box)[1])
    # The pattern marks a message as flagged, another as deleted, and quits.
    push = "push '<tag-pattern>~s m5<enter><tag-prefix><flag-message><delete-pattern>~s m6<enter><quit>'"
    command = ["script", "-qec", f"neomutt -n -F {rc} -e \"{push}\"", "/dev/null"]
    run = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         timeout=60, env={**os.environ, "TERM": "xterm", "HOME": str(home)})
    after = by_id(state(box)[1])
    fine = len(after) == before - 1 and b"\\Flagged" in after[b"Message-ID: <m5@else.example>"]
    check("neomutt reads, flags one and deletes one", fine)
    if not fine:
        print(run.stdout.decode(errors="replace")[-2000:])


class Deflated:
    """A socket of imaplib's with RFC 4978 between, whose client flushes partially."""

    def __init__(self, sock):
        self.sock, self.inflater = sock, zlib.decompressobj(-15)
        self.deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
        self.received = b""

    def send(self, data):
        self.sock.sendall(self.deflater.compress(data) + self.deflater.flush(zlib.Z_PARTIAL_FLUSH))

    def more(self):
        self.received += self.inflater.decompress(self.sock.recv(65536))

    def readline(self):
        while b"\n" not in self.received:
            self.more()
        line, _, self.received = self.received.partition(b"\n")
        return line + b"\n"

    def read(self, size):
        while len(self.received) < size:
            self.more()
        data, self.received = self.received[:size], self.received[size:]
        return data


def deflate_checks(box):
    session = login(box)
    check("COMPRESS=DEFLATE is announced", "COMPRESS=DEFLATE" in session.capabilities)
    imaplib.Commands["COMPRESS"] = ("AUTH", "SELECTED")
    check("COMPRESS", session._simple_command("COMPRESS", "DEFLATE")[0] == "OK")
    wire = Deflated(session.sock)
    session.send, session.readline, session.read = wire.send, wire.readline, wire.read
    check("a deflated session goes on", session.select("INBOX")[0] == "OK")
    count = int(session.select("INBOX")[1][0])
    _, found = session.fetch("1:*", "(FLAGS ENVELOPE BODY.PEEK[])")
    check("and brings every message", len([item for item in found if isinstance(item, tuple)]) == count)
    code, text = session._simple_command("COMPRESS", "DEFLATE")
    check("a second time is refused", code == "NO" and b"COMPRESSIONACTIVE" in text[0])
    text = b"Subject: deflated\r\n\r\n" + b"all work and no play\r\n" * 20000
    check("a large APPEND", session.append("Drafts", None, None, text)[0] == "OK")
    session.send(b"x IDLE\r\n")
    session.readline()
    time.sleep(6)
    deliver(box, ["after-a-rest"])
    check("IDLE is heard after the connection has rested", b"EXISTS" in session.readline())
    session.readline()
    session.send(b"DONE\r\n")
    session.readline()
    session.logout()


def guessing(box):
    """Failures of many sessions slow the next failure down, and never a right password."""
    ann = box.accounts[0]

    def attempt(password):
        session = imaplib.IMAP4("127.0.0.1", box.ports["imap"])
        began = time.monotonic()
        try:
            session.login(ann["address"], password)
            return True, time.monotonic() - began
        except imaplib.IMAP4.error:
            return False, time.monotonic() - began

    for _ in range(6):
        attempt("abcd-efgh-jkmn-pqrs")
    wrong, right = attempt("abcd-efgh-jkmn-pqrs"), attempt(ann["password"])
    check(f"the seventh wrong password waits ({wrong[1]:.1f} s), a right one does not ({right[1]:.2f} s)",
          not wrong[0] and wrong[1] >= 2.5 and right[0] and right[1] < 0.5)


def certificate(box):
    import ssl
    return ssl.get_server_certificate(("127.0.0.1", box.ports["imaps"]))


def mbsync(home, config, *arguments):
    run = subprocess.run(["mbsync", "-c", str(config), *arguments, "-a"], capture_output=True, text=True, timeout=120,
                         env={**os.environ, "HOME": str(home)})
    if run.returncode != 0:
        print(run.stdout[-2000:], run.stderr[-2000:])
    return run


def files(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and p.parent.name in ("cur", "new"))


def mbsync_checks(box, home):
    """Both ways three times: flags, deletes, a new folder on each side, one with a UTF-8 name."""
    ann = box.accounts[0]
    local = home / "local"
    local.mkdir()
    config = home / "mbsyncrc"
    (home / "pin.pem").write_text(certificate(box))
    config.write_text(
        f"IMAPAccount box\nHost localhost\nPort {box.ports['imaps']}\nUser {ann['address']}\nPass {ann['password']}\n"
        f"SSLType IMAPS\nCertificateFile {home}/pin.pem\n\nIMAPStore far\nAccount box\n\n"
        f"MaildirStore near\nPath {local}/\nInbox {local}/INBOX\nSubFolders Verbatim\n\n"
        "Channel all\nFar :far:\nNear :near:\nPatterns *\nCreate Both\nRemove Both\nExpunge Both\nSync All\nSyncState *\n")
    session = login(box)
    session.create('"Gr&APwA3w-e/2026"')
    session.append('"Gr&APwA3w-e/2026"', None, None, b"Subject: in a folder\r\n\r\nx\r\n")
    check("mbsync syncs a first time", mbsync(home, config).returncode == 0)
    check("all is here", len(files(local / "INBOX")) == len(state(box)[1]))
    check("the folder with a UTF-8 name too", len(files(local / "Gr&APwA3w-e" / "2026")) == 1)
    # Changes on both sides.
    session.select("INBOX")
    session.uid("STORE", "5", "+FLAGS", r"(\Answered)")
    session.uid("STORE", "8", "+FLAGS", r"(\Deleted)")
    session.expunge()
    name = next(p for p in (local / "INBOX").rglob("*") if p.is_file() and b"Subject: m8" in p.read_bytes())
    name.rename(local / "INBOX" / "cur" / (name.name.split(":")[0] + ":2,FS"))
    gone = next(p for p in (local / "INBOX").rglob("*") if p.is_file() and b"Subject: m9" in p.read_bytes())
    gone.rename(local / "INBOX" / "cur" / (gone.name.split(":")[0] + ":2,ST"))
    new = local / "New&AOQ-"
    for sub in ("cur", "new", "tmp"):
        (new / sub).mkdir(parents=True)
    (new / "new" / "1.x.here").write_text("Subject: from here\n\nx\n")
    check("mbsync syncs a second time", mbsync(home, config).returncode == 0)
    far = by_id(state(box)[1])
    check("a flag from here is there", {b"\\Flagged", b"\\Seen"} <= far[b"Message-ID: <m8@else.example>"])
    check("what was deleted here is gone there", b"Message-ID: <m9@else.example>" not in far)
    check("a new folder from here is there", len(state(box, "New&AOQ-")[1]) == 1)
    answered = [n for n in files(local / "INBOX") if b"Subject: m4" in (local / "INBOX" / n).read_bytes()]
    check("a flag from there is here", len(answered) == 1 and "R" in answered[0].rsplit(":2,", 1)[1])
    check("what was expunged there is gone here", len(files(local / "INBOX")) == len(far))
    before, modseq = files(local), session.status("INBOX", "(HIGHESTMODSEQ)")
    third = mbsync(home, config)
    check("the third time there is nothing to do", third.returncode == 0 and files(local) == before
          and session.status("INBOX", "(HIGHESTMODSEQ)") == modseq)
    session.logout()


def idle_checks(box):
    """From the 250 of a delivery to the EXISTS of an IDLE session."""
    session = login(box)
    session.select("INBOX")
    session.send(b"x IDLE\r\n")
    session.readline()
    heard = []

    def listen():
        while line := session.readline():
            if b"EXISTS" in line:
                heard.append(time.monotonic())

    threading.Thread(target=listen, daemon=True).start()
    waits = []
    with smtplib.SMTP("127.0.0.1", box.ports["smtp"]) as smtp:
        for number in range(20):
            count = len(heard)
            smtp.sendmail("x@else.example", [box.accounts[0]["address"]], MESSAGE.format(f"idle{number}"))
            done = time.monotonic()
            eventually(lambda: len(heard) > count, 5)
            waits.append((heard[-1] - done) * 1000 if len(heard) > count else 5000)
    waits.sort()
    check(f"IDLE hears of a delivery within 100 ms (median {waits[10]:.1f} ms, worst {waits[-1]:.1f} ms)", waits[-1] < 100)
    session.sock.shutdown(socket.SHUT_RDWR)


def on_the_maildir(box, home):
    """mbsync and mutt work on the Maildir itself while the server runs: no UID changes."""
    maildir = box.maildir(1)
    validity, before = state(box)
    other = home / "other"
    other.mkdir()
    config = home / "onmaildir"
    config.write_text(
        f"MaildirStore box\nInbox {maildir}\nSubFolders Maildir++\n\n"
        f"MaildirStore copy\nPath {other}/\nInbox {other}/INBOX\nSubFolders Verbatim\n\n"
        "Channel all\nFar :box:\nNear :copy:\nPatterns *\nCreate Near\nExpunge Both\nSync All\nSyncState *\n")
    check("mbsync reads the Maildir itself", mbsync(home, config).returncode == 0)
    check("no UID has changed", eventually(lambda: state(box) == (validity, before)))
    one = next(p for p in (other / "INBOX").rglob("*") if p.is_file() and b"Subject: idle3\n" in p.read_bytes().replace(b"\r", b""))
    one.rename(other / "INBOX" / "cur" / (one.name.split(":")[0] + ":2,FS"))
    check("mbsync writes a flag into the Maildir", mbsync(home, config).returncode == 0)

    def flagged():
        now_validity, now = state(box)
        same = now_validity == validity and {u: m for u, (m, _) in now.items()} == {u: m for u, (m, _) in before.items()}
        return same and b"\\Flagged" in by_id(now)[b"Message-ID: <idle3@else.example>"]

    check("it is seen, under the same UIDs", eventually(flagged))
    rc = home / "muttrc"
    rc.write_text(f"set spoolfile={maildir} mbox_type=Maildir folder={maildir} delete=yes quit=yes sleep_time=0 move=no mark_old=yes\n")
    push = "push '<delete-pattern>~s idle4<enter><tag-pattern>~s idle5<enter><tag-prefix><flag-message><quit>'"
    command = ["script", "-qec", f"mutt -n -F {rc} -e \"{push}\"", "/dev/null"]
    run = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60,
                         env={**os.environ, "TERM": "xterm", "HOME": str(home)})

    def mutt_was_here():
        now_validity, now = state(box)
        ids = {uid: message_id for uid, (message_id, _) in now.items()}
        wanted = {uid: m for uid, (m, _) in before.items() if m != b"Message-ID: <idle4@else.example>"}
        return now_validity == validity and ids == wanted and b"\\Flagged" in by_id(now)[b"Message-ID: <idle5@else.example>"]

    fine = eventually(mutt_was_here)
    check("mutt flags one and deletes one, all others keep their UIDs", fine)
    if not fine:
        print(run.stdout.decode(errors="replace")[-3000:])
    return state(box)


def main():
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as home:
        home = pathlib.Path(home)
        box = Box(folder)
        imaplib_checks(box)
        forms_checks(box)
        curl_checks(box)
        neomutt_checks(box, home)
        mbsync_checks(box, home)
        idle_checks(box)
        deflate_checks(box)
        guessing(box)
        before = on_the_maildir(box, home)
        code, seconds, talk = box.stop()
        check(f"SIGTERM stops in order within 5 s ({seconds:.1f} s)", code == 0 and seconds < 5 and "ERROR" not in talk)
        box = Box(folder)
        check("after a restart all is as it was, UIDs and flags", state(box) == before)
        code, _, talk = box.stop()
        check("and nothing went wrong on the way", code == 0 and "ERROR" not in talk)
    finish()


main()
