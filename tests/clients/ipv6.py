#!/usr/bin/env python3
"""IPv6 to other servers only from an address that has a name (PTR) which leads back to it. In a network of its own, where
this machine has an address of the whole world.

Usage: ipv6.py PROGRAM, as root. Prints a line a check and `test result:` as cargo does.
"""

import ipaddress
import os
import subprocess
import sys
import tempfile

OWN, OTHER = "2001:db8::10", "2001:db8::20"

if os.environ.get("PILLARBOX_NETWORK") != "own":
    tried = subprocess.run(["unshare", "--net", "true"], capture_output=True)
    if tried.returncode != 0:
        print("skipped: ipv6: no network of its own can be had (not root?)")
        sys.exit()
    os.environ["PILLARBOX_NETWORK"] = "own"
    os.execvp("unshare", ["unshare", "--net", sys.executable, *sys.argv])

for command in ("link set lo up", f"-6 address add {OWN}/128 dev lo nodad", f"-6 address add {OTHER}/128 dev lo nodad", "-6 route add default dev lo src " + OWN):
    done = subprocess.run(["ip", *command.split()], capture_output=True, text=True)
    if done.returncode != 0:
        print(f"skipped: ipv6: ip {command}: {done.stderr.strip()}")
        sys.exit()

from house import check, finish  # noqa: E402
from town import Dns, Home, Server, why_not, within  # noqa: E402

if reason := why_not():
    print(f"skipped: ipv6: {reason}")
    sys.exit()

RECORDS = f"""
home      MX 10 mail.home
mail.home A 127.0.0.1
mail.home AAAA {OWN}
else      MX 10 mx.else
mx.else   A 127.0.0.2
mx.else   AAAA {OTHER}
"""


def main():
    place = ipaddress.ip_address(OWN).reverse_pointer
    with tempfile.TemporaryDirectory() as folder:
        for name, records, expected in (("with a name that leads back", f"{place}. PTR mail.home.test.", OTHER), ("without a name", "", "127.0.0.2"),
                                        ("with a name that leads elsewhere", f"{place}. PTR mx.else.test.", "127.0.0.2")):
            inner = os.path.join(folder, name.replace(" ", "-"))
            os.mkdir(inner)
            dns = Dns(inner, RECORDS, zones={"ip6.arpa": records})
            home = Home(inner, "home.test", "127.0.0.1", dns)
            servers = {address: Server(address) for address in (OTHER, "127.0.0.2")}
            home.send(["joe@else.test"], "From: ann@home.test\r\nSubject: x\r\n\r\ny\r\n")
            check(f"{name}: by {'IPv6' if ':' in expected else 'IPv4'}", within(10, lambda: servers[expected].taken) and sum(len(server.taken) for server in servers.values()) == 1,
                  {address: server.lines for address, server in servers.items()})
            if ":" in expected:
                servers[OTHER].stop()
                home.send(["joe@else.test"], "From: ann@home.test\r\nSubject: again\r\n\r\ny\r\n")
                check("... and by IPv4 when that fails", within(10, lambda: servers["127.0.0.2"].taken))
            for server in servers.values():
                if server.fileno() >= 0:
                    server.stop()
            home.stop()
            dns.stop()
    finish()


main()
