"""Attacks by mail: each message of bombs.py comes in, is read in all forms by IMAP and POP3, and searched for."""

import poplib
import smtplib

import bombs
from house import check
from strict import Broken, Session, items

FORMS = [
    "FLAGS UID INTERNALDATE RFC822.SIZE", "ENVELOPE", "BODY", "BODYSTRUCTURE", "PREVIEW", "EMAILID THREADID SAVEDATE", "BODY.PEEK[HEADER]", "BODY.PEEK[TEXT]",
    "BODY.PEEK[1]", "BODY.PEEK[1.MIME]", "BODY.PEEK[1.HEADER]", "BODY.PEEK[1.1.1.1.1.1.1.1]", "BODY.PEEK[2]<100.100>", "BODY.PEEK[100000]", "BODY.PEEK[]<5.10>",
    "BODY.PEEK[HEADER.FIELDS (SUBJECT TO REFERENCES)]", "BODY.PEEK[HEADER.FIELDS.NOT (RECEIVED)]", "BINARY.PEEK[1]", "BINARY.SIZE[1]", "BINARY.PEEK[1.1.1.1]",
    "ENVELOPE BODYSTRUCTURE PREVIEW BODY.PEEK[HEADER.FIELDS (DATE)]",
]
KEYS = ["TEXT zzz", "BODY zzz", "SUBJECT zzz", "HEADER X-9 zzz", "HEADER Content-Type zzz", "FROM zzz", "TO zzz", "SENTSINCE 1-Jan-2000", "NOT (OR TEXT a BODY b)", "CHARSET UTF-8 TEXT {2+}\r\n\u00fc"]


def send(box, source, text):
    """The code and text with which SMTP takes it or not."""
    with smtplib.SMTP("127.0.0.1", box.ports["smtp"], timeout=20, source_address=(source, 0)) as session:
        session.ehlo("c.example")
        for line in ("MAIL FROM:<x@else.example> BODY=8BITMIME", f"RCPT TO:<{box.accounts[0]['address']}>", "DATA"):
            session.docmd(line)
        stuffed = b"\r\n".join(b"." + line if line.startswith(b".") else line for line in text.split(b"\r\n"))
        session.sock.sendall(stuffed + (b"" if stuffed.endswith(b"\r\n") else b"\r\n") + b".\r\n")
        return session.getreply()


def bring(assault, session, text):
    """By SMTP, or where SMTP refuses it by APPEND. Which, or why not."""
    try:
        code, said = send(assault.box, assault.address, text)
    except (smtplib.SMTPException, OSError) as error:
        code, said = 0, str(error).encode()
    if code == 250:
        return "SMTP", None
    if code // 100 not in (4, 5):
        return None, said
    status, why, _, _ = session.ask(b"APPEND Bombs {%d+}\r\n%s" % (len(text), text))
    return ("APPEND" if status == b"OK" else "refused" if status == b"NO" else None), said + b" / " + why


def read(session, number, slowest):
    """Every form of a message, by a client that believes nothing. What went wrong."""
    for form in FORMS:
        status, text, told, took = session.ask(f"FETCH {number} ({form})")
        slowest.append((took, form))
        seen = items(told, number)
        whole = len(seen) == len(form.replace(" (", "(").split(" ")) or "(" in form or "[" in form
        # What cannot be decoded is told so.
        if not (status == b"OK" and whole or status == b"NO" and "BINARY" in form):
            return f"{form}: {status} {text} {list(seen)}"
    return None


def search(session, number, slowest):
    for key in KEYS:
        charset, _, rest = key.rpartition("CHARSET UTF-8 ")
        status, text, told, took = session.ask(f"SEARCH {'CHARSET UTF-8 ' if 'CHARSET' in key else ''}{number} {rest}".encode())
        slowest.append((took, f"SEARCH {key[:20]}"))
        if status != b"OK" or len(told) != 1 or not told[0][0].startswith(b"* SEARCH"):
            return f"SEARCH {key}: {status} {text}"
    return None


def collect(box, account, wanted):
    """TOP and RETR of everything by POP3. What went wrong."""
    poplib._MAXLINE = 1 << 26
    session = poplib.POP3("127.0.0.1", box.ports["pop3"], timeout=20)
    session.user(account["address"])
    session.pass_(account["password"])
    count, _ = session.stat()
    sizes = [int(line.split()[1]) for line in session.list()[1]]
    for number, size in enumerate(sizes, 1):
        session.top(number, 3)
        lines = session.retr(number)[1]
        if sum(len(line) + 2 for line in lines) != size:
            return f"message {number}: LIST tells {size}, RETR has {sum(len(line) + 2 for line in lines)}"
    session.quit()
    return None if count == wanted else f"{count} messages for {wanted}"


def mail(assault, k):
    box, ann = assault.box, assault.box.accounts[0]
    session = Session(box.ports["imap"]).login(ann)
    session.ask("CREATE Bombs")
    session.ask("SELECT INBOX")
    count = int(next(p[0] for p in session.ask("SELECT INBOX")[2] if p[0].endswith(b"EXISTS")).split()[1])
    begun = count
    with assault.attack("messages that are made to hurt", 32):
        for name, text in bombs.all_bombs(k).items():
            slowest, wrong = [], None
            try:
                way, why = bring(assault, session, text)
                session.ask("SELECT INBOX" if way == "SMTP" else "SELECT Bombs")
                if way == "SMTP":
                    count += 1
                    _, _, told, _ = session.ask(f"FETCH {count} (BODY.PEEK[])")
                    kept = items(told, count).get(b"BODY[]", b"")
                    # In SMTP a line feed alone is a line end too.
                    if not kept.replace(b"\r\n", b"\n").rstrip(b"\n").endswith(text.replace(b"\r\n", b"\n").rstrip(b"\n")):
                        wrong = f"it is not kept as it came, but as {len(kept)} bytes for {len(text)}"
                number = count if way == "SMTP" else "*"
                if way == "APPEND":
                    number = int(next(p[0] for p in session.ask("SELECT Bombs")[2] if p[0].endswith(b"EXISTS")).split()[1])
                if way in ("SMTP", "APPEND"):
                    wrong = wrong or read(session, number, slowest) or search(session, number, slowest)
                elif way is None:
                    wrong = why
            except (Broken, OSError) as error:
                way, wrong = "?", f"{type(error).__name__} {error}"
                session = Session(box.ports["imap"]).login(ann)
            took, form = max(slowest, default=(0.0, "nothing"))
            check(f"mail: {name}, by {way}, {took * 1000:.0f} ms for {form}", wrong is None and took < 1, wrong or why)
        wrong = collect(box, ann, count)
        check("POP3 has them all", wrong is None, wrong)
        session.ask("SELECT INBOX")
        for key in KEYS[:4]:
            status, _, _, took = session.ask(f"SEARCH {key}")
            check(f"SEARCH {key} in all of them, {took:.2f} s", status == b"OK")
        session.close()
