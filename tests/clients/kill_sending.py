#!/usr/bin/env python3
"""kill -9 at random moments while our people send to other servers: what was acknowledged arrives at each of its
recipients, and twice only where a kill came between the server's answer to the last dot and our writing it down.

Usage: kill_sending.py PROGRAM [ROUNDS]
"""

import collections
import random
import re
import signal
import smtplib
import sys
import tempfile
import threading
import time

from house import check, finish
from town import Dns, Home, Server, why_not, within

ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 10

if reason := why_not():
    print(f"skipped: kill_sending: {reason}")
    sys.exit()

RECORDS = """
home      MX 10 mail.home
mail.home A 127.0.0.1
one       MX 10 mx.one
mx.one    A 127.0.0.2
two       MX 10 mx.two
mx.two    A 127.0.0.3
"""


def send(home, name, acknowledged):
    try:
        session = home.session()
        for number in range(100000):
            mark = f"{name}-{number}"
            to = random.choice((["a@one.test"], ["a@one.test", "b@one.test"], ["a@one.test", "c@two.test"], ["c@two.test", "bob@home.test"]))
            session.sendmail("ann@home.test", to, f"Subject: {mark}\r\n\r\n{'x' * random.randrange(20000)}\r\n")
            acknowledged[mark] = to
    except (OSError, smtplib.SMTPException):
        pass


def places(servers):
    """How often each message has reached each address, by the rounds in which it did."""
    found = collections.defaultdict(list)
    for server in servers:
        for turn, (_, recipients, text) in server.noted:
            mark = re.search(rb"^Subject: (\S+)", text, re.M).group(1).decode()
            for recipient in recipients:
                found[mark, recipient.split("<")[1].split(">")[0]].append(turn)
    return found


class Noting(Server):
    """Knows in which round a message came, however late that is looked at."""

    def __init__(self, address, turn, offers):
        self.noted, self.turn = [], turn
        super().__init__(address, offers=offers)

    def note(self, item):
        self.noted.append((self.turn[0], item))


def main():
    turn = [0]
    acknowledged = {}
    with tempfile.TemporaryDirectory() as folder:
        dns = Dns(folder, RECORDS)
        home = Home(folder, "home.test", "127.0.0.1", dns, "[limits]\nrecipients_a_day = 1000000\n")
        servers = [Noting("127.0.0.2", turn, ["PIPELINING", "8BITMIME", "CHUNKING"]), Noting("127.0.0.3", turn, ["PIPELINING", "8BITMIME"])]
        for number in range(ROUNDS):
            turn[0] = number
            threads = [threading.Thread(target=send, args=(home, f"m{number}-{place}", acknowledged)) for place in range(3)]
            for thread in threads:
                thread.start()
            time.sleep(random.uniform(0.1, 0.8))
            home.stop(signal.SIGKILL)
            for thread in threads:
                thread.join()
            turn[0] = number + 0.5
            home.start()
        turn[0] = ROUNDS
        check("the queue empties itself after the last start", within(60, lambda: home.json("queue", "list") == []), home.json("queue", "list")[:3])
        found = places(servers)
        local = collections.Counter(re.search(rb"^Subject: (\S+)", text, re.M).group(1).decode() for text in home.mail("bob"))
        lost = [(mark, to) for mark, recipients in acknowledged.items() for to in recipients
                if not (local[mark] if to == "bob@home.test" else found.get((mark, to)))]
        check("nothing that was acknowledged is lost", not lost, lost[:5])
        # Between a kill and the next start nothing arrives; a second coming is of a later life of the server.
        again = {place: turns for place, turns in found.items() if len(turns) > 1}
        same_life = {place: turns for place, turns in again.items() if len(set(turns)) < len(turns)}
        check("nothing comes twice in one life of the server", not same_life, list(same_life.items())[:5])
        most = 2 * 10 * ROUNDS
        check("what comes twice was under way when the server was killed", len(again) <= most, len(again))
        print(f"{ROUNDS} kills: {len(acknowledged)} messages acknowledged, {sum(map(len, found.values()))} arrivals, {len(again)} of them twice")
        home.stop()
        dns.stop()
    finish()


main()
