#!/usr/bin/env python3
"""A running server is attacked by everyone who may connect to it or write to it: by asking without reading, by compressed
bombs, by number, by absurd commands, by mail, by false proxies, by slowness. Meanwhile it uses no more memory than is
stated, and another household member's answers do not wait.

Usage: hostile.py PROGRAM [--full] [ATTACK ...]. Prints a line a check and `test result:` as cargo does.
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "clients"))
import assault  # noqa: E402
import crowds  # noqa: E402
import greedy  # noqa: E402
import mailbombs  # noqa: E402
import nonsense  # noqa: E402
from house import PROGRAM, Box, check, finish  # noqa: E402
from watch import Watch, status  # noqa: E402

FULL = "--full" in sys.argv
ONLY = [word for word in sys.argv[2:] if not word.startswith("-")]


def attack(box, attacks):
    seconds = 6 if FULL else 1
    greedy.big_mailbox(box)
    nonsense.small_mailbox(box)
    for step, *arguments in [
        (greedy.never_reads, seconds), (greedy.pipelines, seconds), (greedy.pipelines_read, seconds + 1), (greedy.floods, seconds + 1),
        (greedy.deflate, seconds, 1 << 30 if FULL else 256 << 20), (nonsense.words,), (nonsense.beginnings,), (mailbombs.mail, 4000 if FULL else 1000),
        (crowds.phones,), (crowds.too_many,), (crowds.storm, seconds + 1), (crowds.slow, seconds + 3, 100),
    ]:
        if not ONLY or step.__name__ in ONLY:
            began = time.monotonic()
            step(attacks, *arguments)
            print(f"      {step.__name__}: {time.monotonic() - began:.1f} s", flush=True)


def sessions(box):
    done = subprocess.run([PROGRAM, "status", "--dir", box.folder, "--json"], capture_output=True, text=True, timeout=20)
    return json.loads(done.stdout)["sessions"]


def all_have_gone(box):
    """But for the one who looks on."""
    limit = time.monotonic() + 5
    while (left := sessions(box)) > 2 and time.monotonic() < limit:
        time.sleep(0.1)
    check("no session is left of those who have gone", left <= 2, left)
    memory = status(box.process.pid)["RssAnon"]
    check(f"the server has {memory:.0f} MiB then", memory < 64)


def tried():
    with tempfile.TemporaryDirectory() as folder:
        log = pathlib.Path(folder) / "log"
        with open(log, "w") as file:
            box = Box(folder, log=file)
        try:
            watch = Watch(box)
            attacks = assault.Assault(box, watch)
            attack(box, attacks)
            all_have_gone(box)
            # It has not ended when the server stops.
            nonsense.long_work(attacks, 6 if FULL else 1)
            watch.stop()
        finally:
            code, _, _ = box.stop()
        talk = log.read_text()
        check("it stops in order, and nothing went wrong on the way", code == 0 and "ERROR" not in talk and "fault of ours" not in talk, talk[-2000:])


def served():
    """The same program as a service, with trust to abuse."""
    with tempfile.TemporaryDirectory() as folder:
        box = crowds.Served(folder)
        try:
            crowds.doors(box)
            watch = Watch(box, {"address": "ann@home.test", "password": box.password})
            crowds.half_sent(assault.Assault(box, watch), 300)
            watch.stop()
        finally:
            code = box.stop()
        check("serve stops in order", code == 0 and "ERROR" not in box.log(), box.log()[-2000:])


def main():
    tried()
    if not ONLY or "served" in ONLY:
        served()
    assault.table()
    finish()


main()
