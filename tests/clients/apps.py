#!/usr/bin/env python3
"""Other people's programs read, change and sync mail of a running `pillarbox try`: curl, neomutt and mbsync by IMAP, and
mbsync and mutt on the Maildir itself.

Usage: apps.py PROGRAM
"""

import os
import pathlib
import subprocess
import tempfile

from house import Box, by_id, certificate, check, deliver, eventually, finish, login, state


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


def on_the_maildir(box, home):
    """mbsync and mutt work on the Maildir itself while the server runs: no UID changes."""
    deliver(box, [f"here{n}" for n in range(20)])
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
    one = next(p for p in (other / "INBOX").rglob("*") if p.is_file() and b"Subject: here3\n" in p.read_bytes().replace(b"\r", b""))
    one.rename(other / "INBOX" / "cur" / (one.name.split(":")[0] + ":2,FS"))
    check("mbsync writes a flag into the Maildir", mbsync(home, config).returncode == 0)

    def flagged():
        now_validity, now = state(box)
        same = now_validity == validity and {u: m for u, (m, _) in now.items()} == {u: m for u, (m, _) in before.items()}
        return same and b"\\Flagged" in by_id(now)[b"Message-ID: <here3@else.example>"]

    check("it is seen, under the same UIDs", eventually(flagged))
    rc = home / "muttrc"
    rc.write_text(f"set spoolfile={maildir} mbox_type=Maildir folder={maildir} delete=yes quit=yes sleep_time=0 move=no mark_old=yes\n")
    push = "push '<delete-pattern>~s here4<enter><tag-pattern>~s here5<enter><tag-prefix><flag-message><quit>'"
    command = ["script", "-qec", f"mutt -n -F {rc} -e \"{push}\"", "/dev/null"]
    run = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60,
                         env={**os.environ, "TERM": "xterm", "HOME": str(home)})

    def mutt_was_here():
        now_validity, now = state(box)
        ids = {uid: message_id for uid, (message_id, _) in now.items()}
        wanted = {uid: m for uid, (m, _) in before.items() if m != b"Message-ID: <here4@else.example>"}
        return now_validity == validity and ids == wanted and b"\\Flagged" in by_id(now)[b"Message-ID: <here5@else.example>"]

    fine = eventually(mutt_was_here)
    check("mutt flags one and deletes one, all others keep their UIDs", fine)
    if not fine:
        print(run.stdout.decode(errors="replace")[-3000:])


def main():
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as home:
        home = pathlib.Path(home)
        box = Box(folder)
        deliver(box, [f"m{n}" for n in range(10)])
        curl_checks(box)
        neomutt_checks(box, home)
        mbsync_checks(box, home)
        on_the_maildir(box, home)
        code, _, talk = box.stop()
        check("nothing went wrong on the way", code == 0 and "ERROR" not in talk)
    finish()


main()
