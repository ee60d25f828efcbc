#!/usr/bin/env python3
"""A real `pillarbox serve` is run by its settings and by its commands: people and devices come and go, faults are told
so that they can be mended, and a stop in the middle of a message loses nothing.

Usage: admin.py PROGRAM. Prints a line a check and `test result:` as cargo does.
"""

import imaplib
import json
import os
import pathlib
import pty
import re
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

from house import check, finish, free_ports, within

PROGRAM = os.path.abspath(sys.argv[1])
CLEAR = ssl._create_unverified_context()
PORTS = ["smtp", "submission", "submissions", "imap", "imaps", "pop3", "pop3s"]
PASSWORD = re.compile(r"[a-z2-9]{4}(-[a-z2-9]{4}){3}")


class Box:
    """A folder with settings, and the server that runs by them."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.data, self.control = self.folder / "data", self.folder / "run" / "control"
        self.config = self.folder / "pillarbox.toml"
        self.ports = dict(zip(PORTS, free_ports(len(PORTS))))
        self.write_config()

    def write_config(self, tls=""):
        listen = "".join(f'{name} = "127.0.0.1:{port}"\n' for name, port in self.ports.items())
        self.config.write_text(
            f'host = "mail.home.test"\ndomains = ["home.test", "two.test"]\ndata = "{self.data}"\n'
            f'control = "{self.control}"\n\n[listen]\n{listen}{tls}'
        )

    def start(self):
        self.log = open(self.folder / "log", "ab")
        self.process = subprocess.Popen([PROGRAM, "serve", "--config", self.config], stderr=self.log)
        return within(10, lambda: self.run("status").returncode == 0)

    def stop(self):
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=20)
        self.log.close()
        return code, time.monotonic() - began

    def run(self, *words):
        command = [PROGRAM, *words, "--config", str(self.config)]
        return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60)

    def json(self, *words):
        done = self.run(*words, "--json")
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        return json.loads(done.stdout)

    def session(self):
        return smtplib.SMTP_SSL("127.0.0.1", self.ports["submissions"], context=CLEAR, timeout=20)

    def login(self, user, password):
        with self.session() as session:
            try:
                return session.login(user, password)[0]
            except smtplib.SMTPAuthenticationError as error:
                return error.smtp_code

    def imap(self, user, password):
        session = imaplib.IMAP4_SSL("127.0.0.1", self.ports["imaps"], ssl_context=CLEAR, timeout=20)
        session.login(user, password)
        return session

    def bring(self, address, subject):
        with smtplib.SMTP("127.0.0.1", self.ports["smtp"], timeout=20) as session:
            session.sendmail("x@else.example", [address], f"Subject: {subject}\r\n\r\nx\r\n")

    def subjects(self, account):
        new = self.data / "accounts" / str(account) / "Maildir" / "new"
        return [re.search(rb"^Subject: (\S+)\r$", f.read_bytes(), re.M).group(1).decode() for f in new.iterdir()]


def mode(path):
    return path.stat().st_mode & 0o777


def people_and_devices(box):
    status = box.json("status")
    check("... and the socket for programs", {"name": "submit", "address": str(box.control.parent / "submit")} in status["ports"], status)
    ports = {port["name"]: int(port["address"].rsplit(":", 1)[1]) for port in status["ports"] if port["name"] != "submit"}
    check("status knows the ports of the settings", ports == box.ports and status["pid"] == box.process.pid, status)
    check("status is also for people", "home.test" in box.run("status").stdout and status["users"] == 0)
    modes = [mode(box.control), mode(box.data), mode(box.data / "state.db")]
    check("socket, folder and registry are for the server's user alone", modes == [0o600, 0o700, 0o600], modes)
    modes = [mode(box.control.parent), mode(box.control.parent / "submit")]
    check("others reach the socket for their programs, and see nothing beside it", modes == [0o711, 0o666], modes)

    added = box.run("user", "add", "Ann@home.test")
    check("user add", added.returncode == 0 and added.stdout == "" and "device add" in added.stderr, added)
    check("user add says the account", box.json("user", "add", "bob@two.test") == {"account": 2, "address": "bob@two.test"})
    for address, why in [("ann@HOME.test", "belongs to someone"), ("x@hmoe.test", "home.test, two.test"), ("no address", "not a mail address"),
                         ("ann+x@home.test", "by its +"), ("x" * 4000 + "@home.test", "too long")]:
        told = box.run("user", "add", address)
        check(f"user add {address[:20]} is refused", told.returncode in (1, 2) and why in told.stderr, told)
    users = box.json("user", "list")
    check("user list", [(user["account"], user["addresses"], user["devices"]) for user in users] == [(1, ["ann@home.test"], 0), (2, ["bob@two.test"], 0)], users)
    check("user list is also for people", re.search(r"^1 +ann@home.test +0 +0.0 KiB", box.run("user", "list").stdout, re.M) is not None)

    added = box.run("device", "add", "ann@home.test", "Ann's phone")
    check("device add prints the password and nothing else", PASSWORD.fullmatch(added.stdout.strip()) and "Ann's phone" in added.stderr, added)
    phone = added.stdout.strip()
    tablet = box.json("device", "add", "ann@home.test")
    check("device add in JSON", PASSWORD.fullmatch(tablet["password"]) and tablet["name"] == "device", tablet)
    check("nobody has devices", "nobody here" in box.run("device", "add", "eve@home.test").stderr)
    check("a name with control characters is refused", box.run("device", "add", "ann@home.test", "a\x1b[1m").returncode == 1)
    check("both passwords open", [box.login("ann@home.test", one) for one in (phone, tablet["password"])] == [235, 235])
    devices = box.json("device", "list", "ann@home.test")
    check("device list knows who logged in", [one["name"] for one in devices] == ["Ann's phone", "device"] and all(one["used"] for one in devices), devices)
    check("no list shows a password", not PASSWORD.search(json.dumps(devices) + box.run("device", "list", "ann@home.test").stdout))
    with smtplib.SMTP("127.0.0.1", box.ports["submission"], timeout=20) as session:
        session.ehlo()
        before = session.has_extn("auth")
        session.starttls(context=CLEAR)
        session.ehlo()
        check("no AUTH before TLS", not before and session.has_extn("auth"))

    running = box.session()
    running.login("ann@home.test", phone)
    reading = box.imap("ann@home.test", phone)
    other = box.session()
    revoked = box.run("device", "revoke", "ann@home.test", str(devices[0]["id"]))
    check("device revoke", revoked.returncode == 0 and revoked.stdout == "", revoked)
    check("a revoked password stops working at once", box.login("ann@home.test", phone) == 535)
    check("the other device goes on", box.login("ann@home.test", tablet["password"]) == 235)
    running.sock.settimeout(10)
    check("a session that was logged in is ended", running.sock.recv(200).startswith(b"421 "))
    check("one that was reading as well", reading.readline().startswith(b"* BYE "))
    try:
        box.imap("ann@home.test", phone)
        check("the revoked password opens no mailbox", False)
    except imaplib.IMAP4.error as error:
        check("the revoked password opens no mailbox", "AUTHENTICATIONFAILED" in str(error), error)
    box.imap("ann@home.test", tablet["password"]).logout()
    check("others' sessions are not", other.noop()[0] == 250)
    other.quit()
    check("it can be revoked once", "no device" in box.run("device", "revoke", "ann@home.test", str(devices[0]["id"])).stderr)
    check("nobody revokes another's device", box.run("device", "revoke", "bob@two.test", str(tablet["id"])).returncode == 1)
    return tablet["password"]


def someone_leaves(box, password):
    box.bring("ann@home.test", "kept")
    check("mail comes", box.subjects(1) == ["kept"])
    asked = box.run("user", "rm", "ann@home.test")
    check("nobody is removed without being asked about", asked.returncode == 2 and "--yes" in asked.stderr, asked)
    check("no is no", answer_on_a_terminal(box, "ann@home.tset\n") == 1 and len(box.json("user", "list")) == 2)
    check("plus addresses remove nobody", box.run("user", "rm", "ann+x@home.test", "--yes").returncode == 1)
    running = box.session()
    running.login("ann@home.test", password)
    reading = box.imap("ann@home.test", password)
    reading.select("INBOX")
    reading.send(b"i IDLE\r\n")
    check("someone reads", reading.readline().startswith(b"+"))
    sending = smtplib.SMTP("127.0.0.1", box.ports["smtp"], timeout=20)
    sending.ehlo()
    sending.mail("x@else.example")
    sending.rcpt("ann@home.test")
    sending.putcmd("data")
    sending.getreply()
    sending.send(b"Subject: late\r\n\r\n")
    check("the address, typed, is yes", answer_on_a_terminal(box, "ann@home.test\n") == 0)
    sending.send(b"x\r\n.\r\n")
    code = sending.getreply()[0]
    check("a message on its way to who left is not acknowledged", code >= 400, code)
    sending.close()
    removed = box.data / "removed" / "1"
    kept = [f.read_bytes() for f in (removed / "Maildir" / "new").iterdir()]
    check("its time is that of the move", abs(removed.stat().st_mtime - time.time()) < 60)
    check("the mail is moved aside whole", len(kept) == 1 and b"Subject: kept" in kept[0] and not (box.data / "accounts" / "1").exists())
    running.sock.settimeout(10)
    told = [reading.readline()]
    while told[-1] and not told[-1].startswith(b"* BYE "):
        told.append(reading.readline())
    check("who reads is told that it ends", told[-1].startswith(b"* BYE "), told)
    check("a running session is ended", running.sock.recv(200).startswith(b"421 "))
    check("the password opens nothing", box.login("ann@home.test", password) == 535)
    try:
        box.bring("ann@home.test", "late")
        check("mail for who left is refused", False)
    except smtplib.SMTPRecipientsRefused as error:
        check("mail for who left is refused", error.recipients["ann@home.test"][0] == 550)
    check("no folder is made anew", not (box.data / "accounts" / "1").exists())
    again = box.json("user", "add", "ann@home.test")
    check("the address is free, the number is not", again["account"] == 3, again)
    gone = box.json("user", "rm", "ann@home.test", "--yes")
    check("user rm in JSON says where the mail is", pathlib.Path(gone["mail"]) == box.data / "removed" / "3", gone)


def answer_on_a_terminal(box, text):
    ours, theirs = pty.openpty()
    command = [PROGRAM, "user", "rm", "ann@home.test", "--config", str(box.config)]
    process = subprocess.Popen(command, stdin=theirs, stderr=subprocess.DEVNULL)
    os.write(ours, text.encode())
    code = process.wait(timeout=60)
    os.close(ours)
    os.close(theirs)
    return code


def say(box, raw, user=None):
    """Speaks to the socket itself, if need be as another user."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        answer = b""
        try:
            if user is not None:
                os.setgroups([])
                os.setgid(user)
                os.setuid(user)
            with socket.socket(socket.AF_UNIX) as one:
                one.settimeout(30)
                one.connect(str(box.control))
                try:
                    one.sendall(raw)
                except BrokenPipeError:
                    pass
                while piece := one.recv(65536):
                    answer += piece
        except OSError as error:
            answer = answer or str(error).encode()
        os.write(writer, answer[:60000])
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        answer = pipe.read().decode(errors="replace")
    os.waitpid(child, 0)
    return answer


def the_socket(box):
    for raw, why in [(b"hello\n", "does not understand"), (b'{"command":"user-add"}\n', "does not understand"), (b"\n", "does not understand"),
                     (b'{"command":"status","x":1}' + b" " * 5000 + b"\n", "too long"), (b"[" * 4000 + b"\n", "does not understand")]:
        answer = say(box, raw)
        check(f"the socket refuses {raw[:24]!r}", why in answer and answer.startswith('{"refused"'), answer)
    silent = [socket.socket(socket.AF_UNIX) for _ in range(15)]
    for one in silent:
        one.connect(str(box.control))
    check("fifteen that say nothing do not keep others out", box.run("status").returncode == 0)
    more = [socket.socket(socket.AF_UNIX) for _ in range(10)]
    for one in more:
        one.connect(str(box.control))
    check("too many are turned away, and told what to do", box.run("status").returncode == 75)
    for one in silent + more:
        one.close()
    check("and places come back", within(5, lambda: box.run("status").returncode == 0))
    if os.geteuid() != 0:
        print("skipped: another user at the socket needs root")
        return
    nobody = 65534
    check("another user cannot reach the socket", "denied" in say(box, b'{"command":"status"}\n', nobody))
    os.chmod(box.folder, 0o755)
    os.chmod(box.control.parent, 0o755)
    os.chmod(box.control, 0o666)
    answer = say(box, b'{"command":"status"}\n', nobody)
    check("and is refused by who it is", answer.startswith('{"refused":"only'), answer)
    check("which root is not", '"done"' in say(box, b'{"command":"status"}\n'))


def faults_are_told(box):
    wrong = box.folder / "wrong.toml"
    for text, told in [('host = "mail.home.test"\ndomains = ["home.test"]\n\n[lsiten]\n', "wrong.toml line 4: `lsiten` is not a key here; did you mean `listen`?"),
                       ('host = "mail.home.test"\ndomains = ["home.test"]\n[listen]\nsmtp = 25\n', "wrong.toml line 4: `smtp` must be an address with a port"),
                       ('host = "mail.home.test"\n', "`domains` is missing"), ("host = \n", "wrong.toml line 1:")]:
        wrong.write_text(text)
        done = subprocess.run([PROGRAM, "serve", "--config", wrong], capture_output=True, text=True, timeout=20)
        check(f"a fault in the settings is told: {told[:50]}", done.returncode == 1 and told in done.stderr, done)
    absent = subprocess.run([PROGRAM, "serve", "--config", box.folder / "none.toml"], capture_output=True, text=True, timeout=20)
    check("settings that are not there", absent.returncode == 1 and "none.toml is not there" in absent.stderr, absent)

    second = box.run("serve")
    check("a second server is told who has the folder", second.returncode == 1 and f"pid {box.process.pid}" in second.stderr, second)
    text = box.config.read_text()
    for change, told in [((str(box.data), str(box.folder / "data2")), f"{box.control} is used by another Pillarbox"),
                         ((str(box.control), str(box.folder / "control2")), "is used by another program")]:
        wrong.write_text(text.replace(str(box.data), str(box.folder / "data2")).replace(*change))
        done = subprocess.run([PROGRAM, "serve", "--config", wrong], capture_output=True, text=True, timeout=20)
        check(f"two servers: {told[-30:]}", done.returncode == 1 and told in done.stderr, done)
    check("the first still answers", box.run("status").returncode == 0)

    nowhere = subprocess.run([PROGRAM, "user", "list", "--dir", box.folder / "nowhere"], capture_output=True, text=True, timeout=20)
    check("no server: 75, and what to do", nowhere.returncode == 75 and "systemctl start pillarbox" in nowhere.stderr and nowhere.stdout == "", nowhere)
    for words in [[], ["user"], ["usr", "list"], ["device", "add"], ["status", "--x"], ["device", "revoke", "a@home.test", "x"]]:
        done = subprocess.run([PROGRAM, *words], capture_output=True, text=True, timeout=20)
        check(f"wrong words {words}: 2", done.returncode == 2 and done.stdout == "" and done.stderr != "", done)
    for words in [["help"], ["--help"], ["help", "user", "rm"], ["user", "rm", "--help"], ["device", "--help"], ["version"], ["--version"]]:
        done = subprocess.run([PROGRAM, *words], capture_output=True, text=True, timeout=20)
        check(f"{' '.join(words)}: on stdout", done.returncode == 0 and done.stdout != "" and done.stderr == "", done)
    with open("/dev/full", "w") as full:
        done = subprocess.run([PROGRAM, "help"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=20)
    check("a closed stdout is no panic", "panic" not in done.stderr, done)


def a_stop_in_the_middle(box):
    """Six senders at work and one that has stopped in the middle of a message, for ever."""
    acknowledged, stop = [], threading.Event()

    def load(name):
        try:
            session = smtplib.SMTP("127.0.0.1", box.ports["smtp"], timeout=20)
            for number in range(10000):
                session.sendmail("x@else.example", ["bob@two.test"], f"Subject: {name}-{number}\r\n\r\n{'x' * 5000}\r\n")
                acknowledged.append(f"{name}-{number}")
        except (OSError, smtplib.SMTPException):
            stop.set()

    stalled = smtplib.SMTP("127.0.0.1", box.ports["smtp"], timeout=20)
    stalled.ehlo()
    stalled.mail("x@else.example")
    stalled.rcpt("bob@two.test")
    stalled.putcmd("data")
    stalled.getreply()
    stalled.send(b"Subject: stalled\r\n\r\nhalf a li")
    threads = [threading.Thread(target=load, args=(name,)) for name in range(6)]
    for thread in threads:
        thread.start()
    within(20, lambda: len(acknowledged) > 100)
    code, seconds = box.stop()
    for thread in threads:
        thread.join()
    check(f"SIGTERM in the middle of messages ends it within 5 s ({seconds:.1f} s)", code == 0 and seconds < 5, code)
    check("the socket is gone", not box.control.exists())
    check("it starts again", box.start())
    found = box.subjects(2)
    lost = [mark for mark in acknowledged if found.count(mark) != 1]
    check(f"all {len(acknowledged)} acknowledged messages are there once", len(acknowledged) > 100 and not lost, lost[:5])
    check("the one that was cut off is not", "stalled" not in found)
    stalled.close()
    box.process.kill()
    box.process.wait()
    check("after a kill the socket lies there still, and the next start takes it", box.control.exists() and box.start())
    check("with the same people", [user["account"] for user in box.json("user", "list")] == [2])


def what_lies_about(box):
    box.stop()
    (box.data / "accounts" / "77").mkdir()
    removed = box.data / "removed"
    day = 24 * 3600
    for name, days in (("1", 31), ("3", 29)):
        os.utime(removed / name, (time.time() - days * day,) * 2)
    box.start()
    check("what was put aside 30 days ago goes, what came later stays", within(10, lambda: not (removed / "1").exists()) and (removed / "3" / "Maildir").is_dir())
    check("and the log says so", within(5, lambda: "removed=1 was put aside" in (box.folder / "log").read_text()))
    check("mail that is nobody's is told", f"folder={box.data}/accounts/77 belongs to nobody" in (box.folder / "log").read_text())
    box.stop()
    for name in ("state.db", "state.db-wal", "state.db-shm", "state.db.backup"):
        if (box.data / name).exists():
            (box.data / name).rename(box.folder / name)
    done = box.run("serve")
    check("a lost registry is not made anew beside mail", done.returncode == 1 and "backup" in done.stderr and not (box.data / "state.db").exists(), done)
    for name in ("state.db", "state.db-wal", "state.db-shm", "state.db.backup"):
        if (box.folder / name).exists():
            (box.folder / name).rename(box.data / name)
    check("brought back, all is well", box.start() and len(box.json("user", "list")) == 1)


def certificates(box):
    place = ("127.0.0.1", box.ports["submissions"])
    first = ssl.get_server_certificate(place)
    made = box.data / "keys" / "self-signed-mail.home.test.pem"
    check("the certificate of our own is kept, mode 0600", first in made.read_text() and mode(made) == 0o600)
    ours = box.folder / "ours.pem"
    ours.write_text(made.read_text())
    made.unlink()
    box.stop()
    box.start()
    second = ssl.get_server_certificate(place)
    check("a new one is made only if there is none", first != second)
    box.stop()
    box.write_config(f'[tls]\ncertificate = "{ours}"\nkey = "{ours}"\n')
    box.start()
    check("the files of the settings are shown", ssl.get_server_certificate(place) == first)
    box.stop()
    box.write_config(f'[tls]\ncertificate = "{ours}"\nkey = "{made}"\n')
    done = box.run("serve")
    check("a key that is another's is told", done.returncode == 1 and str(ours) in done.stderr and "[tls]" in done.stderr, done)
    box.write_config(f'[tls]\ncertificate = "{ours}"\nkey = "/nowhere.pem"\n')
    done = box.run("serve")
    check("a key that is not there is told", done.returncode == 1 and "/nowhere.pem" in done.stderr, done)


def also_for_try(folder):
    command = [PROGRAM, "try", "--dir", "t", "--port-base", "0", "--json"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    ann = json.loads(process.stdout.readline())["accounts"][0]["address"]
    done = subprocess.run([PROGRAM, "user", "list", "--dir", "t", "--json"], cwd=folder, capture_output=True, text=True, timeout=20)
    check("commands reach a `try` by its folder", json.loads(done.stdout)[0]["addresses"] == [ann], done)
    subprocess.run([PROGRAM, "user", "rm", ann, "--yes", "--dir", "t"], cwd=folder, stderr=subprocess.DEVNULL, timeout=20)
    process.terminate()
    check("and it stops in order", process.wait(timeout=20) == 0)
    process.stdout.close()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    check("who was removed is not offered again", len(json.loads(process.stdout.readline())["accounts"]) == 1)
    process.terminate()
    process.wait(timeout=20)
    process.stdout.close()


def main():
    with tempfile.TemporaryDirectory() as folder:
        box = Box(folder)
        check("serve comes up", box.start())
        password = people_and_devices(box)
        someone_leaves(box, password)
        the_socket(box)
        faults_are_told(box)
        a_stop_in_the_middle(box)
        what_lies_about(box)
        certificates(box)
        also_for_try(folder)
        log = (box.folder / "log").read_text()
        check("the log has no password and no fault of ours", not PASSWORD.search(log) and "ERROR" not in log, [line for line in log.splitlines() if PASSWORD.search(line) or "ERROR" in line])
        if box.process.poll() is None:
            box.process.kill()
    finish()


main()
