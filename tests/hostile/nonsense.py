"""Attacks by words: IMAP commands that are long, deep, unending or absurd. Each is answered at once, or ends the session."""

import contextlib
import time

from house import check
from strict import Broken, Session


def small_mailbox(box, count=2000):
    session = Session(box.ports["imap"]).login(box.accounts[0])
    session.ask("CREATE Small")
    text = b"From: joe@else.example\r\nSubject: small\r\n\r\nx\r\n"
    message = b"{%d+}\r\n%s" % (len(text), text)
    for _ in range(count // 100):
        session.ask(b"APPEND Small " + b" ".join([message] * 100))
    check("a mailbox of many small messages", session.ask("SELECT Small")[2] and session.ask(f"FETCH {count} (FLAGS)")[0] == b"OK")
    session.close()


def every_second(last):
    return ",".join(str(n) for n in range(1, last, 2))


def commands():
    """What is asked, and what may be answered."""
    fine, refused, either = {b"OK"}, {b"BAD", b"NO", b"BYE"}, {b"OK", b"NO", b"BAD", b"BYE"}
    room = 65_000
    sets = [every_second(13_000)[:room].rstrip(","), ",".join(["1:*"] * (room // 4)), ",".join(["*:1"] * (room // 4)), ",".join(["4294967295"] * (room // 11)),
            ",".join(f"{n}:{n}" for n in range(4_294_960_000, 4_294_962_900))]
    yield "64 KB of SEARCH", "SEARCH " + "UNSEEN " * (room // 7) + "ALL", either
    yield "64 KB of SEARCH for texts", "SEARCH 1:20 " + "TEXT x " * (room // 8) + "ALL", either
    yield "64 KB of SEARCH for headers", "SEARCH " + "HEADER a b " * (room // 11) + "ALL", either
    yield "64 KB of SEARCH for words", "SEARCH NOT TEXT " + "x" * room, either
    yield "OR in OR, 1,000 deep", "SEARCH " + "OR SEEN " * 1000 + "ALL", either
    yield "OR in OR, 1,000 deep on the left", "SEARCH " + "OR " * 1000 + "ALL" + " SEEN" * 1000, either
    yield "OR in OR, 90 deep", "SEARCH " + "OR SEEN " * 90 + "ALL", fine
    yield "NOT in NOT, 10,000 deep", "SEARCH " + "NOT " * 10_000 + "ALL", refused
    yield "parentheses, 10,000 deep", "SEARCH " + "(" * 10_000 + "ALL" + ")" * 10_000, refused
    yield "parentheses that do not close", "SEARCH " + "(" * 60_000, refused
    yield "parentheses in FETCH", "FETCH 1 " + "(" * 30_000 + "FLAGS" + ")" * 30_000, refused
    yield "parentheses in LIST", "LIST (" * 10_000, refused
    yield "parentheses in STORE", "STORE 1 FLAGS " + "(" * 30_000 + ")" * 30_000, refused
    for number, one in enumerate(sets):
        for command in (f"FETCH {one} (UID)", f"UID FETCH {one} (UID)", f"UID SEARCH {one}", f"UID SEARCH UID {one}", f"SEARCH NOT {one}", f"UID STORE {one} +FLAGS.SILENT ($x)",
                        f"STORE {one} -FLAGS.SILENT ($x)", f"UID EXPUNGE {one}", f"UID COPY {one} Nowhere", f"FETCH {one} (FLAGS) (CHANGEDSINCE 999999)"):
            yield f"set {number} in {command[:12]}", command, either
    yield "a set of 200,000 elements", "FETCH " + every_second(400_000) + " (FLAGS)", refused
    yield "sets in each other", "SEARCH " + "OR 1:* " * 90 + "NOT 1:*", fine
    yield "numbers that are too large", "FETCH 99999999999999999999 (FLAGS)", refused
    yield "the set of nothing", "FETCH , (FLAGS)", refused
    yield "thousands of items", "FETCH 1:3 (" + " ".join(["FLAGS"] * 10_000) + ")", either
    yield "thousands of sections", "FETCH 1:3 (" + " ".join(f"BODY.PEEK[{n}]" for n in range(1, 4000)) + ")", either
    yield "a section that is deep", "FETCH 1 BODY.PEEK[" + "1." * 30_000 + "1]", refused
    yield "a section of thousands of fields", "FETCH 1 BODY.PEEK[HEADER.FIELDS (" + "a " * 30_000 + "b)]", either
    yield "a range that is absurd", "FETCH 1 BODY.PEEK[]<4294967295.4294967295>", fine
    yield "a range that is more so", "FETCH 1 BODY.PEEK[]<99999999999999999999.0>", refused
    yield "thousands of flags", "STORE 1 +FLAGS.SILENT (" + " ".join(f"k{n}" for n in range(9000)) + ")", refused
    yield "a keyword of 60 KB", "STORE 1 +FLAGS.SILENT (" + "k" * 60_000 + ")", refused
    yield "a mailbox name of 60 KB", "CREATE " + "m" * 60_000, refused
    yield "a mailbox 10,000 deep", "CREATE " + "a/" * 10_000 + "b", refused
    yield "LIST with wildcards", 'LIST "" "' + "*%" * 30_000 + 'x"', either
    yield "LIST with a thousand wildcards", 'LIST "" "' + "*a" * 500 + '"', either
    yield "LIST of thousands of patterns", 'LIST "" (' + "* " * 30_000 + "%)", either
    yield "thousands of words of STATUS", "STATUS INBOX (" + "MESSAGES " * 7000 + "UNSEEN)", either
    yield "ID of thousands of pairs", "ID (" + '"a" "b" ' * 7000 + ")", refused
    yield "ENABLE of thousands of words", "ENABLE" + " X" * 30_000, either
    yield "QRESYNC with long sets", f"SELECT Small (QRESYNC (1 1 {sets[0][:30_000].rstrip(',')} ({sets[1][:15_000].rstrip(',:1')}1 1)))", either
    yield "and back", "SELECT Small", fine
    yield "SORT that is not there", "SORT (" + "REVERSE " * 8000 + "DATE) UTF-8 ALL", either
    yield "a tag of 60 KB", b"a" * 60_000 + b" NOOP", either


def words(assault):
    box, ann = assault.box, assault.box.accounts[0]
    slowest = (0.0, "")
    with assault.attack("long, deep and absurd commands", 16):
        session = Session(box.ports["imap"], assault.address).login(ann)
        session.ask("SELECT Small")
        for name, command, allowed in commands():
            try:
                status, text, _, took = session.ask(command)
            except TimeoutError:
                status, text, took = b"nothing", b"", 10.0
            except (Broken, ConnectionError) as error:
                status, text, took = b"BYE", str(error).encode(), 0.0
            slowest = max(slowest, (took, name))
            if status not in allowed or took >= 1:
                check(f"{name}: answered {status} {text[:80]} in {took:.2f} s", False)
            # A new session where this one has ended, and where too many in a row were not understood.
            if status in (b"BYE", b"BAD", b"nothing"):
                session.close()
                session = Session(box.ports["imap"], assault.address).login(ann)
                session.ask("SELECT Small")
        session.close()
        check(f"every absurd command is answered, the slowest in {slowest[0]:.2f} s ({slowest[1]})", slowest[0] < 1)


def long_work(assault, seconds):
    """More sessions than the server has threads for reading, each with a search that takes it long."""
    box, ann = assault.box, assault.box.accounts[0]
    with assault.attack("searches that take very long", 24), contextlib.ExitStack() as stack:
        for number in range(12):
            session = Session(box.ports["imap"], assault.address)
            stack.callback(session.close)
            session.login(ann).ask("SELECT " + ("Small", "Big")[number % 2])
            session.socket.sendall(b"a SEARCH " + b"TEXT x " * 9000 + b"ALL\r\n" if number % 3 else b"a SEARCH " + b"BODY zzzz" + b" NOT BODY zzzz" * 4000 + b"\r\n")
        time.sleep(seconds + 2)


def beginnings(assault):
    """What is begun and not ended, before login and after."""
    box, ann = assault.box, assault.box.accounts[0]
    with assault.attack("absurd literals and lines without end", 16), contextlib.ExitStack() as stack:
        def session(known):
            one = Session(box.ports["imap"], assault.address)
            stack.callback(one.close)
            return one.login(ann) if known else one

        for size in (4_294_967_295, 10**20 - 1, 10**100, 1 << 40, 65_536_000):
            for plus in ("", "+"):
                for known, command in ((False, "LOGIN"), (True, "SELECT"), (True, "SEARCH TEXT"), (True, "APPEND Drafts"), (True, "ID ("), (True, "AUTHENTICATE PLAIN")):
                    one = session(known)
                    status = one.ask(f"{command} {{{size}{plus}}}")[0]
                    if status not in (b"BAD", b"NO", b"BYE"):
                        check(f"{command} {{{size}{plus}}} is refused", False, status)
        many = session(False)
        many.socket.sendall(b"x LOGIN" + b" {1+}\r\na" * 20_000 + b"\r\n")
        check("literals without end end in BAD or BYE", many.outcome(b"x")[0] in (b"BAD", b"BYE"))
        for known in (False, True):
            one = session(known)
            with contextlib.suppress(OSError):
                for _ in range(200):
                    one.socket.sendall(b"x" * 65_536)
            with contextlib.suppress(OSError):
                one.socket.sendall(b"\r\nz NOOP\r\n")
            try:
                while not (line := one.line()).startswith((b"z OK", b"* BYE")):
                    pass
            except TimeoutError:
                line = b"nothing"
            except (Broken, ConnectionError):
                line = b"closed"
            check(f"a line of 12 MB, {'logged in' if known else 'a stranger'}: {line[:40].decode()}", line != b"nothing")
            waiting = session(known)
            waiting.socket.sendall(b"a SEARCH OR (TEXT {5}\r\n")
            tags = session(known)
            tags.socket.sendall(b"".join(b"%d\r\n%d NOOP\r\n" % (n, n) for n in range(20_000)))
            time.sleep(0.1)
        check("what is begun and not ended harms nobody", session(True).ask("NOOP")[0] == b"OK")
