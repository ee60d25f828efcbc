#!/usr/bin/env python3
"""250 is said after the message's file and its folder were synced, with at most two sync calls for one message and fewer
for each when several come together: seen by strace.

Usage: syncs.py PROGRAM
"""

import json
import re
import smtplib
import subprocess
import sys
import tempfile
import threading
import time

PROGRAM = sys.argv[1]
wrong = []


def check(name, holds):
    print(("ok    " if holds else "WRONG ") + name, flush=True)
    if not holds:
        wrong.append(name)


def deliver(port, address, count):
    session = smtplib.SMTP("127.0.0.1", port)
    for number in range(count):
        session.sendmail("x@else.example", [address], f"Subject: {number}\r\n\r\n{'x' * 3000}\r\n")
    session.quit()


def main():
    with tempfile.TemporaryDirectory() as folder:
        trace = folder + "/trace"
        calls = "trace=fsync,fdatasync,renameat2,sendto,write"
        command = ["strace", "-f", "-qq", "-s", "200", "-e", calls, "-o", trace, PROGRAM, "try", "--dir", folder + "/d"]
        process = subprocess.Popen(command + ["--port-base", "0", "--json"], stdout=subprocess.PIPE, text=True)
        box = json.loads(process.stdout.readline())
        port, ann = box["ports"]["smtp"], box["accounts"][0]["address"]
        deliver(port, ann, 1)
        # The first message's rows go into the index after five seconds; what follows is looked at alone.
        time.sleep(6)
        begin = len(open(trace).readlines())
        deliver(port, ann, 10)
        alone = open(trace).readlines()[begin:]
        begin += len(alone)
        threads = [threading.Thread(target=deliver, args=(port, ann, 20)) for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        together = open(trace).readlines()[begin:]
        subprocess.run(["pkill", "-TERM", "-P", str(process.pid)])
        process.wait(timeout=20)
        process.stdout.close()
    state, right = "start", 0
    for line in alone:
        if re.search(r'renameat2\(\d+, "x', line):
            state = "named"
        elif re.search(r"fsync\(\d+\) *= 0", line):
            state = {"named": "file synced", "file synced": "safe"}.get(state, state)
        elif "250 2.0.0 Message is safe" in line:
            right += state == "safe"
            state = "start"
    check(f"each of 10 messages was synced, file then folder, before its 250 ({right})", right == 10)
    syncs = [sum(bool(re.search(r"(fsync|fdatasync)\(", line)) for line in lines) for lines in (alone, together)]
    check(f"at most two sync calls for one message ({syncs[0] / 10})", syncs[0] <= 20)
    check(f"fewer for each of ten at once ({syncs[1] / 200})", syncs[1] < 400)
    print(f"test result: {'FAILED' if wrong else 'ok'}. {3 - len(wrong)} passed; {len(wrong)} failed; 0 ignored;")
    sys.exit(bool(wrong))


main()
