#!/usr/bin/env python3
"""Seen by strace: 250 is said after the message's file and its folder were synced, with at most two sync calls for one
message and fewer for each when several come together; and a start after an orderly stop, with SELECT and FETCH FLAGS, lists
no folder of messages.

Usage: syncs.py PROGRAM
"""

import imaplib
import re
import smtplib
import subprocess
import tempfile
import threading
import time

from house import Box, check, finish


def traced(folder, trace, calls):
    """The box under strace. strace goes on until the box has ended."""
    prefix = ["strace", "-f", "-qq", "-y", "-s", "200", "-e", f"trace={calls}", "-o", str(trace)]
    return Box(folder, prefix)


def end(box):
    subprocess.run(["pkill", "-TERM", "-P", str(box.process.pid)])
    box.process.communicate(timeout=20)


def deliver(port, address, count):
    session = smtplib.SMTP("127.0.0.1", port)
    for number in range(count):
        session.sendmail("x@else.example", [address], f"Subject: {number}\r\n\r\n{'x' * 3000}\r\n")
    session.quit()


def order_of_syncs(folder):
    trace = folder + "/trace"
    box = traced(folder + "/d", trace, "fsync,fdatasync,renameat2,sendto,write")
    port, ann = box.ports["smtp"], box.accounts[0]["address"]
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
    # Names and index follow, and folder times become old enough to be trusted.
    time.sleep(8)
    end(box)
    state, right = "start", 0
    for line in alone:
        if re.search(r'renameat2\(\S+, "x', line):
            state = "named"
        elif re.search(r"fsync\(\S+\) *= 0", line):
            state = {"named": "file synced", "file synced": "safe"}.get(state, state)
        elif "250 2.0.0 Message is safe" in line:
            right += state == "safe"
            state = "start"
    check(f"each of 10 messages was synced, file then folder, before its 250 ({right})", right == 10)
    syncs = [sum(bool(re.search(r"(fsync|fdatasync)\(", line)) for line in lines) for lines in (alone, together)]
    check(f"at most two sync calls for one message ({syncs[0] / 10})", syncs[0] <= 20)
    check(f"fewer for each of ten at once ({syncs[1] / 200})", syncs[1] < 400)


def a_clean_start(folder):
    trace = folder + "/start"
    box = traced(folder + "/d", trace, "getdents64,openat")
    session = imaplib.IMAP4("127.0.0.1", box.ports["imap"])
    session.login(box.accounts[0]["address"], box.accounts[0]["password"])
    count = session.select("INBOX")[1]
    flags = session.fetch("1:*", "(UID FLAGS)")[1]
    lines = open(trace).read()
    listed = re.findall(r"getdents64\(\d+<([^>]*/(?:cur|new))>", lines)
    opened = re.findall(r'/(?:cur|new)>, "\d+\.', lines)
    check(f"a start as we left it, SELECT and FETCH FLAGS list no folder of messages {listed[:3]}",
          count == [b"211"] and len(flags) == 211 and not listed)
    check(f"and open no message {opened[:3]}", not opened)
    session.logout()
    end(box)


def main():
    with tempfile.TemporaryDirectory() as folder:
        order_of_syncs(folder)
        a_clean_start(folder)
    finish()


main()
