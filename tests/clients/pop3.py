#!/usr/bin/env python3
"""Other people's programs collect mail by POP3 from a running `pillarbox try`: Python's poplib, fetchmail, getmail and mpop,
each twice with the mail left on the server: the second time there is nothing new. IMAP goes on beside them.

Usage: pop3.py PROGRAM
"""

import imaplib
import os
import pathlib
import poplib
import smtplib
import subprocess
import tempfile

from house import CLEAR, Box, check, finish


def deliver(box, subjects):
    with smtplib.SMTP("127.0.0.1", box.ports["smtp"]) as session:
        for subject in subjects:
            text = f"Subject: {subject}\r\n\r\n.{subject}\r\n..\r\n"
            session.sendmail("joe@else.example", [box.accounts[0]["address"]], text)


def login(box):
    ann = box.accounts[0]
    session = poplib.POP3_SSL("127.0.0.1", box.ports["pop3s"], context=CLEAR)
    session.user(ann["address"])
    session.pass_(ann["password"])
    return session


def poplib_checks(box):
    ann = box.accounts[0]
    session = poplib.POP3("127.0.0.1", box.ports["pop3"])
    check("CAPA tells of STLS", "STLS" in session.capa())
    session.stls(CLEAR)
    capabilities = session.capa()
    check("and of what else we can", {"TOP", "UIDL", "SASL", "PIPELINING", "UTF8", "RESP-CODES"} <= set(capabilities))
    session.utf8()
    session.user(ann["address"])
    session.pass_(ann["password"])
    check("STAT", session.stat()[0] == 5)
    _, lines, octets = session.retr(2)
    check("RETR", lines[-3:] == [b"", b".m1", b".."])
    check("LIST tells the true size", int(session.list(2).split()[2]) == sum(len(line) + 2 for line in lines))
    check("TOP", session.top(3, 0)[1][-2:] == [b"Subject: m2", b""])
    ids = session.uidl()[1]
    imap = imaplib.IMAP4_SSL("127.0.0.1", box.ports["imaps"], ssl_context=CLEAR)
    imap.login(ann["address"], ann["password"])
    imap.select("INBOX")
    imap.store("4", "+FLAGS", r"(\Deleted)")
    imap.expunge()
    session.dele(1)
    check("what is deleted stays until QUIT", imap.select("INBOX")[1] == [b"4"])
    session.quit()
    check("and goes then", imap.select("INBOX")[1] == [b"3"])
    check("what was fetched is seen", imap.search(None, "SEEN")[1] == [b"1"])
    imap.logout()
    session = login(box)
    left = session.uidl()[1]
    check("unique ids stay what they were", [i.split()[1] for i in left] == [ids[n].split()[1] for n in (1, 2, 4)])
    session.quit()


def run(command, home, **more):
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env={**os.environ, "HOME": str(home)}, **more)
    return done


def secret(path, text):
    path.write_text(text)
    path.chmod(0o600)
    return path


def twice(box, name, command, home, collected):
    before = len(login(box).uidl()[1])
    first = run(command, home)
    check(f"{name} collects {before}", len(collected()) == before)
    if len(collected()) != before:
        print(first.returncode, first.stdout[-1500:], first.stderr[-1500:])
    run(command, home)
    check(f"{name} finds nothing new the second time", len(collected()) == before)
    deliver(box, [f"new-{name}"])
    run(command, home)
    check(f"{name} finds what is new", len(collected()) == before + 1)


def fetchmail(box, home):
    ann = box.accounts[0]
    mda = home / "mda"
    mda.write_text(f"#!/bin/sh\ncat > {home}/fetched.$$\n")
    mda.chmod(0o755)
    rc = secret(home / "fetchmailrc",
                f"set no bouncemail\npoll localhost via 127.0.0.1 protocol POP3 port {box.ports['pop3s']} uidl timeout 20\n"
                f"  user \"{ann['address']}\" password \"{ann['password']}\" is root here ssl no sslcertck keep\n"
                f"  mda \"{mda}\"\n")
    command = ["fetchmail", "--nosyslog", "-N", "-d0", "-f", str(rc), "-i", str(home / "fetchids"), "--pidfile", str(home / "pid")]
    twice(box, "fetchmail", command, home, lambda: list(home.glob("fetched.*")))


def getmail(box, home):
    ann = box.accounts[0]
    folder = home / "getmail"
    for sub in ("cur", "new", "tmp"):
        (folder / "mail" / sub).mkdir(parents=True)
    rc = secret(folder / "getmailrc",
                f"[retriever]\ntype = SimplePOP3SSLRetriever\nserver = 127.0.0.1\nport = {box.ports['pop3s']}\n"
                f"username = {ann['address']}\npassword = {ann['password']}\nuse_peek = false\n"
                f"[destination]\ntype = Maildir\npath = {folder}/mail/\nuser = {'nobody' if os.getuid() == 0 else ''}\n"
                "[options]\ndelete = false\nread_all = false\nverbose = 1\n".replace("use_peek = false\n", ""))
    if os.getuid() == 0:
        subprocess.run(["chown", "-R", "nobody", folder / "mail"], check=True)
        home.chmod(0o755)
        folder.chmod(0o755)
    command = ["getmail", "--getmaildir", str(folder), "--rcfile", str(rc)]
    twice(box, "getmail", command, home, lambda: list((folder / "mail" / "new").iterdir()))


def mpop(box, home):
    ann = box.accounts[0]
    folder = home / "mpop"
    for sub in ("cur", "new", "tmp"):
        (folder / sub).mkdir(parents=True)
    rc = secret(home / "mpoprc",
                f"account default\nhost 127.0.0.1\nport {box.ports['pop3s']}\ntls on\ntls_starttls off\ntls_certcheck off\n"
                f"user {ann['address']}\npassword {ann['password']}\nkeep on\ndelivery maildir {folder}\nuidls_file {home}/uidls\n")
    twice(box, "mpop", ["mpop", "-C", str(rc)], home, lambda: list((folder / "new").iterdir()))


def main():
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as home:
        home = pathlib.Path(home)
        box = Box(folder)
        deliver(box, [f"m{n}" for n in range(5)])
        poplib_checks(box)
        fetchmail(box, home)
        getmail(box, home)
        mpop(box, home)
        code, _, talk = box.stop()
        check("nothing went wrong on the way", code == 0 and "ERROR" not in talk)
    finish()


main()
