"""What a message costs and how long things take, of a running `pillarbox try`. Postfix's smtp-source is the load.

Usage: bench.py PROGRAM [--short]
"""

import os
import pathlib
import re
import smtplib
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "clients"))
from house import Box, check, finish  # noqa: E402

SHORT = "--short" in sys.argv
RUNS = 1 if SHORT else 3
MANY = 3_000 if SHORT else 100_000
rows = []


def row(what, value, aim):
    rows.append((what, value, aim))
    print(f"  {what}: {value} (aim {aim})", flush=True)


def io(pid):
    text = pathlib.Path(f"/proc/{pid}/io").read_text()
    return int(re.search(r"^write_bytes: (\d+)", text, re.M).group(1))


def cpu(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid):
    """PSS and its anonymous part, MiB."""
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    kb = lambda name: int(re.search(rf"^{name}:\s+(\d+)", text, re.M).group(1))
    return kb("Pss") / 1024, kb("Pss_Anon") / 1024


def load(box, sessions, count, size, account=0):
    command = ["/usr/sbin/smtp-source", "-d", "-s", str(sessions), "-m", str(count), "-l", str(size),
               "-t", box.accounts[account]["address"], f"127.0.0.1:{box.ports['smtp']}"]
    began = time.monotonic()
    subprocess.run(command, check=True)
    return time.monotonic() - began


class Imap:
    """A session that waits for a tagged answer and keeps nothing."""

    def __init__(self, box, account=0):
        ann = box.accounts[account]
        self.socket = socket.create_connection(("127.0.0.1", box.ports["imap"]))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        while b"\r\n" not in self.buffer:
            self.buffer += self.socket.recv(65536)
        self.buffer = b""
        self.ask(f"LOGIN {ann['address']} {ann['password']}")

    def ask(self, command):
        """Milliseconds and bytes until the command has ended."""
        began = time.monotonic()
        self.socket.sendall(f"tag {command}\r\n".encode())
        tail, count = b"", 0
        while True:
            piece = self.socket.recv(262144)
            assert piece, "the server has closed"
            count += len(piece)
            tail = (tail + piece)[-400:]
            end = re.search(rb"(?:^|\r\n)tag (OK|NO|BAD)[^\r\n]*\r\n$", tail)
            if end:
                assert end.group(1) == b"OK", tail
                return (time.monotonic() - began) * 1000, count


def median(measure, runs=5):
    return statistics.median(measure() for _ in range(runs))


def deliveries(box):
    pid = box.process.pid
    counts = {1: 200, 10: 400, 50: 500} if SHORT else {1: 3000, 10: 6000, 50: 10000}
    for size, label, part in ((4096, "4 KiB", 1), (102400, "100 KiB", 10)):
        for sessions, count in counts.items():
            count = max(sessions, count // part)
            rates, written, used = [], [], []
            for _ in range(RUNS):
                bytes_before, cpu_before = io(pid), cpu(pid)
                rates.append(count / load(box, sessions, count, size))
                # What is written behind belongs to these messages too.
                time.sleep(6)
                written.append((io(pid) - bytes_before) / (count * size))
                used.append((cpu(pid) - cpu_before) * 1000 / count)
            aim = {(4096, 1): "≥ 800", (4096, 50): "≥ 2,000"}.get((size, sessions), "–")
            row(f"{label} messages per second, {sessions} sessions", f"{statistics.median(rates):,.0f}", aim)
            row(f"bytes written per byte received, {label}, {sessions} sessions", f"{statistics.median(written):.2f}", "≤ 2.0" if size == 4096 else "–")
            row(f"CPU a message, ms, {label}, {sessions} sessions", f"{statistics.median(used):.2f}", "≤ 1.5" if size == 4096 else "–")
    seconds = statistics.median(load(box, 1, 1, 20 << 20) for _ in range(RUNS))
    row("one message of 20 MiB, s", f"{seconds:.2f}", "–")


def syncs(program):
    """Sync calls a message, with the call log of strace."""
    for sessions, count, aim in ((1, 100, 2.0), (10, 200, 1.3)):
        with tempfile.TemporaryDirectory() as folder:
            box = Box(folder)
            load(box, 1, 1, 100)
            trace = pathlib.Path(folder) / "trace"
            tracer = subprocess.Popen(["strace", "-f", "-qq", "-e", "trace=fsync,fdatasync", "-o", str(trace), "-p", str(box.process.pid)],
                                      stderr=subprocess.DEVNULL)
            time.sleep(0.5)
            load(box, sessions, count, 4096)
            tracer.terminate()
            tracer.wait()
            calls = len(re.findall(r"f(?:data)?sync\(", trace.read_text()))
            row(f"sync calls a message, {sessions} sessions", f"{calls / count:.2f}", f"≤ {aim}")
            if sessions == 1:
                check("at most two sync calls a message", calls / count <= 2.1)
            box.stop()


def latency(box):
    session = Imap(box, 1)
    session.ask("SELECT INBOX")
    session.socket.sendall(b"x IDLE\r\n")
    session.socket.recv(1000)
    heard = []

    def listen():
        while piece := session.socket.recv(65536):
            if b"EXISTS" in piece:
                heard.append(time.monotonic())

    threading.Thread(target=listen, daemon=True).start()
    waits = []
    smtp = smtplib.SMTP("127.0.0.1", box.ports["smtp"])
    for number in range(50 if SHORT else 500):
        smtp.sendmail("x@else.example", [box.accounts[1]["address"]], f"Subject: {number}\r\n\r\nx\r\n")
        done = time.monotonic()
        while len(heard) <= number:
            time.sleep(0.0002)
        waits.append(max(0.0, (heard[number] - done) * 1000))
    waits.sort()
    p50, p99 = waits[len(waits) // 2], waits[len(waits) * 99 // 100]
    row("250 to news in IDLE, ms, p50 / p99", f"{p50:.1f} / {p99:.1f}", "< 5 p99")
    check("IDLE hears within 100 ms", p99 < 100)
    session.socket.shutdown(socket.SHUT_RDWR)


def many(folder):
    """A mailbox of very many messages, as it was left."""
    box = Box(folder)
    load(box, 50, MANY, 2048)
    # What no session has seen is \Recent, which the first SELECT must count.
    Imap(box).ask("SELECT INBOX")
    # A folder that changed within two seconds of the stop is looked at by the next start.
    time.sleep(8)
    box.stop()
    box = Box(folder)
    pid = box.process.pid
    session = Imap(box)
    cold, _ = session.ask("SELECT INBOX")
    warm = median(lambda: session.ask("SELECT INBOX")[0])
    row(f"SELECT of {MANY:,}, first after a start / again, ms", f"{cold:.1f} / {warm:.2f}", "≤ 5 / ≤ 3")
    row(f"FETCH 1:* (UID FLAGS) of {MANY:,}, ms", f"{median(lambda: session.ask('FETCH 1:* (UID FLAGS)')[0]):.0f}", "≤ 20 (FLAGS)")
    for item, aim in (("ENVELOPE", "≤ 500"), ("BODYSTRUCTURE", "≤ 400")):
        row(f"FETCH 1:* {item} of {MANY:,}, ms", f"{median(lambda: session.ask(f'FETCH 1:* {item}')[0], 3):.0f}", aim)
    row(f"SEARCH SUBJECT in {MANY:,}, ms", f"{median(lambda: session.ask('SEARCH SUBJECT nothing')[0], 3):.0f}", "≤ 30")
    signs = iter("+-" * 3)
    store = median(lambda: session.ask(f"STORE 1000:1999 {next(signs)}FLAGS.SILENT (\\Flagged)")[0])
    row("STORE of 1,000, ms", f"{store:.1f}", "≤ 5")
    copy = median(lambda: session.ask("COPY 1000:1999 Archive")[0], 3)
    row("COPY of 1,000, ms", f"{copy:.1f}", "≤ 25")
    move = median(lambda: session.ask("MOVE 1:1000 Trash")[0], 3)
    row("MOVE of 1,000, ms", f"{move:.1f}", "≤ 10")
    pss, anonymous = memory(pid)
    row("memory after that, PSS / anonymous, MiB", f"{pss:.1f} / {anonymous:.1f}", "< 40 anonymous")
    check("under 40 MB of anonymous memory", anonymous < 40)
    box.stop()


def at_rest(program):
    with tempfile.TemporaryDirectory() as folder:
        box = Box(folder)
        load(box, 1, 20, 4096)
        box.stop()
        times = []
        for _ in range(RUNS * 3):
            began = time.monotonic()
            box = Box(folder)
            with socket.create_connection(("127.0.0.1", box.ports["imap"])) as connection:
                connection.recv(100)
            times.append((time.monotonic() - began) * 1000)
            time.sleep(0.3)
            pss, anonymous = memory(box.process.pid)
            box.stop()
        row("start to banner, ms", f"{statistics.median(times):.0f}", "≤ 50")
        row("memory at rest, PSS / anonymous, MiB", f"{pss:.1f} / {anonymous:.1f}", "≤ 12")
    row("program on disk, MiB", f"{os.path.getsize(program) / (1 << 20):.1f}", "≤ 8")


def main():
    program = sys.argv[1]
    if "--many" in sys.argv:
        with tempfile.TemporaryDirectory() as folder:
            many(folder)
        finish()
    at_rest(program)
    syncs(program)
    with tempfile.TemporaryDirectory() as folder:
        box = Box(folder)
        deliveries(box)
        latency(box)
        box.stop()
    with tempfile.TemporaryDirectory() as folder:
        many(folder)
    print("\n| what | measured | aim |\n|---|---|---|")
    for what, value, aim in rows:
        print(f"| {what} | {value} | {aim} |")
    finish()


main()
