#!/usr/bin/env python3
"""Other people's libraries against a running `pillarbox try`: Python's imapclient, and Node's imapflow and nodemailer, whose
scripts are in the folder `node`.

Usage: libraries.py PROGRAM. The packages are looked for in target/python and target/node, where tests/run puts them.
"""

import datetime
import email.policy
import imaplib
import json
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, "target/python")
from imapclient import IMAPClient, SEEN  # noqa: E402
from imapclient.exceptions import IMAPClientError, LoginError  # noqa: E402

from house import CLEAR, MESSAGE, PROGRAM, Box, check, deliver, finish, login, state  # noqa: E402

PARTS = (b"From: \"J\xc3\xb6rg\" <joe@else.example>\r\nTo: a@x.example, \"B, C\" <b@x.example>\r\nDate: Fri, 2 Jan 2026 03:04:05 +0100\r\n"
         b"Subject: =?utf-8?Q?parts_=C3=BC?=\r\nMessage-ID: <parts@else.example>\r\nMIME-Version: 1.0\r\n"
         b"Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\none\r\n"
         b"--b\r\nContent-Type: text/html\r\nContent-Disposition: inline\r\n\r\n<p>two\r\n--b--\r\n")


def client(box):
    ann = box.accounts[0]
    session = IMAPClient("127.0.0.1", box.ports["imaps"], ssl_context=CLEAR, timeout=20)
    session.login(ann["address"], ann["password"])
    return session


def refused(work):
    try:
        return work()
    except IMAPClientError as error:
        return str(error)


def folders(session):
    """Mailboxes by name, roles and namespace."""
    check("imapclient reads the namespace", session.namespace().personal == (("", "/"),))
    check("and who we are", session.id_({"name": "test"})[0][:2] == (b"name", b"Pillarbox"))
    check("it finds a mailbox by its role", session.find_special_folder(b"\\Trash") == "Trash")
    session.create_folder("Entw\u00fcrfe/\u53f0\u5317 & \u00ab\u00bb")
    names = [name for _, _, name in session.list_folders("", "Entw*")]
    check("names beyond ASCII", names == ["Entw\u00fcrfe", "Entw\u00fcrfe/\u53f0\u5317 & \u00ab\u00bb"], names)
    session.rename_folder("Entw\u00fcrfe/\u53f0\u5317 & \u00ab\u00bb", "Entw\u00fcrfe/\u00e0 \"la\" plage")
    check("RENAME", session.folder_exists("Entw\u00fcrfe/\u00e0 \"la\" plage") and not session.folder_exists("Entw\u00fcrfe/\u53f0\u5317 & \u00ab\u00bb"))
    session.subscribe_folder("Entw\u00fcrfe/\u00e0 \"la\" plage")
    check("SUBSCRIBE", "Entw\u00fcrfe/\u00e0 \"la\" plage" in [name for _, _, name in session.list_sub_folders()])
    session.unsubscribe_folder("Entw\u00fcrfe/\u00e0 \"la\" plage")
    check("UNSUBSCRIBE", "Entw\u00fcrfe/\u00e0 \"la\" plage" not in [name for _, _, name in session.list_sub_folders()])
    said = refused(lambda: session.create_folder("Entw\u00fcrfe"))
    check("CREATE of what is there", "ALREADYEXISTS" in str(said), said)
    session.delete_folder("Entw\u00fcrfe/\u00e0 \"la\" plage")
    check("DELETE", not session.folder_exists("Entw\u00fcrfe/\u00e0 \"la\" plage"))


def messages(box, session):
    name = "imapclient \u00fc"
    session.create_folder(name)
    when = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)
    said = session.append(name, PARTS, [SEEN, "$Work"], when)
    check("APPEND", re.match(rb"\[APPENDUID \d+ 1\]", said) is not None, said)
    session.multiappend(name, [{"msg": MESSAGE.format(f"c{n}").encode(), "flags": [b"\\Flagged"] if n == 2 else []} for n in range(4)])
    check("MULTIAPPEND and STATUS", session.folder_status(name, ["MESSAGES", "UNSEEN", "UIDNEXT"]) ==
          {b"MESSAGES": 5, b"UNSEEN": 4, b"UIDNEXT": 6})
    opened = session.select_folder(name)
    check("SELECT", opened[b"EXISTS"] == 5 and opened[b"UIDNEXT"] == 6 and opened[b"READ-WRITE"] and opened[b"HIGHESTMODSEQ"] > 0, opened)
    session.normalise_times = False
    found = session.fetch([1], ["ENVELOPE", "BODYSTRUCTURE", "FLAGS", "INTERNALDATE", "RFC822.SIZE", "BODY.PEEK[]", "BODY.PEEK[2]"])[1]
    envelope = found[b"ENVELOPE"]
    check("ENVELOPE", envelope.subject == b"=?utf-8?Q?parts_=C3=BC?=" and str(envelope.to[1]) == "\"B, C\" <b@x.example>"
          and envelope.message_id == b"<parts@else.example>" and envelope.date.isoformat() == "2026-01-02T03:04:05+01:00", envelope)
    structure = found[b"BODYSTRUCTURE"]
    check("BODYSTRUCTURE", structure.is_multipart and structure[1] == b"alternative" and [part[1] for part in structure[0]] == [b"plain", b"html"]
          and structure[0][1][9] == (b"inline", None), structure)
    check("flags, date, size and text", set(found[b"FLAGS"]) >= {SEEN, b"$Work"} and found[b"INTERNALDATE"] == when
          and found[b"RFC822.SIZE"] == len(PARTS) and found[b"BODY[]"] == PARTS and found[b"BODY[2]"] == b"<p>two", found)
    check("SEARCH", session.search(["UNSEEN", "NOT", "FLAGGED", "SUBJECT", "c"]) == [2, 3, 5])
    check("in UTF-8", session.search(["SUBJECT", "parts \u00fc", "KEYWORD", "$Work"], "UTF-8") == [1])
    check("in parentheses", session.search(["OR", ["SUBJECT", "c1", "UNSEEN"], ["NOT", ["SUBJECT", "c"]]]) == [1, 3])
    check("by dates", session.search(["SENTSINCE", datetime.date(2026, 1, 2), "BEFORE", datetime.date(2026, 1, 3)]) == [1])

    modseq = session.folder_status(name, ["HIGHESTMODSEQ"])[b"HIGHESTMODSEQ"]
    added, now = session.add_flags([2, 3], [b"\\Answered", b"$Later"]), session.set_flags([5], [SEEN])
    check("flags", all({b"\\Answered", b"$Later"} <= set(flags) for flags in added.values()) and set(now[5]) - {b"\\Recent"} == {SEEN}, (added, now))
    changed = session.search(["MODSEQ", str(modseq + 1)])
    check("SEARCH MODSEQ", list(changed) == [2, 3, 5] and changed.modseq > modseq, changed)
    found = session.fetch([1, 2, 3, 4, 5], ["FLAGS"], [f"CHANGEDSINCE {modseq}"])
    check("FETCH CHANGEDSINCE", sorted(found) == [2, 3, 5] and all(row[b"MODSEQ"][0] > modseq for row in found.values()), found)
    session.move([2, 3], "Archive")
    check("MOVE", session.search() == [1, 4, 5] and len(state(box, "Archive")[1]) == 2)
    session.copy([5], "Archive")
    session.delete_messages([1])
    session.add_flags([4], [b"\\Deleted"])
    session.uid_expunge([1])
    check("UID EXPUNGE", session.search() == [4, 5] and session.search("DELETED") == [4])
    session.expunge()
    check("EXPUNGE and COPY", session.search() == [5] and len(state(box, "Archive")[1]) == 3)
    session.unselect_folder()
    session.delete_folder(name)


def lives(box, session):
    """IDLE, the quota, ENABLE, and a wrong password."""
    session.select_folder("INBOX", readonly=True)
    session.idle()
    deliver(box, ["idle"])
    heard = session.idle_check(timeout=5)
    check("IDLE hears of a delivery", (1, b"EXISTS") in heard, heard)
    other = login(box)
    other.select("INBOX")
    other.store("1", "+FLAGS", r"(\Flagged)")
    heard = session.idle_check(timeout=5)
    check("of flags", any(row[:2] == (1, b"FETCH") and b"\\Flagged" in row[2][row[2].index(b"FLAGS") + 1] for row in heard), heard)
    other.store("1", "+FLAGS", r"(\Deleted)")
    other.expunge()
    heard = session.idle_check(timeout=5)
    while (1, b"EXPUNGE") not in heard and (more := session.idle_check(timeout=5)):
        heard += more
    check("and of an expunge", (1, b"EXPUNGE") in heard, heard)
    session.idle_done()
    other.logout()
    session.close_folder()
    root, quotas = session.get_quota_root("INBOX")
    check("GETQUOTAROOT", root.quota_roots == [""] and [(q.resource, q.limit) for q in quotas] == [("STORAGE", 64 << 10)] and quotas[0].usage > 0, quotas)
    check("GETQUOTA", session.get_quota("INBOX") == quotas)
    check("ENABLE", set(session.enable("CONDSTORE", "QRESYNC")) >= {b"QRESYNC"})
    wrong = IMAPClient("127.0.0.1", box.ports["imap"], ssl=False)
    wrong.starttls(CLEAR)
    try:
        wrong.login(box.accounts[0]["address"], "abcd-efgh-jkmn-pqrs")
        check("a wrong password", False)
    except LoginError as error:
        check("a wrong password", "AUTHENTICATIONFAILED" in str(error), error)
    wrong.plain_login(box.accounts[0]["address"], box.accounts[0]["password"])
    check("and then the right one, by PLAIN over STARTTLS", wrong.select_folder("INBOX")[b"EXISTS"] == 0)
    wrong.logout()


def node(box, name, accounts, *words):
    """Runs a script, whose checks become ours; the first of the accounts is its own."""
    told = json.dumps({"ports": box.ports, "accounts": accounts})
    script = pathlib.Path(__file__).parent / "node" / name
    run = subprocess.run(["timeout", "20", "node", str(script), told, *words], capture_output=True, text=True)
    for line in run.stdout.splitlines():
        row = json.loads(line)
        check(row["name"], row["holds"], row.get("seen"))
    check(f"{name} comes to its end", run.returncode == 0, run.stderr)


def after_imapflow(box):
    validity, flow = state(box, "Flow")
    check("the server has what imapflow left", {uid: flags for uid, (_, flags) in flow.items()} ==
          {1: {b"\\Seen", b"$Forwarded"}, 3: {b"\\Flagged", b"\\Seen"}, 6: set(), 7: set()}, flow)
    archived = [message_id for message_id, _ in state(box, "Archive")[1].values()][-3:]
    check("and what it copied and moved", archived == [f"Message-ID: <flow{n}@else.example>".encode() for n in (1, 2, 4)], archived)
    check("nothing in INBOX", state(box)[1] == {})


def inbox(box, number):
    """The messages in the INBOX of an account, read by IMAP."""
    account = box.accounts[number]
    with imaplib.IMAP4_SSL("127.0.0.1", box.ports["imaps"], ssl_context=CLEAR) as session:
        session.login(account["address"], account["password"])
        session.select("INBOX", readonly=True)
        found = session.fetch("1:*", "(BODY.PEEK[])")[1]
        return [email.message_from_bytes(item[1], policy=email.policy.default) for item in found if isinstance(item, tuple)]


def after_nodemailer(box):
    mails = inbox(box, 1)
    by_subject = {mail["Subject"]: mail for mail in mails}
    check("all that nodemailer sent is there, once", len(mails) == len(by_subject) == 25, [mail["Subject"] for mail in mails])
    for port in ("submission", "submissions"):
        mail = by_subject.get(f"{port} LOGIN \u00fc \u53f0\u5317")
        attached = [(part.get_filename(), part.get_content()) for part in mail.iter_attachments()]
        check(f"with its text and what was attached, by {port}", attached == [("\u00fcbersicht.bin", b"pillar" * 33333 + b"pi")]
              and mail.get_body(("plain",)).get_content().replace("\r", "") == "Gr\u00fc\u00dfe\n.\n..\n" and mail["From"].addresses[0].display_name == "Ann \u00dc")
        check("under TLS, after a login", re.search(r"with (UTF8)?E?SMTPSA", mail["Received"]) is not None, mail["Received"])
    mine = inbox(box, 0)
    check("the address beyond ASCII got its mail", [mail["Subject"] for mail in mine] == ["SMTPUTF8"] and "UTF8SMTPSA" in mine[0]["Received"],
          [mail["Received"] for mail in mine])


def main():
    with tempfile.TemporaryDirectory() as folder:
        box = Box(folder)
        ann, bob = box.accounts
        for words in (["user", "set", ann["address"], "--quota", "64M"], ["user", "set", bob["address"], "--quota", "64M"],
                      ["alias", "add", "gr\u00fc\u00dfe@pillarbox.test", ann["address"]]):
            subprocess.run([PROGRAM, *words, "--dir", folder], check=True, capture_output=True)
        session = client(box)
        folders(session)
        messages(box, session)
        lives(box, session)
        session.logout()
        node(box, "imapflow.mjs", [ann, bob])
        node(box, "imapflow.mjs", [bob, ann], "rev1")
        after_imapflow(box)
        node(box, "nodemailer.mjs", [ann, bob])
        after_nodemailer(box)
        code, _, talk = box.stop()
        check("nothing went wrong on the way", code == 0 and "ERROR" not in talk, talk[-1000:])
    finish()


main()
