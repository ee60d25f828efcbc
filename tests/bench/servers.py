"""The servers that are measured: Pillarbox as `try` runs it, and Postfix with Dovecot, from Debian, set up for the same:
SMTP in, LMTP between the two, Maildir, IMAP and POP3 over TLS and in the clear."""

import contextlib
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from front import Front
from house import PROGRAM, Box, free_ports
from measure import tree
from postfix import why_not


def wait_for(port, first):
    """A connection whose banner has begun."""
    limit = time.monotonic() + 60
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
                assert connection.recv(len(first)) == first
                return
        except OSError:
            assert time.monotonic() < limit, f"port {port} does not answer"
            time.sleep(0.005)


@contextlib.contextmanager
def running(make):
    """A server in a new folder, which is stopped whatever happens."""
    with tempfile.TemporaryDirectory() as folder:
        server = make(folder)
        try:
            yield server
        finally:
            server.stop()


class Pillarbox:
    NAME = "Pillarbox"

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.start()

    def start(self):
        # A log that nobody reads would hold the server up.
        self.box = Box(self.folder, log=subprocess.DEVNULL)
        self.ports, self.accounts = self.box.ports, self.box.accounts
        wait_for(self.ports["imap"], b"* OK")
        wait_for(self.ports["smtp"], b"220 ")

    def stop(self):
        self.box.stop()

    def kill(self):
        self.box.process.kill()
        self.box.process.wait()

    def pids(self):
        return [self.box.process.pid]

    def maildir(self, account):
        return self.box.maildir(account + 1)

    def queued(self):
        """What has been answered 250 lies in the Maildir."""
        return False

    def lose_index(self, account):
        for path in self.maildir(account).parent.glob("index.db*"):
            path.unlink()

    @staticmethod
    def bytes_on_disk():
        return os.path.getsize(PROGRAM)


DOVECOT = """
protocols = imap pop3 lmtp
base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/log
listen = 127.0.0.1
ssl = yes
ssl_cert = <{folder}/cert.pem
ssl_key = <{folder}/key.pem
auth_mechanisms = plain login
mail_location = maildir:~/Maildir
first_valid_uid = 1
mail_max_userip_connections = 1000
passdb {{
  driver = passwd-file
  args = {folder}/passwd
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={folder}/home/%n
}}
namespace inbox {{
  inbox = yes
  separator = /
  mailbox Archive {{
    auto = create
  }}
  mailbox Trash {{
    auto = create
  }}
}}
service imap-login {{
  process_limit = 400
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service lmtp {{
  unix_listener {folder}/lmtp {{
    mode = 0666
  }}
}}
"""


class Peer:
    NAME = "Postfix + Dovecot"

    def __init__(self, folder):
        self.folder = pathlib.Path(folder) / "dovecot"
        self.folder.mkdir()
        pathlib.Path(folder).chmod(0o755)
        self.front_folder = pathlib.Path(folder) / "postfix"
        self.front_folder.mkdir()
        self.ports = dict(zip(("imap", "imaps", "pop3"), free_ports(3)))
        self.accounts = [{"address": f"{name}@peer.test", "password": "nya4-wmfp-y5np-nr4w"} for name in ("ann", "bob")]
        (self.folder / "dovecot.conf").write_text(DOVECOT.format(folder=self.folder, **self.ports))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                        "-subj", "/CN=peer.test", "-keyout", self.folder / "key.pem", "-out", self.folder / "cert.pem"], check=True, capture_output=True)
        # The scheme that it takes of itself.
        done = subprocess.run(["doveadm", "-c", self.folder / "dovecot.conf", "pw", "-p", self.accounts[0]["password"]],
                              check=True, capture_output=True, text=True)
        (self.folder / "passwd").write_text("".join(f"{who['address']}:{done.stdout.strip()}\n" for who in self.accounts))
        (self.folder / "home").mkdir()
        shutil.chown(self.folder / "home", "nobody", "nogroup")
        self.front = None
        self.start()

    def start(self):
        self.dovecot = subprocess.Popen(["dovecot", "-F", "-c", self.folder / "dovecot.conf"])
        if self.front is None:
            self.front = Front(self.front_folder, f"unix:{self.folder}/lmtp", "peer.test")
        else:
            self.front.start()
        self.ports["smtp"] = self.front.port
        wait_for(self.ports["imap"], b"* OK")
        wait_for(self.ports["smtp"], b"220 ")

    def stop(self):
        self.front.stop()
        self.dovecot.send_signal(signal.SIGTERM)
        self.dovecot.wait(timeout=30)

    def kill(self):
        for pid in tree(self.pids()):
            os.kill(pid, signal.SIGKILL)
        self.dovecot.wait()
        self.front.process.wait()

    def pids(self):
        return [self.dovecot.pid, self.front.process.pid]

    def maildir(self, account):
        return self.folder / "home" / self.accounts[account]["address"].split("@")[0] / "Maildir"

    def queued(self):
        """Has Postfix something that Dovecot has not yet taken?"""
        return self.front.queued(("maildrop", "incoming", "active"))

    def lose_index(self, account):
        for path in self.maildir(account).glob("dovecot.index*"):
            path.unlink()

    @staticmethod
    def bytes_on_disk():
        done = subprocess.run(["dpkg-query", "-W", "-f", "${Installed-Size}\n", "postfix", "dovecot-core", "dovecot-imapd", "dovecot-pop3d", "dovecot-lmtpd"],
                              check=True, capture_output=True, text=True)
        return sum(int(line) * 1024 for line in re.findall(r"\d+", done.stdout))


def why_no_peer():
    if not shutil.which("dovecot") or not pathlib.Path("/usr/lib/dovecot/lmtp").exists():
        return "Dovecot is not installed"
    return why_not()
