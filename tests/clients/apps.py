#!/usr/bin/env python3
"""Other people's programs read, change and sync mail of a running `pillarbox try`: curl, mutt, neomutt, mbsync and
offlineimap by IMAP, curl by POP3, curl and msmtp by submission, and mbsync and mutt on the Maildir itself.

Usage: apps.py PROGRAM
"""

import hashlib
import mailbox
import os
import pathlib
import re
import ssl
import subprocess
import tempfile

from house import MESSAGE, Box, by_id, certificate, check, deliver, eventually, finish, login, state


def curl_checks(box, home):
    ann = box.accounts[0]
    who = ["--user", f"{ann['address']}:{ann['password']}"]

    def curl(*words):
        return subprocess.run(["curl", "--silent", "--insecure", *words], capture_output=True, timeout=20)

    url = f"imaps://127.0.0.1:{box.ports['imaps']}"
    listed = curl(*who, url).stdout
    check("curl lists", b'"Archive"' in listed and b"INBOX" in listed)
    read = curl(*who, f"{url}/INBOX;UID=5").stdout
    check("curl reads a message", b"Subject: m4" in read and b"text m4" in read)
    check("and a section of one", curl(*who, f"{url}/INBOX;UID=5;SECTION=TEXT").stdout == b"text m4\r\n")
    text = home / "by-curl"
    text.write_bytes(b"Subject: by curl\r\n\r\n.a dot\r\n")
    sent = curl(*who, "--upload-file", str(text), f"{url}/Sent").returncode
    check("curl appends", sent == 0 and len(state(box, "Sent")[1]) == 1)
    plain = f"imap://127.0.0.1:{box.ports['imap']}/INBOX?ALL"
    check("curl searches over STARTTLS", curl(*who, "--ssl-reqd", plain).stdout.startswith(b"* SEARCH 1 2 3"))
    found = curl(*who, "--request", "UID SEARCH RETURN (COUNT MAX) SUBJECT m", f"{url}/INBOX").stdout
    check("and in words of its own", found.startswith(b"* ESEARCH (TAG ") and found.endswith(b") UID MAX 10 COUNT 10\r\n"), found)
    stored = curl(*who, "--request", "UID STORE 3 +FLAGS (\\Flagged)", f"{url}/INBOX").returncode
    check("it sets a flag", stored == 0 and b"\\Flagged" in by_id(state(box)[1])[b"Message-ID: <m2@else.example>"])
    check("a wrong password", curl("--user", f"{ann['address']}:abcd-efgh-jkmn-pqrs", url).returncode == 67)

    url = f"pop3s://127.0.0.1:{box.ports['pop3s']}"
    rows = curl(*who, url).stdout.split(b"\r\n")[:-1]
    check("curl lists by POP3", [int(row.split()[0]) for row in rows] == list(range(1, 11)))
    read = curl(*who, f"{url}/5").stdout
    check("and reads", read.endswith(b"\r\n\r\ntext m4\r\n") and len(read) == int(rows[4].split()[1]))

    envelope = ["--mail-from", ann["address"], "--mail-rcpt", box.accounts[1]["address"], "--upload-file", str(text),
                f"smtps://127.0.0.1:{box.ports['submissions']}"]
    check("curl sends", curl(*who, *envelope).returncode == 0 and box.mail(2)[-1].endswith(b"\r\n\r\n.a dot\r\n"))
    check("and not without a login", curl(*envelope).returncode == 55 and len(box.mail(2)) == 1)


def msmtp_checks(box, home):
    """Each way to log in, on each port; the exit code tells what failed as in sysexits.h."""
    ann, bob = box.accounts
    before = len(box.mail(2))

    def msmtp(mechanism, port, starttls, password=ann["password"], sender=ann["address"], to=bob["address"]):
        rc = home / "msmtprc"
        rc.touch(mode=0o600)
        rc.write_text(f"account default\nhost localhost\nport {box.ports[port]}\nauth {mechanism}\nuser {ann['address']}\n"
                      f"password {password}\nfrom {sender}\ntls on\ntls_starttls {starttls}\ntls_trust_file {home}/pin.pem\n")
        return subprocess.run(["msmtp", "-C", str(rc), to], input=f"Subject: msmtp {mechanism}\n\n.Gr\u00fc\u00dfe\n",
                              capture_output=True, text=True, timeout=20)

    for mechanism, port, starttls in (("plain", "submissions", "off"), ("login", "submission", "on"), ("scram-sha-256", "submission", "on")):
        done = msmtp(mechanism, port, starttls)
        mine = [text for text in box.mail(2) if f"Subject: msmtp {mechanism}".encode() in text]
        check(f"msmtp sends by {port} with {mechanism}", done.returncode == 0 and len(mine) == 1
              and mine[0].endswith("\r\n\r\n.Gr\u00fc\u00dfe\r\n".encode()), done.stderr)
    done = msmtp("plain", "submissions", "off", password="abcd-efgh-jkmn-pqrs")
    check("a wrong password is EX_NOPERM", done.returncode == 77 and "535" in done.stderr, (done.returncode, done.stderr))
    done = msmtp("plain", "submissions", "off", sender=bob["address"])
    check("another's address is EX_DATAERR", done.returncode == 65 and "5.7.1" in done.stderr, (done.returncode, done.stderr))
    done = msmtp("plain", "submissions", "off", to="nobody@pillarbox.test")
    check("an unknown address is EX_DATAERR", done.returncode == 65 and "5.1.1" in done.stderr, (done.returncode, done.stderr))
    check("and nothing of these arrived", len(box.mail(2)) == before + 3)


# What a mutt is told, and what it says when it comes back to a mailbox that has changed: where it takes up, and which
# headers it asks for again. NeoMutt's own list of messages loses its place after VANISHED, and it asks for one too many.
MUTTS = (
    ("mutt", "imap_condstore=yes imap_qresync=yes imap_deflate=yes", r"UID FETCH 1:10 \(FLAGS\) \(CHANGEDSINCE \d+ VANISHED\)", ["9"]),
    ("neomutt", "imap_condstore=yes imap_qresync=yes", r"UID FETCH 1:10 \(FLAGS\) \(CHANGEDSINCE \d+ VANISHED\)", ["4", "9"]),
    ("neomutt", "imap_condstore=yes imap_qresync=no", r"UID FETCH 1:10 \(FLAGS\) \(CHANGEDSINCE \d+\)", ["9"]),
)


def mutt_checks(box, home, number):
    """Each mutt with a cache of headers, before and after another session has changed flags, expunged and delivered."""
    program, settings, resync, headers = MUTTS[number]
    ann = box.accounts[0]
    home = home / f"mutt{number}"
    for folder in (home, home / "headers", home / "bodies"):
        folder.mkdir()
    name = f"{program} \u00fc {number}"
    (home / "pin.pem").write_text(certificate(box))
    (home / "muttrc").write_text(
        f"set charset=utf-8 folder=imaps://{ann['address'].replace('@', '%40')}@127.0.0.1:{box.ports['imaps']}/\n"
        f"set imap_user={ann['address']} imap_pass={ann['password']} imap_idle=no {settings}\n"
        "set ssl_verify_host=no ssl_verify_dates=no ssl_force_tls=yes delete=yes quit=yes sleep_time=0 mail_check=1\n"
        f"set certificate_file={home}/pin.pem spoolfile='+{name}' record='' confirmappend=no confirmcreate=no\n"
        f"set header_cache={home}/headers/ message_cachedir={home}/bodies/\n")
    session = login(box)
    encoded = f'"{program} &APw- {number}"'
    session.create(encoded)
    for subject in (f"m{n}" for n in range(10)):
        session.append(encoded, None, None, MESSAGE.format(subject).encode())
    session.select(encoded)

    def run(turn, *keys):
        """What it sent, and the messages that it knows as (subject, flags); the keys are pressed after these were copied."""
        copy = home / f"copy{turn}"
        push = "push '<tag-pattern>~A<enter><tag-prefix><copy-message>" + str(copy) + "<enter>" + "".join(keys) + "<quit>'"
        log = f"-d 3 -l {home}/debug" if program == "neomutt" else "-d 3"
        subprocess.run(["script", "-qec", f"{program} -n -F {home}/muttrc {log} -e \"{push}\"", "/dev/null"],
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60,
                       env={**os.environ, "TERM": "xterm", "LC_ALL": "C.UTF-8", "HOME": str(home)})
        written = (home / ("debug0" if program == "neomutt" else ".muttdebug0")).read_text(errors="replace")
        known = [(message["subject"], message["x-status"] or "") for message in mailbox.mbox(copy)]
        return re.findall(r"\d> a\d+ (.*)", written), known

    sent, known = run(1, "<untag-pattern>~A<enter><tag-pattern>~s m5<enter><tag-prefix><flag-message>", "<delete-pattern>~s m6<enter>")
    check(f"{program} ({settings}) reads a mailbox", known == [(f"m{n}", "") for n in range(10)], known)
    check("COMPRESS is as it was set", ("COMPRESS DEFLATE" in sent) == ("imap_deflate=yes" in settings), sent)
    now = by_id(state(box, encoded[1:-1])[1])
    check("it flags one and deletes one", len(now) == 9 and b"\\Flagged" in now[b"Message-ID: <m5@else.example>"], now)
    session.uid("STORE", "3", "+FLAGS", r"(\Flagged \Answered)")
    session.uid("STORE", "4", "+FLAGS", r"(\Deleted)")
    session.uid("EXPUNGE", "4")
    session.append(encoded, None, None, MESSAGE.format("new").encode())
    sent, known = run(2)
    wanted = [("m0", ""), ("m1", ""), ("m2", "AF"), ("m4", ""), ("m5", "F"), ("m7", ""), ("m8", ""), ("m9", ""), ("new", "")]
    check("it sees what another session did", known == wanted, known)
    check("it asks for what has changed only", any(re.fullmatch(resync, line) for line in sent), sent)
    asked = [line.split()[1] for line in sent if line.startswith("FETCH") and "HEADER.FIELDS" in line]
    check(f"and for the headers of {headers}", asked == headers, asked)
    session.logout()


def mbsync(home, config, *arguments):
    run = subprocess.run(["mbsync", "-c", str(config), *arguments, "-a"], capture_output=True, text=True, timeout=120,
                         env={**os.environ, "HOME": str(home)})
    if run.returncode != 0:
        print(run.stdout[-2000:], run.stderr[-2000:])
    return run


def sent(run):
    """The commands that mbsync tells of in its debug output."""
    return re.findall(r"^F: >>> \d+ (.*)$", run.stdout, re.M)


def files(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and p.parent.name in ("cur", "new"))


def mbsync_checks(box, home):
    """Both ways three times: flags, deletes, a new folder on each side, one with a UTF-8 name."""
    ann = box.accounts[0]
    local = home / "local"
    local.mkdir()
    config = home / "mbsyncrc"
    config.write_text(
        f"IMAPAccount box\nHost localhost\nPort {box.ports['imaps']}\nUser {ann['address']}\nPass {ann['password']}\n"
        f"SSLType IMAPS\nCertificateFile {home}/pin.pem\n\nIMAPStore far\nAccount box\n\n"
        f"MaildirStore near\nPath {local}/\nInbox {local}/INBOX\nSubFolders Verbatim\n\n"
        "Channel all\nFar :far:\nNear :near:\nPatterns *\nCreate Both\nRemove Both\nExpunge Both\nSync All\nSyncState *\n")
    session = login(box)
    session.create('"Gr&APwA3w-e/2026"')
    session.append('"Gr&APwA3w-e/2026"', None, None, b"Subject: in a folder\r\n\r\nx\r\n")
    first = mbsync(home, config, "-D")
    check("mbsync syncs a first time", first.returncode == 0)
    check("deflated", sent(first).count("COMPRESS DEFLATE") == 1)
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
    third = mbsync(home, config, "-D")
    check("the third time there is nothing to do", third.returncode == 0 and files(local) == before
          and session.status("INBOX", "(HIGHESTMODSEQ)") == modseq)
    work = [line for line in sent(third) if re.match(r"(UID STORE|APPEND|CREATE|DELETE|EXPUNGE|UID EXPUNGE)\b|UID FETCH .*BODY", line)]
    check("and no message is asked for or brought", work == [] and 'SELECT "INBOX"' in " ".join(sent(third)), work)
    session.logout()


def offlineimap_checks(box, home):
    """Both ways three times, with folders whose names have blanks and letters beyond ASCII."""
    ann = box.accounts[0]
    local = home / "offline"
    fingerprint = hashlib.sha1(ssl.PEM_cert_to_DER_cert(certificate(box))).hexdigest()
    config = home / "offlineimaprc"
    config.write_text(
        f"[general]\naccounts = box\nmetadata = {home}/offlineimap\nmaxsyncaccounts = 1\n\n"
        "[Account box]\nlocalrepository = near\nremoterepository = far\nutf8foldernames = yes\n\n"
        f"[Repository near]\ntype = Maildir\nlocalfolders = {local}\nsep = /\n\n"
        f"[Repository far]\ntype = IMAP\nremotehost = localhost\nremoteport = {box.ports['imaps']}\nssl = yes\n"
        f"cert_fingerprint = {fingerprint}\nremoteuser = {ann['address']}\nremotepass = {ann['password']}\n"
        "maxconnections = 3\nfolderfilter = lambda name: name.startswith('Reise')\n")

    def sync():
        """Whether it went well, and what it says that it did."""
        run = subprocess.run(["offlineimap", "-c", str(config), "-o", "-u", "basic"], capture_output=True, text=True, timeout=120,
                             env={**os.environ, "HOME": str(home)})
        talk = run.stdout + run.stderr
        fine = run.returncode == 0 and "Finished account" in talk and "ERROR" not in talk and "WARNING" not in talk
        if not fine:
            print(talk[-3000:])
        return fine, re.findall(r"^(?:Copy|Delet|Add|Remov|Creat|Upd|Chang).*", talk, re.M)

    def here(name, subject):
        return [path for path in (local / name).glob("[cn][ue][rw]/*") if f"Subject: {subject}\n".encode() in path.read_bytes()]

    city, station = "Reise K\u00f6ln 2026", "Reise K\u00f6ln 2026/\u53f0\u5317 Hbf"
    places = {"Reise": "Reise", city: "Reise K&APY-ln 2026", station: "Reise K&APY-ln 2026/&U,BTFw- Hbf"}
    session = login(box)
    for encoded in places.values():
        session.create(f'"{encoded}"')
        for number in range(4):
            session.append(f'"{encoded}"', r"(\Seen)" if number else None, None, MESSAGE.format(f"o{number}").encode())
    check("offlineimap syncs a first time", sync()[0])
    for name in places:
        flags = [path.name.rsplit(":2,", 1)[-1] for number in range(4) for path in here(name, f"o{number}")]
        check(f"{name} is here, with flags", flags == ["", "S", "S", "S"], flags)
    # Changes on both sides.
    session.select(f'"{places[station]}"')
    session.store("2", "+FLAGS", r"(\Flagged)")
    session.store("2", "-FLAGS", r"(\Seen)")
    session.store("3", "+FLAGS", r"(\Deleted)")
    session.expunge()
    session.append(f'"{places[station]}"', None, None, MESSAGE.format("from-there").encode())
    session.close()
    one = here(city, "o1")[0]
    one.rename(one.with_name(one.name.rsplit(":2,", 1)[0] + ":2,FRS"))
    here(city, "o2")[0].unlink()
    (local / city / "new" / "1.x.here").write_text(MESSAGE.format("from-here").replace("\r", ""))
    beach = "Reise \u00e0 la plage"
    for sub in ("cur", "new", "tmp"):
        (local / beach / sub).mkdir(parents=True)
    (local / beach / "new" / "2.x.here").write_text(MESSAGE.format("beach").replace("\r", ""))
    fine, done = sync()
    check("offlineimap syncs a second time", fine and len(done) >= 5, done)
    far = by_id(state(box, places[city])[1])
    check("flags from here are there", far[b"Message-ID: <o1@else.example>"] == {b"\\Flagged", b"\\Answered", b"\\Seen"}, far)
    check("what was deleted here is gone there, what is new is there",
          sorted(far) == [f"Message-ID: <{word}@else.example>".encode() for word in ("from-here", "o0", "o1", "o3")], far)
    check("a new folder from here is there", len(state(box, "Reise &AOA- la plage")[1]) == 1)
    check("flags from there are here", [path.name.rsplit(":2,", 1)[-1] for path in here(station, "o1")] == ["F"])
    check("what was deleted there is gone here, what is new is here", not here(station, "o2") and here(station, "from-there"))

    def both_sides():
        folders = [*places.values(), "Reise &AOA- la plage"]
        return files(local), [session.status(f'"{encoded}"', "(MESSAGES UIDNEXT HIGHESTMODSEQ)") for encoded in folders]

    before = both_sides()
    fine, done = sync()
    check("the third time there is nothing to do", fine and done == [] and both_sides() == before, done)
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
        (home / "pin.pem").write_text(certificate(box))
        deliver(box, [f"m{n}" for n in range(10)])
        curl_checks(box, home)
        msmtp_checks(box, home)
        for number in range(len(MUTTS)):
            mutt_checks(box, home, number)
        mbsync_checks(box, home)
        offlineimap_checks(box, home)
        on_the_maildir(box, home)
        code, _, talk = box.stop()
        check("nothing went wrong on the way", code == 0 and "ERROR" not in talk)
    finish()


main()
