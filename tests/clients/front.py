"""A private Postfix that stands in front of a server and hands mail on to it by LMTP. It has its own folder, runs on a
loopback port, and is stopped by its pid."""

import os
import pathlib
import pwd
import shutil
import signal
import smtplib
import socket
import subprocess
import time

DAEMONS = pathlib.Path("/usr/lib/postfix/sbin")

MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/spool
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = {daemons}
mail_owner = postfix
setgid_group = postdrop
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
myhostname = front.test
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
relay_domains = {domains}
relay_transport = lmtp:{next_hop}
default_transport = error:nothing leaves this test
smtpd_relay_restrictions = permit_mynetworks, reject
smtputf8_enable = yes
message_size_limit = 52428800
smtpd_tls_security_level = none
lmtp_tls_security_level = none
"""

MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
lmtp unix - - n - - lmtp
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


def why_not():
    """Postfix changes users, so only root can run it."""
    if os.geteuid() != 0:
        return "Postfix runs as root only"
    return None if (DAEMONS / "master").exists() else "Postfix is not installed"


class Front:
    def __init__(self, folder, next_hop, domains):
        self.folder = pathlib.Path(folder)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.folder.chmod(0o755)
        words = {"folder": self.folder, "daemons": DAEMONS, "next_hop": next_hop, "domains": domains, "port": self.port}
        (self.folder / "main.cf").write_text(MAIN.format(**words))
        (self.folder / "master.cf").write_text(MASTER.format(**words))
        (self.folder / "spool").mkdir()
        (self.folder / "data").mkdir()
        shutil.chown(self.folder / "data", pwd.getpwnam("postfix").pw_uid)
        subprocess.run(["/usr/sbin/postfix", "-c", self.folder, "check"], capture_output=True, check=True)
        self.start()

    def start(self):
        self.process = subprocess.Popen([DAEMONS / "master", "-d", "-c", self.folder], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def session(self):
        limit = time.monotonic() + 20
        while True:
            try:
                return smtplib.SMTP("127.0.0.1", self.port, timeout=20)
            except OSError:
                if time.monotonic() > limit:
                    raise
                time.sleep(0.05)

    def log(self):
        return (self.folder / "log").read_text(errors="replace") if (self.folder / "log").exists() else ""

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=20)
