#!/usr/bin/env python3
"""Two households that send to each other with DANE and MTA-STS in force: what is not proven gets nothing, and the domain
hears of it. Knot signs the zone, Unbound checks it, Python serves the policies.

Usage: policies.py PROGRAM. Prints a line a check and `test result:` as cargo does.
"""

import email
import email.policy
import gzip
import json
import shutil
import sqlite3
import ssl
import sys
import tempfile

from house import check, finish
from town import Home, Server, why_not, within

for program in ("unbound", "keymgr"):
    if shutil.which(program) is None:
        print(f"skipped: policies: {program} is not installed")
        sys.exit()
if reason := why_not():
    print(f"skipped: policies: {reason}")
    sys.exit()

from signed import Authority, Signed, Web  # noqa: E402

POLICY = "version: STSv1\r\nmode: {}\r\nmx: {}\r\nmax_age: 86400\r\n"
# By domain: which server, what its zone says of its certificate, and its policy.
RIGHT, OLD, PLAIN, LESSER = "127.0.0.2", "127.0.0.4", "127.0.0.5", "127.0.0.6"
DOMAINS = {
    "dane": (RIGHT, "own", None),
    "authority": (RIGHT, "authority", None),
    "wrong": (RIGHT, "wrong", None),
    "unknown": (RIGHT, "lame", None),
    "useless": (RIGHT, "useless", None),
    "oldown": (OLD, "old own", None),
    "old": (OLD, "authority", None),
    "clear": (PLAIN, "own", None),
    "both": (RIGHT, "own", ("enforce", "elsewhere.test")),
    "sts": (RIGHT, None, ("enforce", "mx.sts.test")),
    "wild": (RIGHT, None, ("enforce", "*.wild.test")),
    "expired": (OLD, None, ("enforce", "mx.expired.test")),
    "mismatch": (RIGHT, None, ("enforce", "mx.sts.test")),
    "named": (RIGHT, None, ("enforce", "mx.named.test")),
    "notls": (PLAIN, None, ("enforce", "mx.notls.test")),
    "testing": (OLD, None, ("testing", "mx.testing.test")),
    "none": (OLD, None, ("none", "mx.none.test")),
    "gone": (OLD, None, None),
    "moved": (OLD, None, None),
    "html": (OLD, None, None),
    "stranger": (OLD, None, None),
    "nothing": (OLD, None, None),
}
# These have a record and no policy that counts.
FAULTY = ("gone", "moved", "html", "stranger")


def records(pins):
    lines = ["home MX 10 mail.home", "mail.home A 127.0.0.1", "silent.test. A 127.0.0.99",
             "second MX 10 mx1.second", "second MX 20 mx.dane", f"mx1.second A {LESSER}"]
    for name, (server, pin, policy) in DOMAINS.items():
        lines += [f"{name} MX 10 mx.{name}", f"mx.{name} A {server}", f"mta-sts.{name} A 127.0.0.3"]
        if pin == "lame":
            lines += [f"_tcp.mx.{name} NS lame.{name}", f"lame.{name} A 127.0.0.98"]
        elif pin:
            lines.append(f"_25._tcp.mx.{name} TLSA {pins[pin]}")
        if policy or name in FAULTY:
            lines.append(f'_mta-sts.{name} TXT "v=STSv1; id=1;"')
    return lines


def said(home):
    """By domain."""
    found = {}
    for message in home.json("queue", "list"):
        for recipient in message["recipients"]:
            found[recipient["address"].split("@")[1].removesuffix(".test")] = recipient["result"] or ""
    return found


def text(subject, more=""):
    return f"From: Ann <ann@home.test>\r\nSubject: {subject}\r\n{more}\r\nHello\r\n"


def came(house, subject):
    return [raw for raw in house.mail("ann") if f"\nSubject: {subject}\r\n".encode() in raw]


def notices(home):
    parsed = (email.message_from_bytes(raw, policy=email.policy.default) for raw in home.mail("ann"))
    return [one for one in parsed if one.get_content_type() == "multipart/report"]


def enforced(home, houses, plain, logs):
    for name in DOMAINS:
        home.send([f"joe@{name}.test"], text(f"to {name}"))
    arrive = ["dane", "authority", "useless", "oldown", "both", "sts", "wild", "testing", "none", "nothing", *FAULTY]
    for name in arrive:
        house = houses[DOMAINS[name][0]]
        check(f"{name}: it arrives", within(10, lambda: len(came(house, f"to {name}")) == 1), (said(home).get(name), logs()))
        check(f"{name}: ... by TLS", b" with ESMTPS" in b"".join(came(house, f"to {name}")))
    for name, words in {
        "wrong": "DANE", "unknown": "which certificates", "old": "expired", "clear": "no TLS", "expired": "expired",
        "mismatch": "not among the servers", "named": "another name", "notls": "no TLS",
    }.items():
        check(f"{name}: it is kept, and it is said why", within(10, lambda: words in said(home).get(name, "")), (said(home).get(name), logs()))
        house = houses.get(DOMAINS[name][0])
        check(f"{name}: ... and nothing was given away", house is None or not came(house, f"to {name}"))
    check("a server without TLS heard neither sender nor recipient", not any(line.startswith(("MAIL", "RCPT")) for line in plain.lines), plain.lines)
    for message in home.json("queue", "list"):
        home.run("queue", "drop", message["id"])


def demanded(home, houses, lesser):
    """RFC 8689."""
    home.send(["joe@dane.test"], text("must be safe"), options=["REQUIRETLS"])
    check("REQUIRETLS: it arrives where DANE proves the server", within(10, lambda: came(houses[RIGHT], "must be safe")), said(home))
    home.send(["joe@sts.test"], text("safe by policy"), options=["REQUIRETLS"])
    check("... and where the policy does", within(10, lambda: came(houses[RIGHT], "safe by policy")), said(home))
    before = len(notices(home))
    home.send(["joe@nothing.test"], text("not safe"), options=["REQUIRETLS", "RET=FULL"])
    check("... where nothing does, it comes back", within(10, lambda: len(notices(home)) == before + 1) and not came(houses[OLD], "not safe"), said(home))
    notice = notices(home)[-1]
    fields = {name.lower(): value for name, value in notice.get_payload(1).get_payload()[-1].items()}
    check("... with the status for it", fields["status"] == "5.7.10", fields)
    check("... and its text does not come back", notice.get_payload(2).get_content_type() == "text/rfc822-headers")
    home.send(["joe@clear.test"], text("no TLS at all"), options=["REQUIRETLS"])
    check("... without TLS too", within(10, lambda: len(notices(home)) == before + 2), said(home))
    home.send(["joe@second.test"], text("by the second"), options=["REQUIRETLS"])
    check("... a host that does not promise it is passed by for one that does", within(10, lambda: came(houses[RIGHT], "by the second")) and "STARTTLS" in lesser.lines
          and not any(line.startswith("MAIL") for line in lesser.lines), (lesser.lines, said(home)))
    home.send(["joe@wrong.test"], text("need not be safe", "TLS-Required: No\r\n"))
    check("TLS-Required: No: it arrives in spite of a wrong record", within(10, lambda: came(houses[RIGHT], "need not be safe")), said(home))
    home.send(["joe@mismatch.test"], text("in spite of the policy", "TLS-Required:\r\n no\r\n"))
    check("... and of a policy", within(10, lambda: came(houses[RIGHT], "in spite of the policy")), said(home))


def kept(home, dns, web, zone, houses):
    """A policy holds after its page and its record are gone, and after a start."""
    asked = [path for path in web.asked if path[0] == "mta-sts.sts.test"]
    check("a policy is fetched once for its id", asked == [("mta-sts.sts.test", "/.well-known/mta-sts.txt")], asked)
    moved = [path for path in web.asked if path[0] in ("mta-sts.moved.test", "elsewhere.test")]
    check("no redirection is followed", {path[0] for path in moved} == {"mta-sts.moved.test"}, moved)
    web.pages.pop("mta-sts.sts.test")
    home.stop()
    changed = [line for line in zone if not line.startswith("_mta-sts.sts ")]
    dns.change("\n".join(changed).replace(f"mx.sts A {RIGHT}", f"mx.sts A {OLD}"))
    home.start()
    home.send(["joe@sts.test"], text("after a start"))
    check("a policy holds after a start, without its record", within(10, lambda: "expired" in said(home).get("sts", "")) and not came(houses[OLD], "after a start"), said(home))
    web.pages["mta-sts.sts.test"] = (200, {}, POLICY.format("none", "mx.sts.test"))
    dns.change("\n".join([*changed, '_mta-sts.sts TXT "v=STSv1; id=2;"']).replace(f"mx.sts A {RIGHT}", f"mx.sts A {OLD}"))

    def arrives():
        # What DNS said before is known for a second.
        home.run("queue", "retry")
        return came(houses[OLD], "after a start")

    check("... and is replaced by one with another id", within(10, arrives), said(home))
    dns.change("\n".join(zone))


def reported(home, houses, web):
    home.stop()
    with sqlite3.connect(home.data / "state.db") as db:
        days = db.execute("SELECT count(*) FROM tls_tallies").fetchone()[0]
        check("what happened is kept at the stop", days >= 10, days)
        db.execute("UPDATE tls_tallies SET day = day - 3")
    home.start()
    house = houses[RIGHT]

    def reports():
        parsed = (email.message_from_bytes(raw, policy=email.policy.default) for raw in house.mail("bob"))
        return {one["TLS-Report-Domain"]: one for one in parsed if one["TLS-Report-Domain"]}

    check("domains that ask for it hear of their days by mail", within(10, lambda: set(reports()) == {"sts.test", "wrong.test"}), (list(reports()), said(home)))
    letter = reports()["wrong.test"]
    check("the letter is as RFC 8460 has it", letter.get_content_type() == "multipart/report" and letter.get_param("report-type") == "tlsrpt"
          and letter["TLS-Report-Submitter"] == "home.test" and "Report Domain: wrong.test Submitter: home.test Report-ID: <" in letter["Subject"], letter["Subject"])
    check("... and is signed", letter["DKIM-Signature"] is not None)
    part = letter.get_payload(1)
    check("... with a file of the right name", part.get_content_type() == "application/tlsrpt+gzip" and part.get_filename().startswith("home.test!wrong.test!"), part.get_filename())
    report = json.loads(gzip.decompress(part.get_payload(decode=True)))
    policy = report["policies"][0]
    check("it says which record did not fit", policy["policy"]["policy-type"] == "tlsa" and policy["policy"]["policy-string"][0].startswith("3 1 1 ")
          and policy["summary"] == {"total-successful-session-count": 0, "total-failure-session-count": 1}
          and policy["failure-details"][0]["result-type"] == "certificate-host-mismatch" and policy["failure-details"][0]["receiving-ip"] == RIGHT, report)
    begin, end = report["date-range"]["start-datetime"], report["date-range"]["end-datetime"]
    check("it is of one whole day", begin[:10] == end[:10] and begin.endswith("T00:00:00Z") and end.endswith("T23:59:59Z"), report["date-range"])
    check("one that asks for it by HTTPS gets it so", within(10, lambda: web.posted), said(home))
    host, path, kind, body = web.posted[0]
    check("... in the same form", (host, path, kind) == ("mta-sts.testing.test", "/tlsrpt", "application/tlsrpt+gzip"), web.posted[0][:3])
    policy = json.loads(gzip.decompress(body))["policies"][0]
    check("a policy that is tested fails nobody, and its domain hears of it", policy["policy"]["policy-type"] == "sts" and "mode: testing" in policy["policy"]["policy-string"]
          and policy["failure-details"][0]["result-type"] == "certificate-expired", policy)
    with sqlite3.connect(home.data / "state.db") as db:
        check("what was reported, or nobody asks for, is forgotten", within(10, lambda: db.execute("SELECT count(*) FROM tls_tallies WHERE day < unixepoch() / 86400 - 1").fetchone()[0] == 0))


def main():
    with tempfile.TemporaryDirectory() as folder:
        authority = Authority(folder)
        right = [f"mx.{name}.test" for name, (server, *_) in DOMAINS.items() if server == RIGHT and name != "named"]
        chain, key, own, by_authority = authority.issue("right", right)
        # It takes over for another in the end.
        old = [f"mx.{name}.test" for name, (server, *_) in DOMAINS.items() if server == OLD or name == "sts"]
        old_chain, old_key, old_own, _ = authority.issue("old", old, days=(-30, -1))
        pins = {"own": own, "authority": by_authority, "wrong": f"3 1 1 {'00' * 32}", "old own": old_own, "useless": f"1 1 1 {'00' * 32}"}
        zone = records(pins)
        zone += ['_smtp._tls.sts TXT "v=TLSRPTv1; rua=mailto:tls@sts.test"', '_smtp._tls.wrong TXT "v=TLSRPTv1; rua=mailto:tls@sts.test"',
                 '_smtp._tls.testing TXT "v=TLSRPTv1; rua=https://mta-sts.testing.test/tlsrpt"']
        dns = Signed(folder, "\n".join(zone))
        hosts = [f"mta-sts.{name}.test" for name in DOMAINS if name != "stranger"]
        pages = {f"mta-sts.{name}.test": (200, {}, POLICY.format(*policy)) for name, (_, _, policy) in DOMAINS.items() if policy}
        enforce = POLICY.format("enforce", "mx.sts.test")
        pages |= {"mta-sts.gone.test": (404, {}, enforce), "mta-sts.moved.test": (301, {"Location": "https://elsewhere.test/"}, enforce),
                  "mta-sts.html.test": (200, {"Content-Type": "text/html"}, enforce), "mta-sts.stranger.test": (200, {}, enforce)}
        web_chain, web_key, *_ = authority.issue("web", hosts)
        web = Web("127.0.0.3", web_chain, web_key, pages)
        houses = {}
        for address, domain, files in ((RIGHT, "right", (chain, key)), (OLD, "older", (old_chain, old_key))):
            settings = f'[tls]\ncertificate = "{files[0]}"\nkey = "{files[1]}"\n'
            houses[address] = Home(folder, f"{domain}.test", address, dns, settings)
            for name in (name for name, (server, *_) in DOMAINS.items() if server == address or name == "sts"):
                houses[address].run("domain", "add", f"{name}.test", "--catch-all", f"ann@{domain}.test")
        houses[RIGHT].run("alias", "add", "tls@sts.test", "bob@right.test")
        houses[RIGHT].run("domain", "add", "second.test", "--catch-all", "ann@right.test")
        plain = Server(PLAIN, offers=["PIPELINING", "8BITMIME"])
        # The first host of a domain whose second is the right house.
        lesser_chain, lesser_key, *_ = authority.issue("lesser", ["mx1.second.test"])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(lesser_chain, lesser_key)
        lesser = Server(LESSER, offers=["PIPELINING", "8BITMIME", "STARTTLS"], tls=context)
        home = Home(folder, "home.test", "127.0.0.1", dns, trusted=authority.path)

        def logs():
            return (home.folder / "log").read_text()[-1500:]

        for part in (lambda: enforced(home, houses, plain, logs), lambda: demanded(home, houses, lesser),
                     lambda: kept(home, dns, web, zone, houses), lambda: reported(home, houses, web)):
            part()
        for house in (home, *houses.values()):
            house.stop()
    finish()


main()
