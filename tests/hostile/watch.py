"""Another household member while the server is under attack: a process of its own that reads mail by IMAP every 20 ms, has
a message delivered now and then, notes how long each answer took, and how much memory the server has."""

import json
import pathlib
import re
import smtplib
import socket
import ssl
import statistics
import subprocess
import sys
import threading
import time

MIB = 1 << 20


def status(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return {name: int(re.search(rf"^{name}:\s+(\d+)", text, re.M).group(1)) / 1024 for name in ("VmHWM", "VmRSS", "RssAnon")}


def smaps(pid):
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Pss_Anon:\s+(\d+)", text, re.M).group(1)) / 1024


def percentile(values, part):
    return sorted(values)[min(len(values) - 1, int(len(values) * part))] if values else 0.0


class Watch:
    """What the attacker sees of it."""

    def __init__(self, box, person=None):
        bob = person or box.accounts[1]
        words = {"imaps": box.ports["imaps"], "smtp": box.ports["smtp"], "pid": box.process.pid, **bob}
        self.process = subprocess.Popen([sys.executable, __file__, json.dumps(words)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.process.stdout.readline()

    def lap(self):
        """What has happened since the last lap, and a new one begins."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def stop(self):
        self.process.stdin.close()
        self.process.wait(timeout=20)


class Reader:
    """Times answers of IMAP."""

    def __init__(self, words):
        connection = socket.create_connection(("127.0.0.1", words["imaps"]), 30)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = ssl._create_unverified_context().wrap_socket(connection)
        self.lines = self.socket.makefile("rb")
        self.lines.readline()
        self.took, self.went_wrong = [], None
        for command in (f"LOGIN {words['address']} {words['password']}", "SELECT INBOX"):
            self.ask(command)

    def ask(self, command):
        began = time.monotonic()
        self.socket.sendall(f"x {command}\r\n".encode())
        while not (line := self.lines.readline()).startswith(b"x "):
            if not line:
                raise OSError("closed")
        if not line.startswith(b"x OK "):
            raise OSError(line.decode())
        return time.monotonic() - began

    def run(self):
        commands = ["NOOP", "FETCH 1:5 (FLAGS ENVELOPE)", "STATUS Archive (MESSAGES UNSEEN)", "FETCH 2 (BODY.PEEK[])"]
        try:
            for turn in range(1 << 40):
                self.took.append(self.ask(commands[turn % len(commands)]) * 1000)
                time.sleep(0.02)
        except OSError as error:
            self.went_wrong = str(error)


class Writer:
    """Times replies of SMTP, each of a new connection."""

    def __init__(self, words):
        self.words, self.took, self.went_wrong = words, [], None

    def deliver(self):
        began = time.monotonic()

        def lap(_):
            nonlocal began
            self.took.append((time.monotonic() - began) * 1000)
            began = time.monotonic()

        with smtplib.SMTP("127.0.0.1", self.words["smtp"], timeout=30) as session:
            lap(None)
            lap(session.ehlo("c.example"))
            lap(session.mail("x@else.example"))
            lap(session.rcpt(self.words["address"]))
            code, text = session.data(b"Subject: meanwhile\r\n\r\nx\r\n")
            lap(None)
            if code != 250:
                raise OSError(f"{code} {text}")

    def run(self):
        try:
            while True:
                self.deliver()
                time.sleep(0.3)
        except (OSError, smtplib.SMTPException) as error:
            self.went_wrong = str(error)


class Memory:
    """MiB. The kernel keeps the peak; samples tell how much of it is not a file that is mapped."""

    def __init__(self, pid):
        self.pid = pid
        self.begin()

    def begin(self):
        try:
            pathlib.Path(f"/proc/{self.pid}/clear_refs").write_text("5")
        except (OSError, AttributeError):
            # A process that has ended has no memory.
            pass
        self.before = status(self.pid)
        self.peak = self.before["RssAnon"]

    def sample(self):
        self.peak = max(self.peak, status(self.pid)["RssAnon"])

    def end(self):
        now, before = status(self.pid), self.before
        files = lambda at: at["VmRSS"] - at["RssAnon"]
        by_kernel = now["VmHWM"] - before["VmRSS"] - max(0.0, files(now) - files(before))
        grown = max(self.peak - before["RssAnon"], by_kernel)
        left = now["RssAnon"]
        self.begin()
        return {"grown": grown, "left": left, "pss": smaps(self.pid)}

    def run(self):
        try:
            while True:
                self.sample()
                time.sleep(0.005)
        except (OSError, AttributeError):
            # A process that has ended has no memory.
            pass


def main():
    words = json.loads(sys.argv[1])
    writer = Writer(words)
    for _ in range(5):
        writer.deliver()
    reader, memory = Reader(words), Memory(words["pid"])
    for part in (reader, writer, memory):
        threading.Thread(target=part.run, daemon=True).start()
    print("ready", flush=True)
    for _ in sys.stdin:
        (imap, reader.took), (smtp, writer.took) = (reader.took, []), (writer.took, [])
        answers = {name: {"count": len(took), "median": statistics.median(took) if took else 0.0, "late": percentile(took, 0.95), "worst": max(took, default=0.0)}
                   for name, took in (("imap", imap), ("smtp", smtp))}
        print(json.dumps({**answers, **memory.end(), "wrong": reader.went_wrong or writer.went_wrong}), flush=True)


if __name__ == "__main__":
    main()
