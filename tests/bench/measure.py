"""What is measured of a server, its peer's processes and all, and clients that keep nothing of what they are told."""

import os
import pathlib
import re
import socket
import ssl
import statistics
import subprocess
import tempfile
import time

CLEAR = ssl._create_unverified_context()
MIB = 1 << 20


def tree(pids):
    """These processes and all below them."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                fields = pathlib.Path(f"/proc/{entry}/stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            children.setdefault(int(fields[1]), []).append(int(entry))
    found, left = [], list(pids)
    while left:
        pid = left.pop()
        found.append(pid)
        left += children.get(pid, [])
    return found


def total(server, name, pattern):
    """The sum of a number over a server's processes. What of them ends meanwhile counts nothing."""
    found = 0
    for pid in tree(server.pids()):
        try:
            text = pathlib.Path(f"/proc/{pid}/{name}").read_text()
        except OSError:
            continue
        found += int(re.search(pattern, text, re.M).group(1))
    return found


def written(server):
    """Bytes sent to the disk. Those of processes that have ended are with the one that started them."""
    return total(server, "io", r"^write_bytes: (\d+)")


def cpu(server):
    """Seconds, those of processes that have ended too."""
    ticks = 0
    for pid in tree(server.pids()):
        try:
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        ticks += sum(int(fields[n]) for n in range(11, 15))
    return ticks / os.sysconf("SC_CLK_TCK")


def memory(server):
    """PSS and its anonymous part, MiB."""
    return tuple(total(server, "smaps_rollup", rf"^{name}:\s+(\d+)") / 1024 for name in ("Pss", "Pss_Anon"))


def syncs(server, work):
    """Sync calls while `work` is done, with the call log of strace, and what it returns."""
    with tempfile.NamedTemporaryFile() as trace:
        pids = [word for pid in tree(server.pids()) for word in ("-p", str(pid))]
        tracer = subprocess.Popen(["strace", "-f", "-qq", "-e", "trace=fsync,fdatasync,syncfs", "-o", trace.name, *pids], stderr=subprocess.DEVNULL)
        time.sleep(1)
        result = work()
        tracer.terminate()
        tracer.wait()
        return len(re.findall(r"(?:f(?:data)?sync|syncfs)\(", pathlib.Path(trace.name).read_text())), result


def drop_page_cache():
    """What has been read is on the disk only. Root alone can do it; says whether it was done."""
    os.sync()
    try:
        pathlib.Path("/proc/sys/vm/drop_caches").write_text("3")
        return True
    except OSError:
        return False


def load(server, sessions, count, size, account=0):
    """Seconds until so many messages, of Postfix's smtp-source, are in the Maildir."""
    command = ["/usr/sbin/smtp-source", "-d", "-s", str(sessions), "-m", str(count), "-l", str(size),
               "-t", server.accounts[account]["address"], f"127.0.0.1:{server.ports['smtp']}"]
    began = time.monotonic()
    subprocess.run(command, check=True)
    while server.queued():
        time.sleep(0.02)
    return time.monotonic() - began


def fill(server, count, account=0):
    """A mailbox of so many messages of 2 KiB, by IMAP."""
    session = Imap(server, account)
    for first in range(0, count, 100):
        texts = (b"From: Joe <joe@else.example>\r\nTo: ann@else.example\r\nDate: Mon, 2 Nov 2026 10:00:00 +0100\r\n"
                 b"Subject: message %d of many\r\nMessage-ID: <%d@else.example>\r\n\r\n" % (number, number) + b"x" * 1850 + b"\r\n"
                 for number in range(first, first + 100))
        session.send(b"tag APPEND INBOX" + b"".join(b" {%d+}\r\n" % len(text) + text for text in texts) + b"\r\n")
    session.close()


def median(measure, runs=5):
    return statistics.median(measure() for _ in range(runs))


class Imap:
    """A session that waits for a tagged answer and keeps nothing."""

    def __init__(self, server, account=0, tls=False):
        self.socket = socket.create_connection(("127.0.0.1", server.ports["imaps" if tls else "imap"]))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.socket = CLEAR.wrap_socket(self.socket)
        greeting = b""
        while b"\r\n" not in greeting:
            greeting += self.socket.recv(65536)
        who = server.accounts[account]
        self.ask(f"LOGIN {who['address']} {who['password']}")

    def ask(self, command):
        """Milliseconds until the command has ended."""
        return self.send(f"tag {command}\r\n".encode())

    def send(self, text):
        began = time.monotonic()
        self.socket.sendall(text)
        tail = b""
        while True:
            piece = self.socket.recv(262144)
            assert piece, "the server has closed"
            tail = (tail + piece)[-2000:]
            end = re.search(rb"(?:^|\r\n)tag (OK|NO|BAD)[^\r\n]*\r\n$", tail)
            if end:
                assert end.group(1) == b"OK", tail
                return (time.monotonic() - began) * 1000

    def idle(self):
        self.socket.sendall(b"x IDLE\r\n")
        assert self.socket.recv(1000).startswith(b"+")

    def close(self):
        self.socket.close()


class Pop:
    """Retrieves with many commands on their way at once."""

    def __init__(self, server, account=0):
        self.socket = socket.create_connection(("127.0.0.1", server.ports["pop3"]))
        self.until(1, b"\r\n")
        who = server.accounts[account]
        for line in (f"USER {who['address']}", f"PASS {who['password']}"):
            self.socket.sendall(line.encode() + b"\r\n")
            self.until(1, b"\r\n")

    def until(self, count, end):
        found, tail = 0, b""
        while found < count:
            piece = self.socket.recv(262144)
            assert piece, "the server has closed"
            found += (tail + piece).count(end)
            tail = (tail + piece)[1 - len(end):] if len(end) > 1 else b""

    def retrieve(self, count, window=100):
        """Messages per second."""
        began = time.monotonic()
        for first in range(1, count + 1, window):
            numbers = range(first, min(first + window, count + 1))
            self.socket.sendall(b"".join(b"RETR %d\r\n" % number for number in numbers))
            self.until(len(numbers), b"\r\n.\r\n")
        return count / (time.monotonic() - began)

    def close(self):
        self.socket.close()
