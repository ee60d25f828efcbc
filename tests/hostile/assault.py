"""What each attack must leave alone: the server's memory, and the answers that another household member gets meanwhile."""

import contextlib
import time

from house import check

rows = []


class Assault:
    """Runs attacks one after the other, each from an address of its own."""

    def __init__(self, box, watch):
        self.box, self.watch, self.count = box, watch, 1
        self.address = None

    @contextlib.contextmanager
    def attack(self, name, mib):
        """The server may grow by so many MiB meanwhile."""
        self.count += 1
        self.address = f"127.0.0.{self.count}"
        self.watch.lap()
        began = time.monotonic()
        yield
        # Short attacks too are seen by a few answers.
        time.sleep(max(0.0, began + 0.7 - time.monotonic()))
        seen = self.watch.lap()
        imap, smtp = seen["imap"], seen["smtp"]
        rows.append((name, seen["grown"], mib, imap, smtp, seen["left"]))
        check(f"{name}: memory grows by {seen['grown']:.1f} MiB (at most {mib})", seen["grown"] <= mib, seen)
        check(f"{name}: another's IMAP answers in {imap['median']:.1f} ms, 95 % in {imap['late']:.0f} ms, the slowest in {imap['worst']:.0f} ms",
              seen["wrong"] is None and imap["count"] >= 5 and imap["median"] < 25 and imap["late"] < 100 and imap["worst"] < 1000, seen)
        check(f"{name}: so does SMTP, in {smtp['median']:.1f} ms, 95 % in {smtp['late']:.0f} ms",
              smtp["count"] >= 5 and smtp["median"] < 100 and smtp["late"] < 250, seen)
        check(f"{name}: the server lives", self.box.process.poll() is None)


def table():
    print(f"{'attack':<44} {'grown':>6} {'left':>6}   {'IMAP ms: median':>8} {'95 %':>6} {'worst':>6}   {'SMTP ms: median':>8} {'95 %':>6}")
    for name, grown, _, imap, smtp, left in rows:
        print(f"{name:<44} {grown:6.1f} {left:6.1f}   {imap['median']:15.1f} {imap['late']:6.0f} {imap['worst']:6.0f}   {smtp['median']:15.1f} {smtp['late']:6.0f}")
