"""What a message costs and how long things take: of Pillarbox, and with `--peer` of Postfix and Dovecot in turn with it.
Postfix's smtp-source is the load.

Usage: bench.py PROGRAM [--short] [--peer] [--only PART]; parts: rest, syncs, delivery, idle, login, pop3, append, many, foreign,
sending.
"""

import os
import pathlib
import smtplib
import socket
import statistics
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "clients"))
from house import check, finish, within  # noqa: E402
from measure import MIB, Imap, Pop, cpu, drop_page_cache, fill, load, median, memory, syncs, written  # noqa: E402
from senders import SENDERS, Sinks, submit  # noqa: E402
from servers import Peer, Pillarbox, running, why_no_peer  # noqa: E402
from town import why_no_postfix, why_not  # noqa: E402

SHORT = "--short" in sys.argv
RUNS = 1 if SHORT else 3
MANY = 6_000 if SHORT else 100_000
# By what was measured: the aim, and a value by server.
rows = {}


def row(server, what, value, aim="–", form="{:,.1f}"):
    rows.setdefault(what, (aim, form, {}))[2][server.NAME] = value
    print(f"  {server.NAME}: {what}: {form.format(value)} (aim {aim})", flush=True)


def at_rest(make):
    with running(make) as server:
        load(server, 1, 20, 4096)
        times, used = [], []
        for _ in range(RUNS * 3):
            server.stop()
            began = time.monotonic()
            server.start()
            times.append((time.monotonic() - began) * 1000)
            time.sleep(0.3)
            used.append(memory(server))
        row(server, "start to banners of SMTP and IMAP, ms", statistics.median(times), "≤ 50", "{:,.0f}")
        row(server, "memory at rest, PSS, MiB", statistics.median(pss for pss, _ in used), "≤ 12")
        row(server, "of it anonymous, MiB", statistics.median(anonymous for _, anonymous in used))
        row(server, "programs on disk, MiB", server.bytes_on_disk() / MIB, "≤ 8")


def sync_calls(make):
    for sessions, count, aim in ((1, 100, "≤ 2"), (10, 200, "≤ 1.3")):
        with running(make) as server:
            load(server, 1, 1, 100)
            calls, _ = syncs(server, lambda: load(server, sessions, count, 4096))
            row(server, f"sync calls a message, {sessions} {'session' if sessions == 1 else 'sessions'}", calls / count, aim, "{:.2f}")
            if sessions == 1 and make is Pillarbox:
                check("at most two sync calls a message", calls / count <= 2.1)


def deliveries(make):
    counts = {1: 200, 10: 400, 50: 500} if SHORT else {1: 1000, 10: 2000, 50: 3000}
    for size, label, part in ((4096, "4 KiB", 1), (102400, "100 KiB", 5)):
        for sessions, count in counts.items():
            count = max(sessions, count // part)
            rates, bytes_written, used = [], [], []
            for _ in range(RUNS):
                # A mailbox that nobody reads makes the peer slower with each message; each run has a new one.
                with running(make) as server:
                    load(server, 1, 1, 100)
                    bytes_before, cpu_before = written(server), cpu(server)
                    rates.append(count / load(server, sessions, count, size))
                    # What is written behind belongs to these messages too.
                    time.sleep(6)
                    bytes_written.append((written(server) - bytes_before) / (count * size))
                    used.append((cpu(server) - cpu_before) * 1000 / count)
            small = size == 4096
            name = f"{label}, {sessions} {'session' if sessions == 1 else 'sessions'}"
            aim = {(4096, 1): "≥ 800", (4096, 50): "≥ 2,000"}.get((size, sessions), "–")
            row(make, f"messages per second, {name}", statistics.median(rates), aim, "{:,.0f}")
            row(make, f"bytes written per byte received, {name}", statistics.median(bytes_written), "≤ 2.0" if small else "–", "{:.2f}")
            row(make, f"CPU a message, ms, {name}", statistics.median(used), "≤ 1.5 with all judging" if small else "–", "{:.2f}")
    with running(make) as server:
        seconds = statistics.median(load(server, 1, 1, 20 * MIB) for _ in range(RUNS))
        row(server, "one message of 20 MiB, s", seconds, form="{:.2f}")


def news(server):
    """When IDLE tells of what has been answered 250."""
    session = Imap(server, 1)
    session.ask("SELECT INBOX")
    session.idle()
    heard = []

    def listen():
        while piece := session.socket.recv(65536):
            if b"EXISTS" in piece:
                heard.append(time.monotonic())

    threading.Thread(target=listen, daemon=True).start()
    waits = []
    smtp = smtplib.SMTP("127.0.0.1", server.ports["smtp"])
    for number in range(50 if SHORT else 200):
        smtp.sendmail("x@else.example", [server.accounts[1]["address"]], f"Subject: {number}\r\n\r\nx\r\n")
        done = time.monotonic()
        while len(heard) <= number:
            time.sleep(0.0002)
        waits.append(max(0.0, (heard[number] - done) * 1000))
    smtp.quit()
    waits.sort()
    row(server, "250 to news in IDLE, ms, p50", waits[len(waits) // 2])
    row(server, "250 to news in IDLE, ms, p99", waits[len(waits) * 99 // 100], "< 5")
    if isinstance(server, Pillarbox):
        check("IDLE hears within 100 ms", waits[len(waits) * 99 // 100] < 100)
    session.socket.shutdown(socket.SHUT_RDWR)


def idle(make):
    with running(make) as server:
        load(server, 1, 1, 100, 1)
        news(server)
        before, sessions = memory(server)[0], []
        for _ in range(200):
            session = Imap(server, 1, tls=True)
            session.ask("SELECT INBOX")
            session.idle()
            sessions.append(session)
        time.sleep(2)
        pss = memory(server)[0]
        row(server, "200 sessions in IDLE over TLS, PSS, MiB", pss, "≤ 25")
        row(server, "of it for one of them, KiB", (pss - before) * 1024 / 200, form="{:,.0f}")
        for session in sessions:
            session.close()


def login(make):
    count = 30 if SHORT else 300
    with running(make) as server:
        load(server, 1, 1, 100)
        used = []
        for _ in range(RUNS):
            before = cpu(server)
            for _ in range(count):
                session = Imap(server, tls=True)
                session.ask("LOGOUT")
                session.close()
            time.sleep(0.5)
            used.append((cpu(server) - before) * 1000 / count)
        row(server, "CPU of a login over TLS, ms", statistics.median(used), "≤ 1.8", "{:.2f}")


def pop3(make):
    count = 500 if SHORT else 10_000
    with running(make) as server:
        fill(server, count)
        rates = []
        for _ in range(RUNS):
            session = Pop(server)
            rates.append(session.retrieve(count))
            session.close()
        row(server, "POP3 RETR per second, 2 KiB, pipelined", statistics.median(rates), "≥ 30,000", "{:,.0f}")


def append(make):
    count = 200 if SHORT else 2_000
    text = b"From: Joe <joe@else.example>\r\nTo: ann@else.example\r\nSubject: x\r\n\r\n" + b"x" * 1980 + b"\r\n"
    with running(make) as server:
        load(server, 1, 1, 100)
        session, one_by_one, at_once = Imap(server), [], []
        for _ in range(RUNS):
            milliseconds = sum(session.send(b"tag APPEND INBOX {%d+}\r\n" % len(text) + text + b"\r\n") for _ in range(count))
            one_by_one.append(count * 1000 / milliseconds)
            many = b"tag APPEND INBOX" + (b" {%d+}\r\n" % len(text) + text) * 100 + b"\r\n"
            at_once.append(count * 1000 / sum(session.send(many) for _ in range(count // 100)))
        row(server, "APPEND one by one, 2 KiB, per second", statistics.median(one_by_one), "≥ 450", "{:,.0f}")
        row(server, "MULTIAPPEND of 100, 2 KiB, messages per second", statistics.median(at_once), "≥ 2,000", "{:,.0f}")
        session.close()


def first(server, command):
    """Milliseconds of a command after a start, with the page cache dropped."""
    server.stop()
    drop_page_cache()
    server.start()
    session = Imap(server)
    session.ask("SELECT INBOX")
    return session, session.ask(command)


def many(make):
    """A mailbox of very many messages, as it was left."""
    with running(make) as server:
        fill(server, MANY)
        # What no session has seen is \Recent, which the first SELECT must count.
        Imap(server).ask("SELECT INBOX")
        # A folder that changed within two seconds of the stop is looked at by the next start.
        time.sleep(8)
        server.stop()
        server.start()
        session = Imap(server)
        row(server, f"SELECT of {MANY:,}, first after a start, ms", session.ask("SELECT INBOX"), "≤ 5")
        row(server, f"SELECT of {MANY:,}, again, ms", median(lambda: session.ask("SELECT INBOX")), "≤ 3", "{:.2f}")
        row(server, f"FETCH 1:* (UID FLAGS) of {MANY:,}, ms", median(lambda: session.ask("FETCH 1:* (UID FLAGS)")), "≤ 20 (FLAGS)", "{:,.0f}")
        for item, aims in (("ENVELOPE", ("≤ 500", "≤ 500")), ("BODYSTRUCTURE", ("–", "≤ 400"))):
            session, milliseconds = first(server, f"FETCH 1:* {item}")
            row(server, f"FETCH 1:* {item} of {MANY:,}, first time, ms", milliseconds, aims[0], "{:,.0f}")
            warm = median(lambda: session.ask(f"FETCH 1:* {item}"), 3)
            row(server, f"FETCH 1:* {item} of {MANY:,}, again, ms", warm, aims[1], "{:,.0f}")
        changes(server, session)
        pss, anonymous = memory(server)
        row(server, "memory after all that, PSS, MiB", pss)
        row(server, "of it anonymous after all that, MiB", anonymous, "< 40")
        if make is Pillarbox:
            check("under 40 MB of anonymous memory", anonymous < 40)
        session.ask("STORE 1 +FLAGS (\\Flagged)")
        server.kill()
        server.start()
        row(server, f"SELECT of {MANY:,} after a kill, ms", Imap(server).ask("SELECT INBOX"), "≤ 500", "{:,.0f}")
        server.stop()
        server.lose_index(0)
        server.start()
        session = Imap(server)
        row(server, f"SELECT of {MANY:,} after the index was lost, ms", session.ask("SELECT INBOX"), form="{:,.0f}")


def changes(server, session):
    row(server, f"SEARCH SUBJECT in {MANY:,}, ms", median(lambda: session.ask("SEARCH SUBJECT nothing"), 3), "≤ 30", "{:,.0f}")
    before = written(server)
    session.ask("STORE 7 +FLAGS (\\Flagged)")
    time.sleep(6)
    row(server, "one STORE, KiB written", (written(server) - before) / 1024, "≤ 17")
    signs = iter("+-" * 3)
    store = median(lambda: session.ask(f"STORE 1000:1999 {next(signs)}FLAGS.SILENT (\\Flagged)"))
    row(server, "STORE of 1,000, ms", store, "≤ 5")
    row(server, "COPY of 1,000, ms", median(lambda: session.ask("COPY 1000:1999 Archive"), 3), "≤ 25")
    row(server, "MOVE of 1,000, ms", median(lambda: session.ask("MOVE 1:1000 Trash"), 3), "≤ 10")
    expunges = []
    for _ in range(2 if SHORT else 3):
        session.ask("STORE 1:1000 +FLAGS.SILENT (\\Deleted)")
        expunges.append(session.ask("EXPUNGE"))
    row(server, "EXPUNGE of 1,000, ms", statistics.median(expunges), "≤ 5")


def foreign(make):
    """A Maildir that another program has left: names that say nothing, LF at line ends."""
    with running(make) as server:
        load(server, 1, 1, 100)
        owner = server.maildir(0).stat()
        server.stop()
        maildir = server.maildir(0) / "cur"
        for number in range(MANY):
            path = maildir / f"{1700000000 + number}.{number}.elsewhere:2,S"
            path.write_text(f"From: Joe <joe@else.example>\nTo: ann@else.example\nSubject: message {number}\nMessage-ID: <{number}@else.example>\n\n{'x' * 1900}\n")
            if owner.st_uid:
                # The peer's mail is not root's.
                os.chown(path, owner.st_uid, owner.st_gid)
        drop_page_cache()
        server.start()
        began = time.monotonic()
        session = Imap(server)
        session.ask("SELECT INBOX")
        row(server, f"first opening of a foreign Maildir of {MANY:,}, ms", (time.monotonic() - began) * 1000, form="{:,.0f}")
        row(server, f"FETCH 1:* ENVELOPE of it, first time, ms", session.ask("FETCH 1:* ENVELOPE"), form="{:,.0f}")


def through(server, count, domains):
    """Seconds from the first submission to the last arrival."""
    sinks = Sinks(domains)
    began = submit(server, count, domains)
    return until_all(server, sinks, count) - began


def drain(server, count, domains):
    """Seconds from the word to go until all has arrived that nobody took before."""
    submit(server, count, domains)
    assert within(120, lambda: server.waiting() == count), server.waiting()
    sinks = Sinks(domains)
    began = time.monotonic()
    server.go()
    return until_all(server, sinks, count) - began


def until_all(server, sinks, count):
    """When all has arrived, which is once each, or the figures are worth nothing."""
    try:
        last = sinks.wait(count)
        once = within(30, server.empty) and sum(sinks.counts) == count
        check(f"{count} messages to {len(sinks.counts)} domains arrive once each", once, sinks.counts)
        return last
    finally:
        sinks.stop()


# What a run of `handed_on` finds, with aims and forms.
HANDED_ON = [("messages per second taken and handed on", "≥ peer", "{:,.0f}"), ("messages per second from the queue", "≥ peer", "{:,.0f}"),
             ("KiB written a message handed on", "≤ peer", "{:,.1f}"), ("CPU a message handed on, ms", "≤ peer", "{:.2f}")]


def handed_on(make, count, domains):
    with running(SENDERS[make]) as server:
        through(server, 20, domains)
        bytes_before, cpu_before = written(server), cpu(server)
        both = count / through(server, count, domains)
        # What is written behind belongs to these messages too.
        time.sleep(1 if SHORT else 6)
        bytes_written, used = written(server) - bytes_before, cpu(server) - cpu_before
        return both, count / drain(server, count, domains), bytes_written / 1024 / count, used * 1000 / count


def sending(makes):
    """The servers by turns, since rates on a shared machine change from minute to minute."""
    if reason := why_not() or why_no_postfix():
        print(f"skipped: sending: {reason}")
        return
    count = 100 if SHORT else 1000
    for domains in (1, 20):
        to = f"4 KiB, to {domains} {'domain' if domains == 1 else 'domains'}"
        runs = [[handed_on(make, count, domains) for make in makes] for _ in range(RUNS)]
        for make, found in zip(makes, zip(*runs)):
            for (what, aim, form), values in zip(HANDED_ON, zip(*found)):
                row(make, f"{what}, {to}", statistics.median(values), aim, form)
        for make in makes:
            with running(SENDERS[make]) as server:
                through(server, 20, domains)
                calls, _ = syncs(server, lambda: through(server, count, domains))
            row(make, f"sync calls a message handed on, {to}", calls / count, "≤ peer", "{:.2f}")
            if make is Pillarbox:
                check("at most three sync calls a message that is handed on", calls / count <= 3.1)


PARTS = {"rest": at_rest, "syncs": sync_calls, "delivery": deliveries, "idle": idle, "login": login, "pop3": pop3, "append": append,
         "many": many, "foreign": foreign}
# Those that measure all servers at once.
BY_TURNS = {"sending": sending}
# Those that hold something on any machine.
CHECKED = ["rest", "syncs", "idle", "many", "sending"]


def ratio(what, values):
    """How many times better, or worse, than the peer."""
    ours, theirs = values.get(Pillarbox.NAME), values.get(Peer.NAME)
    if not ours or not theirs:
        return "–"
    times = ours / theirs if "per second" in what else theirs / ours
    return f"{times:,.0f}" if times >= 100 else f"{times:.2g}"


def main():
    servers = [Pillarbox]
    if "--peer" in sys.argv:
        if reason := why_no_peer():
            sys.exit(f"no peer: {reason}")
        servers.append(Peer)
    only = sys.argv[sys.argv.index("--only") + 1].split(",") if "--only" in sys.argv else (CHECKED if SHORT else [*PARTS, *BY_TURNS])
    for name in only:
        print(f"== {name}", flush=True)
        if name in BY_TURNS:
            BY_TURNS[name](servers)
            continue
        for make in servers:
            PARTS[name](make)
    names = [make.NAME for make in servers]
    head = ["what", *names, *(["times better"] if len(names) > 1 else []), "aim"]
    print("\n| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for what, (aim, form, values) in rows.items():
        cells = [what, *(form.format(values[name]) if name in values else "–" for name in names)]
        cells += [ratio(what, values)] if len(names) > 1 else []
        print("| " + " | ".join([*cells, aim]) + " |")
    finish()


main()
