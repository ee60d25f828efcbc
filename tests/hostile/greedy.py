"""Attacks by asking: who asks for everything and reads nothing, who sends what grows when it is inflated, and who sends
without end."""

import base64
import contextlib
import os
import select
import smtplib
import socket
import threading
import time
import zlib

from house import check
from strict import Session

BIG = 10 << 20


def big_mailbox(box):
    """200 MB of mail in a folder: one message, and copies of it."""
    session = Session(box.ports["imap"]).login(box.accounts[0])
    body = base64.encodebytes(os.urandom(BIG * 3 // 4)).replace(b"\n", b"\r\n")
    message = b"From: joe@else.example\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\nSubject: big\r\n\r\n" + body
    session.ask("CREATE Big")
    taken = session.ask(b"APPEND Big {%d+}\r\n%s" % (len(message), message))[0]
    session.ask("SELECT Big")
    copied = [session.ask("COPY 1 Big")[0] for _ in range(19)]
    check("20 messages of 10 MB", {taken, *copied} == {b"OK"})
    session.close()


def has_answered(connections):
    """Was there something to read, so that the attack was one?"""
    return all(select.select([one], [], [], 5)[0] and one.recv(1 << 16) for one in connections)


def shove(connection, data, seconds):
    """Sends again and again and reads nothing, until nothing more is taken for a second or so long. How much was taken."""
    connection.setblocking(False)
    sent, limit, last = 0, time.monotonic() + seconds, time.monotonic()
    while time.monotonic() < min(limit, last + 1):
        try:
            sent += connection.send(data)
            last = time.monotonic()
        except (BlockingIOError, InterruptedError):
            select.select([], [connection], [], 0.1)
        except (ConnectionError, OSError):
            break
    return sent


def at_once(works):
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def never_reads(assault, seconds):
    box, ann = assault.box, assault.box.accounts[0]
    with assault.attack("IMAP: all mail again and again, unread", 16), contextlib.ExitStack() as stack:
        sessions = []
        for number in range(12):
            session = Session(box.ports["imap"], assault.address)
            stack.callback(session.close)
            session.login(ann).ask("EXAMINE Big")
            sessions.append(session)
        items = ["BODY.PEEK[]", "BINARY.PEEK[1]", "BODY.PEEK[1]", "BODY.PEEK[TEXT]"]
        fetch = [b"".join(b"%d FETCH 1:* (%s)\r\n" % (n, items[at % 4].encode()) for n in range(100)) for at in range(12)]
        at_once([lambda s=s, f=f: shove(s.socket, f, 2) for s, f in zip(sessions, fetch)])
        time.sleep(seconds)
        check("IMAP has begun to answer each", has_answered([session.socket for session in sessions]))
    session = Session(box.ports["imap"]).login(ann)
    for command in ("SELECT Big", "COPY 1:2 INBOX", "SELECT INBOX"):
        session.ask(command)
    with assault.attack("POP3: all mail again and again, unread", 16), contextlib.ExitStack() as stack:
        pops = []
        for _ in range(8):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", box.ports["pop3"]), 10, (assault.address, 0)))
            lines = connection.makefile("rb")
            connection.sendall(f"USER {ann['address']}\r\nPASS {ann['password']}\r\n".encode())
            said = [lines.readline()[:3] for _ in range(3)]
            if said != [b"+OK"] * 3:
                check("POP3 lets everybody in", False, said)
            pops.append(connection)
        at_once([lambda c=c: shove(c, b"RETR 1\r\nTOP 2 9999999\r\n" * 100, 2) for c in pops])
        time.sleep(seconds)
        check("POP3 has begun to answer each", has_answered(pops))
    for command in ("STORE 1:* +FLAGS.SILENT (\\Deleted)", "EXPUNGE"):
        session.ask(command)
    session.close()


def pipelines(assault, seconds):
    """Commands without end whose answers nobody reads: at some point nothing more is taken."""
    ports = assault.box.ports
    kinds = [("smtp", b"EHLO c.example\r\n" * 500), ("smtp", b"NOOP\r\n" * 1000), ("imap", b"a CAPABILITY\r\n" * 500),
             ("imap", b"a NOOP\r\n" * 1000), ("pop3", b"CAPA\r\n" * 1000), ("lmtp", b"LHLO c.example\r\n" * 500)]
    with assault.attack("commands without end, unread", 16), contextlib.ExitStack() as stack:
        connections = [(stack.enter_context(socket.create_connection(("127.0.0.1", ports[port]), 10, (assault.address, 0))), data) for port, data in kinds]
        sent = [0] * len(kinds)

        def work(at):
            sent[at] = shove(*connections[at], 4)
        at_once([lambda at=at: work(at) for at in range(len(kinds))])
        check(f"of commands whose answers are not read at most {max(sent) >> 20} MiB are taken", max(sent) < 32 << 20, sent)
        time.sleep(seconds)


def pipelines_read(assault, seconds):
    """The same, but the answers are read as fast as they come: such a client must not have the server for itself."""
    ports = assault.box.ports
    kinds = [("smtp", b"NOOP\r\n" * 3000), ("imap", b"a NOOP\r\n" * 3000), ("pop3", b"NOOP\r\n" * 10), ("lmtp", b"RSET\r\n" * 3000)]
    with assault.attack("commands without end, answers read", 16):
        def work(port, data):
            with socket.create_connection(("127.0.0.1", ports[port]), 10, (assault.address, 0)) as connection:
                connection.setblocking(False)
                limit = time.monotonic() + seconds
                while time.monotonic() < limit:
                    readable, writable, _ = select.select([connection], [connection], [], 0.1)
                    try:
                        if readable and not connection.recv(1 << 20):
                            return
                        if writable:
                            connection.send(data)
                    except (BlockingIOError, ConnectionError):
                        pass
        at_once([lambda kind=kind: work(*kind) for kind in kinds])


def floods(assault, seconds):
    """Lines and messages without end, as fast as they are taken."""
    box, ann = assault.box, assault.box.accounts[0]
    hello = f"EHLO c.example\r\nMAIL FROM:<x@else.example>\r\nRCPT TO:<{ann['address']}>\r\n".encode()
    kinds = [("imap", b""), ("smtp", b""), ("pop3", b""), ("lmtp", b""), ("smtp", hello + b"DATA\r\n"), ("smtp", hello + b"BDAT 4294967295\r\n")]
    with assault.attack("lines and messages without end", 16):
        def work(port, begin):
            with socket.create_connection(("127.0.0.1", box.ports[port]), 10, (assault.address, 0)) as connection:
                connection.sendall(begin)
                shove(connection, b"x" * 65536, seconds)
        at_once([lambda kind=kind: work(*kind) for kind in kinds])


def bomb(size, line_end=b""):
    """Blanks, deflated to a thousandth."""
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    blanks = b" " * (1 << 20)
    whole = [deflater.compress(blanks) for _ in range(size >> 20)]
    return b"".join(whole) + deflater.compress(line_end) + deflater.flush(zlib.Z_SYNC_FLUSH)


def compressed(assault, port="imap"):
    session = Session(assault.box.ports[port], assault.address, tls=port == "imaps").login(assault.box.accounts[0])
    assert session.ask("COMPRESS DEFLATE")[0] == b"OK"
    return session


def deflated(data, flush=zlib.Z_SYNC_FLUSH):
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    return deflater.compress(data) + deflater.flush(flush)


def heard(session, end, seconds=20):
    """What comes, inflated, until this is in it or the server closes."""
    inflater, said = zlib.decompressobj(-15), b""
    session.socket.settimeout(seconds)
    try:
        while end not in said and (piece := session.socket.recv(65536)):
            said += inflater.decompress(piece)
    except ConnectionError:
        pass
    return said


def deflate(assault, seconds, bomb_size):
    line, literal = bomb(bomb_size, b"\r\nz NOOP\r\n"), bomb(bomb_size)
    with assault.attack(f"COMPRESS: {bomb_size >> 20} MB of blanks in one line", 16), contextlib.ExitStack() as stack:
        sessions = [compressed(assault) for _ in range(4)]
        for session in sessions:
            stack.callback(session.close)
        said = []

        def work(session):
            with contextlib.suppress(OSError):
                session.socket.sendall(line)
            said.append(heard(session, b"z OK"))
        at_once([lambda s=s: work(s) for s in sessions])
        check("an endless line is told off, and the session goes on or ends", all(b"BAD" in one and (b"z OK" in one or b"BYE" in one) for one in said), [one[-200:] for one in said])
    with assault.attack("COMPRESS: a bomb as a message", 16):
        session = compressed(assault)
        session.socket.sendall(deflated(b"a APPEND Drafts {4294967295+}\r\n") + literal)
        said = heard(session, b"\r\n")
        check("a bomb that is too large a message is refused", b"TOOBIG" in said or b"BYE" in said, said[:200])
        session.close()
        session = compressed(assault)
        session.socket.sendall(deflated(b"a APPEND Drafts {50000000+}\r\n"))
        session.socket.sendall(bomb(47 << 20))
        session.socket.sendall(deflated(b" " * (50000000 - (47 << 20)) + b"\r\n"))
        check("a message that is no larger than a message may be is taken", b"a OK" in heard(session, b"\r\n"))
        session.close()
    with assault.attack("COMPRESS: all mail, unread", 16), contextlib.ExitStack() as stack:
        sessions = [compressed(assault, port) for port in ("imap", "imap", "imap", "imaps")]
        for session in sessions:
            stack.callback(session.close)
            session.socket.sendall(deflated(b"a EXAMINE Big\r\n" + b"b FETCH 1:* (BODY.PEEK[])\r\n" * 1000))
        time.sleep(seconds + 1)
        check("each has begun to be answered", has_answered([session.socket for session in sessions]))
    with assault.attack("COMPRESS: all mail, read at once", 16):
        def swallow(port):
            session = compressed(assault, port)
            session.socket.sendall(deflated(b"a EXAMINE Big\r\n" + b"b FETCH 1:* (BODY.PEEK[])\r\n" * 1000))
            limit = time.monotonic() + seconds + 1
            while time.monotonic() < limit and session.socket.recv(1 << 20):
                pass
            session.close()
        at_once([lambda port=port: swallow(port) for port in ("imap", "imap", "imap", "imaps")])
    with assault.attack("COMPRESS: a flush after each byte", 16):
        session = compressed(assault)
        deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
        command = b"a EXAMINE Big\r\nb FETCH 1:3 (FLAGS)\r\n" + b"c NOOP\r\n" * 200 + b"d NOOP\r\n"
        for at in range(len(command)):
            session.socket.sendall(deflater.compress(command[at:at + 1]) + deflater.flush(zlib.Z_SYNC_FLUSH))
        said = heard(session, b"d OK")
        check("a flush after each byte just works", b"b OK" in said and said.count(b"\r\nc OK") == 200 and b"d OK" in said, said[-200:])
        session.close()
        for noise in (b"\xff" * 4096, deflated(b"a NOOP\r\n", zlib.Z_FINISH) + b"more", os.urandom(65536)):
            session = compressed(assault)
            with contextlib.suppress(OSError):
                session.socket.sendall(noise)
                session.socket.shutdown(socket.SHUT_WR)
            heard(session, b"\0nothing")
            session.close()
        check("what is not deflated ends the session", True)
