#!/usr/bin/env python3
"""The systemd unit holds what it says: systemd reads it without a word, its own judgement of the sandbox is good, every
system call that a working server makes is among those the unit allows, readiness is told, and sockets that systemd passes
on are used.

Usage: unit.py PROGRAM
"""

import fcntl
import imaplib
import json
import os
import pathlib
import re
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import tempfile
import time

PROGRAM = os.path.abspath(sys.argv[1])
UNIT = pathlib.Path(__file__).parents[2] / "systemd" / "pillarbox.service"
# Tenths of 0 (nothing may be done) to 10 (everything).
EXPOSURE_MAX = 16
wrong = checked = 0


def check(name, holds, seen=""):
    global wrong, checked
    checked += 1
    wrong += not holds
    print(("ok    " if holds else "WRONG ") + name + ("" if holds else f": {seen}"), flush=True)


def settings(text, name):
    return re.findall(rf"^{name}=(.*)$", text, re.M)


def call_set(name):
    """The calls of a set like @system-service, the sets within it opened."""
    text = subprocess.run(["systemd-analyze", "syscall-filter", name], capture_output=True, text=True, check=True).stdout
    calls = set()
    for line in text.splitlines()[1:]:
        word = line.strip()
        if word.startswith("@"):
            calls |= call_set(word)
        elif word and not word.startswith("#"):
            calls.add(word)
    return calls


def the_unit(folder):
    text = UNIT.read_text()
    # What is installed is not here yet: the program under test stands for it.
    there = pathlib.Path(folder) / "pillarbox.service"
    there.write_text(text.replace("/usr/local/bin/pillarbox", PROGRAM))
    read = subprocess.run(["systemd-analyze", "verify", "--man=no", str(there)], capture_output=True, text=True)
    complaints = [line for line in (read.stdout + read.stderr).splitlines() if "pillarbox" in line]
    check("systemd reads the unit without a word", read.returncode == 0 and not complaints, read)
    judged = subprocess.run(["systemd-analyze", "security", "--offline=yes", f"--threshold={EXPOSURE_MAX}", "--no-pager", str(there)], capture_output=True, text=True)
    check(f"its exposure is at most {EXPOSURE_MAX / 10}", judged.returncode == 0, (judged.stdout + judged.stderr)[-300:])
    root = pathlib.Path(folder) / "root"
    (root / "etc").mkdir(parents=True)
    with open(UNIT.with_suffix(".sysusers")) as users:
        made = subprocess.run(["systemd-sysusers", f"--root={root}", "-"], stdin=users, capture_output=True, text=True)
    names = [line.split(":")[0] for line in (root / "etc" / "passwd").read_text().splitlines()]
    check("its user can be made", made.returncode == 0 and names == settings(text, "User"), made)
    # The socket for programs lies there; the other one is shut by its own mode.
    check("everybody reaches the sockets' folder", settings(text, "RuntimeDirectoryMode") == ["0755"])
    return text


def the_calls(text, folder):
    allowed = set()
    for line in settings(text, "SystemCallFilter"):
        sets = line.removeprefix("~").split()
        for name in sets:
            allowed = allowed - call_set(name) if line.startswith("~") else allowed | call_set(name)
    # Always allowed; and what SQLite does only as root, which the unit's user is not.
    allowed |= call_set("@default") | {"fchown"}
    config, control, trace = (pathlib.Path(folder) / name for name in ("pillarbox.toml", "control", "trace"))
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        port, reading = one.getsockname()[1], two.getsockname()[1]
    config.write_text(f'host = "mail.home.test"\ndomains = ["home.test"]\ndata = "{folder}/data"\ncontrol = "{control}"\n[listen]\n'
                      f'smtp = "127.0.0.1:{port}"\nsubmission = []\nsubmissions = []\nimap = "127.0.0.1:{reading}"\nimaps = []\npop3 = []\npop3s = []\n')
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(f"{folder}/notify")
        systemd.settimeout(60)
        command = ["strace", "-f", "-qq", "-c", "-U", "name", "-o", trace, PROGRAM, "serve", "--config", config]
        server = subprocess.Popen(command, env={**os.environ, "NOTIFY_SOCKET": f"{folder}/notify", "WATCHDOG_USEC": "400000"}, stderr=subprocess.DEVNULL)
        check("systemd is told that it is ready", systemd.recv(100).split() == [b"READY=1"])
        ask = lambda *words: subprocess.run([PROGRAM, *words, "--config", config], capture_output=True, text=True, timeout=60)
        ask("user", "add", "ann@home.test")
        password = ask("device", "add", "ann@home.test").stdout.strip()
        with smtplib.SMTP("127.0.0.1", port, timeout=60) as session:
            session.sendmail("x@else.example", ["ann@home.test"], "Subject: x\r\n\r\n" + "x" * 200000)
        sent = subprocess.run([PROGRAM, "sendmail", "-C", config, "ann@home.test"], input="x\n", capture_output=True, text=True, timeout=60)
        check("a program of the machine sends", sent.returncode == 0, sent)
        with imaplib.IMAP4("127.0.0.1", reading, timeout=60) as session:
            session.starttls(ssl._create_unverified_context())
            session.login("ann@home.test", password)
            session.select("INBOX")
            session.create("Later")
            session.fetch("1", "(FLAGS ENVELOPE BODY[])")
            session.copy("1", "Later")
            session.store("1", "+FLAGS", r"(\Deleted)")
            session.expunge()
        status = json.loads(ask("status", "--json").stdout)
        ask("user", "rm", "ann@home.test", "--yes")
        told = []
        while len(told) < 3:
            told += systemd.recv(100).split()
        check("that it lives, again and again", set(told) == {b"WATCHDOG=1"}, told)
        os.kill(status["pid"], signal.SIGTERM)
        while told[-1:] != [b"STOPPING=1"]:
            told += systemd.recv(100).split()
        check("and that it stops", set(told) == {b"WATCHDOG=1", b"STOPPING=1"}, told)
        check("the traced server stops in order", server.wait(timeout=60) == 0)
    made = {word for word in trace.read_text().split() if re.fullmatch(r"[a-z]\w+", word)} - {"syscall", "total"}
    check(f"all of its {len(made)} system calls are allowed", len(made) > 30 and not made - allowed, sorted(made - allowed))


def passed_on(folder):
    """Sockets that systemd has bound: they are used in place of those of the settings."""
    config, path = pathlib.Path(folder) / "pillarbox.toml", f"{folder}/lmtp"
    with socket.create_server(("127.0.0.1", 0)) as one:
        fixed = one.getsockname()[1]
    off = "".join(f"{name} = []\n" for name in ("submission", "submissions", "imap", "imaps", "pop3"))
    # Port 1 is not tried: smtp is passed on.
    config.write_text(f'host = "mail.home.test"\ndomains = ["home.test"]\ndata = "{folder}/data"\ncontrol = "{folder}/control"\n[listen]\n{off}'
                      f'smtp = "192.0.2.1:1"\npop3s = "127.0.0.1:{fixed}"\n')

    def serve(sockets, names, pid="$$", count=None):
        # systemd passes them from number 3 on.
        high = [fcntl.fcntl(one, fcntl.F_DUPFD, 100) for one in sockets]
        moves = " ".join(f"{number}<&{fd} {fd}<&-" for number, fd in enumerate(high, 3))
        count = len(sockets) if count is None else count
        line = f"exec {moves}; LISTEN_PID={pid} LISTEN_FDS={count} LISTEN_FDNAMES={names} exec {PROGRAM} serve --config {config}"
        server = subprocess.Popen(["bash", "-c", line], pass_fds=high, stderr=subprocess.PIPE, text=True)
        for fd in high:
            os.close(fd)
        return server

    with socket.create_server(("127.0.0.1", 0)) as smtp, socket.create_server(("::1", 0), family=socket.AF_INET6) as second, \
            socket.socket(socket.AF_UNIX) as lmtp, socket.socket(socket.AF_UNIX) as idle:
        lmtp.bind(path)
        lmtp.listen()
        server = serve([smtp, second, lmtp], "smtp:smtp:lmtp")
        ask = lambda *words: subprocess.run([PROGRAM, *words, "--config", config], capture_output=True, text=True, timeout=60)
        limit = time.monotonic() + 20
        while ask("status").returncode != 0 and server.poll() is None and time.monotonic() < limit:
            time.sleep(0.05)
        shown = sorted((port["name"], port["address"]) for port in json.loads(ask("status", "--json").stdout or '{"ports": []}')["ports"])
        wanted = [("lmtp", path), ("submit", f"{folder}/submit"), ("pop3s", f"127.0.0.1:{fixed}"), ("smtp", f"127.0.0.1:{smtp.getsockname()[1]}"), ("smtp", f"[::1]:{second.getsockname()[1]}")]
        check("what systemd passed on is used, the rest by the settings", shown == sorted(wanted), (shown, server.poll()))
        ask("user", "add", "ann@home.test")
        for name, session in (("a port", lambda: smtplib.SMTP("127.0.0.1", smtp.getsockname()[1], timeout=20)),
                              ("IPv6", lambda: smtplib.SMTP("::1", second.getsockname()[1], timeout=20)), ("a Unix socket", lambda: smtplib.LMTP(path))):
            with session() as mail:
                check(f"mail comes by {name} that was passed on", mail.sendmail("x@else.example", ["ann@home.test"], "Subject: x\r\n\r\nx\r\n") == {})
        flags = [pathlib.Path(f"/proc/{server.pid}/fdinfo/{fd}").read_text() for fd in (3, 4, 5)]
        check("they close on exec", all(int(re.search(r"flags:\s+(\d+)", text).group(1), 8) & os.O_CLOEXEC for text in flags), flags)
        server.terminate()
        check("it stops in order and leaves systemd its socket", server.wait(timeout=20) == 0 and os.path.exists(path), server.stderr.read())
        for sockets, names, said in (([smtp], "unknown", "FileDescriptorName="), ([smtp], "smtp:imap", "1 sockets and 2 names"),
                                     ([lmtp], "imaps", "only lmtp and submit may be"), ([idle], "lmtp", "does not listen"), ([smtp], "submit", "must be a Unix socket")):
            server = serve(sockets, names)
            _, told = server.communicate(timeout=20)
            check(f"{names}: {said}", server.returncode == 1 and said in told, told)
        server = serve([smtp], "smtp", pid=1)
        _, told = server.communicate(timeout=20)
        check("what was meant for another process is not taken", server.returncode == 1 and "192.0.2.1:1" in told, told)
        server = serve([smtp], "smtp", count="x")
        _, told = server.communicate(timeout=20)
        check("a number that is none is told", server.returncode == 1 and "LISTEN_FDS" in told, told)


def main():
    with tempfile.TemporaryDirectory() as folder:
        text = the_unit(folder)
        the_calls(text, folder)
    with tempfile.TemporaryDirectory() as folder:
        passed_on(folder)
    print(f"test result: {'FAILED' if wrong else 'ok'}. {checked - wrong} passed; {wrong} failed; 0 ignored;")
    sys.exit(bool(wrong))


main()
