"""A running `pillarbox try` for the tests with other people's programs, and their checks."""

import json
import pathlib
import signal
import ssl
import subprocess
import sys
import time

PROGRAM = sys.argv[1]
CLEAR = ssl._create_unverified_context()
counts = {"passed": 0, "failed": 0}


def check(name, holds, seen=None):
    print(("ok    " if holds else "WRONG ") + name, flush=True)
    if not holds and seen is not None:
        print(f"      {seen}", flush=True)
    counts["passed" if holds else "failed"] += 1


def finish():
    passed, failed = counts["passed"], counts["failed"]
    print(f"test result: {'ok' if failed == 0 else 'FAILED'}. {passed} passed; {failed} failed; 0 ignored;")
    sys.exit(failed != 0)


class Box:
    def __init__(self, folder, prefix=(), log=subprocess.PIPE):
        command = [*prefix, PROGRAM, "try", "--dir", str(folder), "--port-base", "0", "--json"]
        self.folder = pathlib.Path(folder)
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        answer = json.loads(self.process.stdout.readline())
        self.ports, self.accounts = answer["ports"], answer["accounts"]

    def stop(self):
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        _, talk = self.process.communicate(timeout=20)
        return self.process.returncode, time.monotonic() - began, talk

    def maildir(self, account):
        return self.folder / "accounts" / str(account) / "Maildir"

    def mail(self, account):
        return [f.read_bytes() for f in sorted((self.maildir(account) / "new").iterdir())]
