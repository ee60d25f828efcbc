"""A private Postfix that stands in front of a server and hands mail on to it by LMTP."""

import smtplib
import socket
import time

from postfix import Postfix


class Front(Postfix):
    def __init__(self, folder, next_hop, domains):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        settings = {
            "myhostname": "front.test",
            "mynetworks": "127.0.0.0/8",
            "inet_interfaces": "127.0.0.1",
            "relay_domains": domains,
            "relay_transport": f"lmtp:{next_hop}",
            "default_transport": "error:nothing leaves this test",
            "smtpd_relay_restrictions": "permit_mynetworks, reject",
            "smtpd_tls_security_level": "none",
            "lmtp_tls_security_level": "none",
        }
        super().__init__(folder, settings, f"127.0.0.1:{self.port} inet n - n - - smtpd")

    def session(self):
        limit = time.monotonic() + 20
        while True:
            try:
                return smtplib.SMTP("127.0.0.1", self.port, timeout=20)
            except OSError:
                if time.monotonic() > limit:
                    raise
                time.sleep(0.05)
