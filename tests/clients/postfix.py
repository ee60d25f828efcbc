"""A private Postfix: it has its own folder, works in the foreground, and is stopped by its pid."""

import atexit
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import time

DAEMONS = pathlib.Path("/usr/lib/postfix/sbin")

SETTINGS = {
    "compatibility_level": "3.6",
    "queue_directory": "{folder}/spool",
    "data_directory": "{folder}/data",
    "command_directory": "/usr/sbin",
    "daemon_directory": DAEMONS,
    "mail_owner": "postfix",
    "setgid_group": "postdrop",
    "maillog_file": "{folder}/log",
    "maillog_file_prefixes": "{folder}",
    "mydestination": "",
    "inet_protocols": "ipv4",
    "alias_maps": "",
    "alias_database": "",
    "smtputf8_enable": "yes",
    "message_size_limit": "52428800",
}

SERVICES = """
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
verify unix - - n - 1 verify
showq unix n - n - - showq
proxymap unix - - n - - proxymap
lmtp unix - - n - - lmtp
smtp unix - - n - - smtp
virtual unix - n n - - virtual
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""

# Runs a program that sees other name servers than the machine has.
WITH_RESOLV_CONF = ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/resolv.conf && exec "$@"']


def why_not():
    """Postfix changes users, so only root can run it."""
    if os.geteuid() != 0:
        return "Postfix runs as root only"
    return None if (DAEMONS / "master").exists() else "Postfix is not installed"


def why_no_names():
    """Postfix finds names by the C library, which knows one file only."""
    done = subprocess.run([*WITH_RESOLV_CONF, "/etc/hostname", "true"], capture_output=True, text=True)
    return None if done.returncode == 0 else f"there is no namespace for name servers ({done.stderr.strip()})"


class Postfix:
    """`settings` go into main.cf over those above. `listeners` are lines of master.cf."""

    def __init__(self, folder, settings, listeners, resolv_conf=None):
        self.folder = pathlib.Path(folder)
        self.folder.chmod(0o755)
        self.prefix = [*WITH_RESOLV_CONF, resolv_conf] if resolv_conf else []
        self.settings = {**SETTINGS, **settings}
        self.write()
        (self.folder / "master.cf").write_text(listeners + SERVICES)
        (self.folder / "spool").mkdir()
        (self.folder / "data").mkdir()
        shutil.chown(self.folder / "data", pwd.getpwnam("postfix").pw_uid)
        subprocess.run(["/usr/sbin/postfix", "-c", self.folder, "check"], capture_output=True, check=True)
        self.start()

    def write(self, **changes):
        lines = {**self.settings, **changes}.items()
        (self.folder / "main.cf").write_text("".join(f"{name} = {value}\n" for name, value in lines).replace("{folder}", str(self.folder)))

    def start(self):
        command = [*self.prefix, DAEMONS / "master", "-d", "-c", self.folder]
        # It ends its process group with itself.
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        atexit.register(self.process.terminate)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=20)

    def log(self):
        return (self.folder / "log").read_text(errors="replace") if (self.folder / "log").exists() else ""

    def queued(self, names=("maildrop", "incoming", "active", "deferred")):
        """Has it something that has not left?"""
        return any(file for name in names for _, _, files in os.walk(self.folder / "spool" / name) for file in files)

    def flush(self):
        """What was deferred is tried now."""
        subprocess.run(["/usr/sbin/postqueue", "-c", self.folder, "-f"], check=True)
