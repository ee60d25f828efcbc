"""Servers that send: Pillarbox by its settings, and Postfix from Debian with its defaults. Their mail goes to Postfix's
smtp-sink, one for each domain, by the names that Knot gives."""

import atexit
import os
import pathlib
import re
import smtplib
import socket
import subprocess
import threading
import time

from house import free_ports, within
from postfix import Postfix
from servers import Peer, Pillarbox, wait_for
from town import Dns, Home

DOMAINS_MAX = 20
# Postfix takes 127.0.0.1 for itself.
HOME = "127.0.0.2"
SINK = "127.0.1.{}"
RECORDS = f"home MX 10 mail.home\nmail.home A {HOME}\n" + "".join(
    f"d{n} MX 10 mx.d{n}\nmx.d{n} A {SINK.format(n + 1)}\n" for n in range(DOMAINS_MAX))
HEADER = (b"From: Ann <ann@home.test>\r\nTo: someone@else.test\r\nSubject: x\r\nDate: Mon, 2 Nov 2026 10:00:00 +0100\r\n"
          b"Message-ID: <x@home.test>\r\n\r\n")
TEXT = (HEADER + b"%s\r\n" % (b"x" * 78) * 50)[:4094] + b"\r\n"


class Sinks:
    """They take everything, keep nothing, and count."""

    def __init__(self, count):
        self.processes, self.counts, self.last = [], [0] * count, 0.0
        for place in range(count):
            process = subprocess.Popen(["/usr/sbin/smtp-sink", "-c", "-u", "nobody", f"{SINK.format(place + 1)}:25", "1000"], stdout=subprocess.PIPE)
            self.processes.append(process)
            threading.Thread(target=self.listen, args=(process.stdout, place), daemon=True).start()
        atexit.register(self.stop)
        assert within(10, lambda: all(self.answers(place) for place in range(count))), "a sink does not answer"

    def answers(self, place):
        try:
            socket.create_connection((SINK.format(place + 1), 25)).close()
            return True
        except OSError:
            return False

    def listen(self, output, place):
        """A sink writes its numbers anew after each message."""
        tail = b""
        while piece := os.read(output.fileno(), 65536):
            numbers = re.findall(rb"mesg=(\d+)\D", tail + piece)
            tail = (tail + piece)[-100:]
            if numbers and int(numbers[-1]) > self.counts[place]:
                self.counts[place], self.last = int(numbers[-1]), time.monotonic()

    def wait(self, count):
        """When the last of so many messages came."""
        assert within(300, lambda: sum(self.counts) >= count), (self.counts, count)
        return self.last

    def stop(self):
        for process in self.processes:
            process.kill()
            process.wait()


class OurSender:
    """Has its senders log in over TLS and signs each message twice, which the peer does not."""

    def __init__(self, folder):
        self.dns = Dns(folder, RECORDS, at_53=True)
        self.home = Home(folder, "home.test", HOME, self.dns, "[limits]\nrecipients_a_day = 1000000\n")
        self.session = self.home.session
        # Keys are made once, two for the domain and two for the host.
        assert within(60, lambda: len(self.home.json("dkim", "list")) == 4)

    def pids(self):
        return [self.home.process.pid]

    def waiting(self):
        """How many were tried and wait."""
        queued = self.home.json("queue", "list")
        return sum(message["next"] is not None and message["recipients"][0]["result"] is not None for message in queued)

    def empty(self):
        return self.home.queue() == []

    def go(self):
        self.home.run("queue", "retry")

    def stop(self):
        self.home.stop()
        self.dns.stop()


class PostfixSender:
    """To one destination it makes 5 connections at first and up to 20 (default_destination_concurrency_limit), and has up
    to 100 in all."""

    def __init__(self, folder):
        pathlib.Path(folder).chmod(0o755)
        self.dns = Dns(folder, RECORDS, at_53=True)
        self.port = free_ports(1)[0]
        settings = {"myhostname": "mail.home.test", "mynetworks": "127.0.0.0/8", "inet_interfaces": "127.0.0.1"}
        place = pathlib.Path(folder) / "postfix"
        place.mkdir()
        self.postfix = Postfix(place, settings, f"127.0.0.1:{self.port} inet n - n - - smtpd", self.dns.resolv_conf)
        wait_for(self.port, b"220 ")

    def session(self):
        session = smtplib.SMTP("127.0.0.1", self.port)
        session.ehlo()
        return session

    def pids(self):
        return [self.postfix.process.pid]

    def waiting(self):
        """How many were tried and wait."""
        if self.postfix.queued(("maildrop", "incoming", "active")):
            return 0
        return sum(len(files) for _, _, files in os.walk(self.postfix.folder / "spool" / "deferred"))

    def empty(self):
        return not self.postfix.queued()

    def go(self):
        self.postfix.flush()

    def stop(self):
        self.postfix.stop()
        self.dns.stop()


# What sends for a server of the other parts.
SENDERS = {Pillarbox: OurSender, Peer: PostfixSender}


def submit(server, count, domains, sessions=5):
    """Hands over so many messages by so many sessions; when that began."""
    start = threading.Barrier(sessions + 1)
    failures = []

    def bring(session, recipients):
        start.wait()
        for to in recipients:
            session.send(b"MAIL FROM:<ann@home.test>\r\nRCPT TO:<%s>\r\nDATA\r\n" % to)
            replies = [session.getreply() for _ in range(3)]
            session.send(TEXT + b".\r\n")
            replies.append(session.getreply())
            failures.extend(reply for reply, code in zip(replies, (250, 250, 354, 250)) if reply[0] != code)
        session.quit()

    recipients = [b"user%d@d%d.test" % (number, number % domains) for number in range(count)]
    threads = [threading.Thread(target=bring, args=(server.session(), recipients[part::sessions])) for part in range(sessions)]
    for thread in threads:
        thread.start()
    start.wait()
    began = time.monotonic()
    for thread in threads:
        thread.join()
    assert not failures, failures[:3]
    return began
