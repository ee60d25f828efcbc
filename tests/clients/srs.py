#!/usr/bin/env python3
"""Rewritten senders of ours and of Mail::SRS, the scheme's first implementation, lead back through each other, however they
are chained and whoever loses their case.

Usage: srs.py PROGRAM. The program `srs` lies in `examples` beside it.
"""

import pathlib
import subprocess
import time

from house import PROGRAM, check, finish

SRS = pathlib.Path(PROGRAM).resolve().parent / "examples" / "srs"
DAY = int(time.time()) // 86400
PERL = """use Mail::SRS; my $srs = Mail::SRS->new(Secret => $ARGV[1], Separator => $ARGV[2]);
print $ARGV[0] eq 'forward' ? $srs->forward($ARGV[3], $ARGV[4]) : $ARGV[0] eq 'stamp' ? $srs->timestamp_create($ARGV[3]) : $srs->reverse($ARGV[3]);"""


def ours(*words):
    return subprocess.run([SRS, *words], capture_output=True, text=True, check=True).stdout.strip()


def perl(*words):
    return subprocess.run(["perl", "-e", PERL, *words], capture_output=True, text=True, check=True).stdout.strip()


class Our:
    def __init__(self, domain):
        self.domain = domain

    def forward(self, sender):
        return ours("forward", f"secret of {self.domain}", sender, self.domain, str(DAY))

    def back(self, address):
        return ours("back", f"secret of {self.domain}", address, str(DAY))


class Their:
    def __init__(self, domain, separator="="):
        self.domain, self.separator = domain, separator

    def forward(self, sender):
        return perl("forward", f"secret of {self.domain}", self.separator, sender, self.domain)

    def back(self, address):
        return perl("back", f"secret of {self.domain}", self.separator, address)


def main():
    stamps = [(day, ours("forward", "x", "a@b.example", "c.example", str(day)).split("=")[2], perl("stamp", "x", "=", str(day * 86400)))
              for day in (0, 1, 31, 32, 1023, 1024, DAY, 99999)]
    check("days are written alike", all(our == their for _, our, their in stamps), stamps)
    a, b, c = Our("a.example"), Our("b.example"), Our("c.example")
    x, y, plus, minus = Their("x.example"), Their("y.example"), Their("plus.example", "+"), Their("minus.example", "-")
    for chain in ([a], [a, x], [x, a], [a, b], [a, b, c], [a, x, y], [x, a, y], [x, y, a], [a, x, b], [x, a, b], [plus, a], [a, minus],
                  [minus, a, b, x], [plus, x, a], [a, b, x, c, y]):
        for sender in ("ann@from.example", "Ann.B+x=y@From.Example"):
            for name, lose in (("as it is", lambda text: text), ("in small letters", str.lower)):
                address, servers = sender, {}
                for server in chain:
                    address = server.forward(address)
                    servers[server.domain] = server
                hops = 0
                while address.split("@")[1].lower() in servers and hops < 5:
                    address = servers[address.split("@")[1].lower()].back(lose(address))
                    hops += 1
                shown = " ".join(server.domain for server in chain)
                check(f"{shown}, {name}", address.lower() == sender.lower() and hops == min(len(chain), 2), (address, hops))
    finish()


main()
