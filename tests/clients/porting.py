#!/usr/bin/env python3
"""Mail comes from another server and goes to one: a Maildir that Dovecot has filled is imported, an mbox too, and what is
exported Dovecot takes over with UIDs, UIDVALIDITY, flags, keywords, dates and bodies as our IMAP shows them. Run again,
nothing is doubled; killed in the middle, command and server alike, every message is there once.

Usage: porting.py PROGRAM [COUNT]. With a count, so many messages are imported and exported, and rate and peak memory of
both programs are printed.
"""

import hashlib
import imaplib
import json
import mailbox
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from house import CLEAR, PROGRAM, Box, check, finish

COUNT = int(sys.argv[2]) if len(sys.argv) > 2 else None
DATE = '"17-Jul-2010 02:44:%02d -0700"'
# Subscribed in a new account.
DEFAULT = {"INBOX", "Archive", "Drafts", "Junk", "Sent", "Trash"}
imaplib._MAXLINE = 100_000_000


def dovecot(home, maildir):
    """A session with Dovecot's imap, without any server, on a Maildir that becomes its own."""
    home.mkdir(parents=True, exist_ok=True)
    (home / "run").mkdir(exist_ok=True)
    config = home / "dovecot.conf"
    config.write_text(f"log_path={home}/log\nmail_location=maildir:{maildir}\nssl=no\nfirst_valid_uid=1\nbase_dir={home}/run\n"
                      f"state_dir={home}/run\nnamespace inbox {{\n  inbox = yes\n  separator = /\n}}\n")
    command = f"env -i HOME={home} USER=someone MAIL=maildir:{maildir} /usr/lib/dovecot/imap -c {config}"
    if os.getuid() == 0:
        # It will not work as root.
        subprocess.run(["chown", "-R", "nobody:nogroup", home, maildir], check=True)
        command = f"setpriv --reuid=nobody --regid=nogroup --clear-groups {command}"
    return imaplib.IMAP4_stream(f"{command} 2>>{home}/log")


def login(box, account=0):
    session = imaplib.IMAP4_SSL("127.0.0.1", box.ports["imaps"], ssl_context=CLEAR, timeout=60)
    session.login(box.accounts[account]["address"], box.accounts[account]["password"])
    return session


def text_of(number, size=0):
    return (f"From: x@else.example\r\nSubject: message {number}\r\nMessage-ID: <{number}@else.example>\r\n\r\n"
            f"{'y' * size}\r\nFrom here on\r\n>From there\r\n").encode()


def folders(session):
    _, lines = session.list()
    return {re.search(rb'"/" "?([^"]*)"?$', line).group(1).decode() for line in lines if b"oselect" not in line}


def contents(session, folder):
    """UIDVALIDITY, UIDNEXT, and of each UID its flags, INTERNALDATE as seconds, and a hash of its text."""
    quoted = f'"{folder}"'
    text = session.status(quoted, "(UIDVALIDITY UIDNEXT)")[1][-1]
    numbers = [int(re.search(rb"%b (\d+)" % word, text).group(1)) for word in (b"UIDVALIDITY", b"UIDNEXT")]
    count = int(session.select(quoted, readonly=True)[1][0])
    found = {}
    if count:
        _, items = session.uid("FETCH", "1:*", "(UID FLAGS INTERNALDATE BODY.PEEK[])")
        for item in items:
            if isinstance(item, tuple):
                uid = int(re.search(rb"UID (\d+)", item[0]).group(1))
                flags = {f.decode() for f in re.search(rb"FLAGS \(([^)]*)\)", item[0]).group(1).split()} - {"\\Recent"}
                date = imaplib.Internaldate2tuple(item[0])
                found[uid] = (frozenset(flags), time.mktime(date), hashlib.sha256(item[1]).hexdigest())
    return numbers, found


def everything(session):
    return {folder: contents(session, folder) for folder in folders(session)}


def messages(found):
    return sorted((tuple(sorted(flags)), date, text) for flags, date, text in found[1].values())


def command(box, *words, code=0):
    done = subprocess.run([PROGRAM, *map(str, words), "--dir", box.folder, "--json"], capture_output=True, text=True, timeout=600)
    if done.returncode != code:
        raise RuntimeError(f"{words}: {done.returncode} {done.stdout} {done.stderr}")
    return json.loads(done.stdout) if done.stdout else done.stderr


def fill_by_dovecot(home, maildir):
    """What Dovecot then shows, by folder."""
    maildir.mkdir()
    session = dovecot(home, maildir)
    for folder in ("Entw&APw-rfe", "Work/2025", "Sent Items", "Empty", "Spam"):
        assert session.create(f'"{folder}"')[0] == "OK", folder
    for folder in ("Entw&APw-rfe", "Work/2025"):
        session.subscribe(f'"{folder}"')
    some = {"INBOX": 40, "Entw&APw-rfe": 5, "Work/2025": 30, "Sent Items": 20, "Spam": 3}
    kinds = [None, r"(\Seen)", r"(\Seen \Answered $Forwarded)", r"(\Flagged Blau)", r"(\Draft $Junk \Deleted)"]
    number = 0
    for folder, count in some.items():
        for _ in range(count):
            number += 1
            text = text_of(number, random.randrange(3000))
            assert session.append(f'"{folder}"', kinds[number % 5], DATE % (number % 60), text)[0] == "OK"
    # A second list of letters, in another order.
    session.append('"Work/2025"', "($Junk Blau Gelb)", DATE % 1, text_of("x"))
    found = everything(session)
    session.logout()
    return found


def import_from_dovecot(box, folder):
    maildir = folder / "theirs"
    theirs = fill_by_dovecot(folder / "home1", maildir)
    total = sum(len(found[1]) for found in theirs.values())
    tried = command(box, "import", "maildir", maildir, box.accounts[0]["address"], "--dry-run")
    check("a dry run tells of all", tried["imported"] == total and tried["dry_run"], tried)
    with login(box) as session:
        check("and has done nothing", "Empty" not in folders(session) and not contents(session, "INBOX")[1])
    (maildir / "cur" / "1.empty.host:2,S").write_bytes(b"")
    (maildir / "cur" / "2.zeros.host:2,S").write_bytes(bytes(1000))
    (maildir / "cur" / "3.large.host:2,S").write_bytes(b"Subject: large\n\n" + b"x" * 53_000_000)
    (maildir / "cur" / "4.link.host:2,S").symlink_to("/etc/passwd")
    done = command(box, "import", "maildir", maildir, box.accounts[0]["address"], code=1)
    check("all are imported", done["imported"] == total and done["already_there"] == 0, done)
    why = {pathlib.Path(row["message"]).name.split(".")[1]: row["why"] for row in done["reasons"]}
    check("what is no mail, is too large or is a link is listed", done["not_taken"] == 4 and "empty" in why["empty"]
          and "no mail" in why["zeros"] and "at most 52428800" in why["large"] and "link" in why, done["reasons"])
    for name in why:
        next((maildir / "cur").glob(f"*.{name}.host*")).unlink()
    with login(box) as session:
        ours = everything(session)
        places = {"Sent Items": "Sent", "Spam": "Junk"}
        check("special folders go where ours are", not set(places) & set(ours) and "Empty" in ours, sorted(ours))
        for name, found in theirs.items():
            here = ours[places.get(name, name)]
            check(f"{name}: flags, keywords, dates and texts are Dovecot's", messages(here) == messages(found), (here, found))
            check(f"{name}: in the order in which they came", [m[2] for m in here[1].values()] == [m[2] for m in found[1].values()])
        _, lines = session.lsub()
        subscribed = {re.search(rb'"/" "?([^"]*)"?$', line).group(1).decode() for line in lines}
        check("subscriptions are Dovecot's", subscribed - DEFAULT == {"Entw&APw-rfe", "Work/2025"}, subscribed)
        again = command(box, "import", "maildir", maildir, box.accounts[0]["address"])
        check("run again it imports nothing", (again["imported"], again["already_there"]) == (0, total), again)
        check("and doubles nothing", everything(session) == ours)
        session.select("INBOX")
        before = len(ours["INBOX"][1])
        session.uid("STORE", "1", "+FLAGS", r"(\Deleted)")
        session.expunge()
        session.uid("MOVE", "2", "Archive")
        gone = before - len(contents(session, "INBOX")[1])
        again = command(box, "import", "maildir", maildir, box.accounts[0]["address"])
        check("what was moved or deleted here stays so", again["imported"] == 0, again)
        # Killed after the commit and before the note: the note is missing, the messages are there.
        record = box.folder / "accounts" / "1" / "imported"
        record.write_bytes(record.read_bytes()[:-16 * 30 - 5])
        again = command(box, "import", "maildir", maildir, box.accounts[0]["address"])
        check("messages without a note are found in the mailbox", again["imported"] == 0, again)
        again = command(box, "import", "maildir", maildir, box.accounts[0]["address"], "--again")
        check("--again brings back what is missing, and that alone", again["imported"] == gone > 1, (again, gone))
        check("so that all is there", messages(contents(session, "INBOX")) == messages(theirs["INBOX"]))


def import_mbox(box, folder):
    files = folder / "mboxes"
    (files / "Work.sbd").mkdir(parents=True)
    for path, count in ((files / "Lists", 12), (files / "Work.sbd" / "Old", 3)):
        box_file = mailbox.mbox(path)
        for number in range(count):
            # mailbox quotes `From `; what is quoted already must be quoted once more.
            message = mailbox.mboxMessage(text_of(f"{path.name} {number}").replace(b"\r\n", b"\n").replace(b"\n>From", b"\n>>From"))
            message.set_from("x@else.example", time.gmtime(1279334665 + number))
            message.set_flags("RF" if number % 2 else "O")
            if number == 0:
                message["X-Keywords"] = "Blau $Junk"
            box_file.add(message)
        box_file.close()
    (files / "Lists.msf").write_text("an index\n")
    (files / "notes.txt").write_text("no mbox\n")
    bob = box.accounts[1]["address"]
    done = command(box, "import", "mbox", files, bob)
    check("an mbox folder", done["imported"] == 15 and done["not_taken"] == 0, done)
    with login(box, 1) as session:
        _, lists = contents(session, "Lists")
        _, old = contents(session, "Work/Old")
        check("its messages are there", (len(lists), len(old)) == (12, 3))
        flags = [message[0] for message in lists.values()]
        check("with flags and keywords", flags[:3] == [{"Blau", "$Junk"}, {"\\Seen", "\\Flagged"}, set()], flags)
        check("and dates", [message[1] for message in lists.values()] == [1279334665 + n for n in range(12)])
        session.select("Lists")
        text = session.uid("FETCH", "3", "(BODY.PEEK[])")[1][0][1]
        check("texts are as they were, without the program's own fields", text == text_of("Lists 2"), text)
    again = command(box, "import", "mbox", files, bob)
    check("run again it imports nothing", (again["imported"], again["already_there"]) == (0, 15), again)
    one = command(box, "import", "mbox", files / "Lists", bob, "--mailbox", "INBOX")
    check("a single file goes where it is told", one["mailboxes"][0]["into"] == "INBOX" and one["imported"] == 12, one)
    said = command(box, "import", "mbox", files / "notes.txt", bob, code=1)
    check("what is no mbox is told so", "no mbox file" in said, said)


def over_quota(box, folder):
    maildir = folder / "quota"
    for sub in ("cur", "new", "tmp"):
        (maildir / sub).mkdir(parents=True)
    for number, size in enumerate((100, 200_000, 100)):
        (maildir / "new" / f"{number + 1}.q.host").write_bytes(text_of(f"quota {number}", size))
    bob = box.accounts[1]["address"]
    command(box, "user", "set", bob, "--quota", "100K")
    done = command(box, "import", "maildir", maildir, bob, code=1)
    check("over quota one is listed, the others are taken", (done["imported"], done["not_taken"]) == (2, 1) and "as much as it may" in done["reasons"][0]["why"], done)
    command(box, "user", "set", bob, "--quota", "none")


def export_to_dovecot(box, folder):
    target = folder / "exported"
    ann = box.accounts[0]["address"]
    with login(box) as session:
        session.create("v1.2")
        session.append("v1.2", r"($Forwarded)", None, text_of("dot"))
        session.subscribe("v1.2")
        ours = everything(session)
        done = command(box, "export", ann, target)
        check("all are exported", done["exported"] == sum(len(found[1]) for found in ours.values()), done)
        check("the mark of an unfinished export is gone", not (target / "pillarbox-export").exists())
        said = command(box, "export", ann, target, code=1)
        check("a finished export is not written into", "not empty" in said, said)
        lists = {path.relative_to(target): path.read_text() for path in target.rglob("dovecot-uidlist")}
        theirs_session = dovecot(folder / "home2", target)
        theirs = everything(theirs_session)
        ours["v1_2"] = ours.pop("v1.2")
        check("Dovecot has the same mailboxes", set(theirs) == set(ours), (sorted(theirs), sorted(ours)))
        for name in ours:
            check(f"Dovecot's {name}: UIDVALIDITY, UIDNEXT, UIDs, flags, keywords, dates and texts", theirs.get(name) == ours[name], (theirs.get(name), ours[name]))
        _, lines = theirs_session.lsub()
        check("and subscriptions", {line.split(b'"/" ')[1].decode().strip('"') for line in lines} - DEFAULT == {"Entw&APw-rfe", "Work/2025", "v1_2"}, lines)
        theirs_session.append("INBOX", None, None, text_of("new there"))
        theirs_session.logout()
        log = (folder / "home2" / "log").read_text()
        check("it took it without a complaint", "Error" not in log and "Warning" not in log and "Logged out" in log and len(lists) == len(ours), log)


def export_again(box, folder):
    """Cut off in the middle, an export goes on; what another program wrote is left alone."""
    target = folder / "cut"
    ann = box.accounts[0]["address"]
    command(box, "export", ann, target)
    (target / "pillarbox-export").write_text("pillarbox-export 1\naccount 1\n")
    files = sorted((target / ".Work.2025" / "cur").iterdir())
    files[0].unlink()
    files[1].write_bytes(b"short")
    kept = files[2].stat().st_ino
    with login(box) as session:
        session.select("Work/2025")
        session.store("4", "+FLAGS", r"(\Flagged)")
        session.store("5", "+FLAGS", r"(\Deleted)")
        session.expunge()
        ours = everything(session)
    done = command(box, "export", ann, target)
    check("it goes on where it was", done["exported"] == 2 and done["already_there"] > 50, done)
    check("and leaves alone what is whole", kept in {path.stat().st_ino for path in (target / ".Work.2025" / "cur").iterdir()})
    session = dovecot(folder / "home3", target)
    now = contents(session, "Work/2025")
    check("with what has changed since", now == ours["Work/2025"], (now, ours["Work/2025"]))
    session.logout()
    (target / "pillarbox-export").write_text("pillarbox-export 1\naccount 1\n")
    said = command(box, "export", ann, target, code=1)
    check("where Dovecot has worked it does not", "Dovecot has worked" in said, said)


def from_another_box(folder, ours):
    """The Maildir of a Pillarbox that has stopped."""
    box = Box(folder / "next")
    done = command(box, "import", "maildir", folder / "box" / "accounts" / "1" / "Maildir", box.accounts[0]["address"])
    check("another box's Maildir is imported", done["imported"] == sum(len(found[1]) for found in ours.values()), done)
    with login(box) as session:
        here = everything(session)
        same = [name for name in ours if messages(here[name]) != messages(ours[name])]
        check("with flags, keywords and dates", not same, same)
        check("and subscriptions", b'"v1.2"' in b" ".join(session.lsub()[1]) or b" v1.2" in b" ".join(session.lsub()[1]), session.lsub())
    box.stop()


def make_maildir(path, count, size):
    for sub in ("cur", "new", "tmp"):
        (path / sub).mkdir(parents=True)
    rng = random.Random(1)
    for number in range(count):
        name = path / "cur" / f"{1_200_000_000 + number}.M{number % 1000}P1.host:2,{'S' if number % 3 else ''}"
        name.write_bytes(text_of(number, rng.randrange(2 * size)).replace(b"\r\n", b"\n"))
        os.utime(name, (1_200_000_000 + number, 1_200_000_000 + number))


def kills(folder):
    """The command, then the server, at random moments; run to its end, every message is there once."""
    source, count = folder / "many", 600
    make_maildir(source, count, 2000)
    place = folder / "killed"
    box = Box(place)
    words = lambda: [PROGRAM, "import", "maildir", source, box.accounts[0]["address"], "--dir", place, "--json"]
    maildir, cut = place / "accounts" / "1" / "Maildir", 0
    there = lambda: sum(len(list((maildir / sub).glob("*"))) for sub in ("new", "cur"))
    for turn in range(8):
        running = subprocess.Popen(words(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = there() + random.randrange(60)
        while there() <= until:
            # Refused while the one that was killed is still ending.
            if running.poll() == 1:
                running = subprocess.Popen(words(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(0.001)
        if turn == 7:
            code, seconds, talk = box.stop()
            check("in the middle of an import SIGTERM stops the server in order", code == 0 and seconds < 5 and "ERROR" not in talk, (code, seconds, talk))
            cut += running.wait(timeout=60) != 0
            box = Box(place)
        elif turn % 2:
            box.process.send_signal(signal.SIGKILL)
            box.process.wait()
            code = running.wait(timeout=60)
            cut += code == 75
            box = Box(place)
        else:
            running.send_signal(signal.SIGKILL)
            cut += running.wait() == -signal.SIGKILL
    done = command(box, "import", "maildir", source, box.accounts[0]["address"])
    with login(box) as session:
        _, found = contents(session, "INBOX")
    texts = [message[2] for message in found.values()]
    check(f"{cut} kills, command and server: each of {count} is there once", len(texts) == len(set(texts)) == count and cut >= 6, (len(texts), len(set(texts)), cut))
    check("the last run did the rest", done["imported"] + done["already_there"] == count, done)
    target = folder / "killed-export"
    words = [PROGRAM, "export", box.accounts[0]["address"], target, "--dir", place, "--json"]
    for _ in range(4):
        running = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(random.uniform(0.02, 0.1))
        running.send_signal(signal.SIGKILL)
        running.wait()
        if target.exists() and not (target / "pillarbox-export").exists():
            shutil.rmtree(target)
    command(box, *words[1:4])
    with login(box) as session:
        ours = contents(session, "INBOX")
    session = dovecot(folder / "home4", target)
    check("an export that was killed goes on to its end", contents(session, "INBOX") == ours)
    session.logout()
    code, _, talk = box.stop()
    check("SIGTERM stops it in order", code == 0, talk)


def peak(pid):
    """Most memory that a process has had, and that of its own in it: MiB."""
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", text).group(1)) / 1024


def measured(folder):
    source = folder / "large"
    make_maildir(source, COUNT, 4000)
    box = Box(folder / "box")
    for words in (["import", "maildir", source, box.accounts[0]["address"]], ["import", "maildir", source, box.accounts[0]["address"]],
                  ["export", box.accounts[0]["address"], folder / "out"]):
        began, most = time.monotonic(), 0.0
        with open(folder / "said", "w") as said:
            running = subprocess.Popen([PROGRAM, *map(str, words), "--dir", box.folder, "--json"], stdout=said, stderr=subprocess.DEVNULL)
        while running.poll() is None:
            try:
                most = max(most, peak(running.pid))
            except (OSError, AttributeError):
                pass
            time.sleep(0.05)
        seconds = time.monotonic() - began
        done = json.loads((folder / "said").read_text())
        counts = {key: done[key] for key in ("imported", "exported", "already_there") if key in done}
        print(f"{words[0]}: {counts} in {seconds:.1f} s, {COUNT / seconds:.0f} a second; peak {most:.1f} MiB, server {peak(box.process.pid):.1f} MiB", flush=True)
        check(f"{words[0]} of {COUNT}", running.returncode == 0 and sum(counts.values()) == COUNT, done)
    box.stop()


def main():
    os.environ["TZ"] = "UTC"
    time.tzset()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        folder.chmod(0o755)
        if COUNT:
            measured(folder)
            finish()
        box = Box(folder / "box")
        try:
            import_from_dovecot(box, folder)
            import_mbox(box, folder)
            over_quota(box, folder)
            export_to_dovecot(box, folder)
            export_again(box, folder)
            with login(box) as session:
                ours = everything(session)
        finally:
            code, _, talk = box.stop()
        check("SIGTERM stops it in order", code == 0 and "ERROR" not in talk, talk)
        from_another_box(folder, ours)
        kills(folder)
    finish()


main()
