#!/usr/bin/env python3
"""kill -9 at random moments under load: every acknowledged message is there exactly once, one that was cut off once or
not at all, and no UID is given twice.

Usage: kill.py PROGRAM [ROUNDS]
"""

import json
import pathlib
import random
import re
import smtplib
import subprocess
import sys
import tempfile
import threading
import time

PROGRAM = sys.argv[1]
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 10


def start(folder):
    command = [PROGRAM, "try", "--dir", folder, "--port-base", "0", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return process, json.loads(process.stdout.readline())


def load(port, address, name, acknowledged, tried):
    try:
        session = smtplib.SMTP("127.0.0.1", port, timeout=20)
        for number in range(100000):
            mark = f"{name}-{number}"
            tried.append(mark)
            session.sendmail("x@else.example", [address], f"Subject: {mark}\r\n\r\n{'x' * random.randrange(9000)}\r\n")
            acknowledged.append(mark)
    except (OSError, smtplib.SMTPException):
        pass


def main():
    acknowledged, tried, uids, wrong, slowest = [], [], {}, [], 0.0
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(ROUNDS):
            began = time.monotonic()
            process, box = start(folder)
            slowest = max(slowest, time.monotonic() - began)
            ann = box["accounts"][0]["address"]
            threads = [
                threading.Thread(target=load, args=(box["ports"]["smtp"], ann, f"{turn}.{n}", acknowledged, tried))
                for n in range(6)
            ]
            for thread in threads:
                thread.start()
            time.sleep(random.uniform(0.05, 0.6))
            process.kill()
            process.wait()
            for thread in threads:
                thread.join()
        process, box = start(folder)
        session = smtplib.SMTP("127.0.0.1", box["ports"]["smtp"])
        session.sendmail("x@else.example", [box["accounts"][0]["address"]], "Subject: last\r\n\r\nx\r\n")
        session.quit()
        acknowledged.append("last")
        process.terminate()
        process.wait()
        found = {}
        for file in (pathlib.Path(folder) / "accounts/1/Maildir/new").iterdir():
            mark = re.search(rb"^Subject: (\S+)\r$", file.read_bytes(), re.M).group(1).decode()
            found[mark] = found.get(mark, 0) + 1
            place = re.search(r",P=(\d+\.\w+)", file.name)
            if place is None or place.group(1) in uids:
                wrong.append(f"{file.name}: its UID is missing or another's")
            else:
                uids[place.group(1)] = mark
    wrong += [f"{mark}: acknowledged and there {found.get(mark, 0)} times" for mark in acknowledged if found.get(mark) != 1]
    wrong += [f"{mark}: there {found[mark]} times" for mark in found if mark != "last" and mark not in tried or found[mark] > 1]
    if "last" not in found or int(next(u for u, m in uids.items() if m == "last").split(".")[0]) != max(int(u.split(".")[0]) for u in uids):
        wrong.append("the last message has not the highest UID")
    print(f"{ROUNDS} kills, {len(acknowledged)} acknowledged, {len(tried) - len(acknowledged) + 1} cut off, "
          f"slowest start {slowest:.2f} s")
    print("\n".join(wrong[:20]))
    print(f"test result: {'FAILED' if wrong else 'ok'}. {0 if wrong else 1} passed; {1 if wrong else 0} failed; 0 ignored;")
    sys.exit(bool(wrong))


main()
