#!/usr/bin/env python3
"""Our signatures hold for dkimpy (RSA and Ed25519) and OpenDKIM, over awkward and real messages, and break when they must;
keys are listed, changed over and removed by commands; the printed records are a zone that named-checkzone takes, and are
enough to check the signatures.

Usage: dkim.py PROGRAM. The program `sign` lies in `examples` beside it, dkimpy and dnspython in target/python.
"""

import json
import logging
import os
import pathlib
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time

from house import PROGRAM, Box, check, eventually, finish, free_ports

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "target" / "python"))
import dkim
import dns.zone

SIGN = pathlib.Path(PROGRAM).resolve().parent / "examples" / "sign"
VECTORS = pathlib.Path(os.environ.get("PILLARBOX_VECTORS", ROOT.parent / "shared" / "vectors"))
DAY = 86400
quiet = logging.getLogger("dkimpy")
quiet.setLevel(logging.CRITICAL)

PLAIN = b"From: Ann <ann@pillarbox.test>\r\nTo: Joe <joe@else.example>\r\nSubject: Dinner?\r\nDate: Sat, 28 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@pillarbox.test>\r\n\r\nHello  Joe,\r\n\r\ndinner at eight?\r\n"
HEAD, BODY = PLAIN.split(b"\r\n\r\n", 1)
HEAD += b"\r\n"
AWKWARD = {
    "plain": PLAIN,
    "folded fields": HEAD + b"Cc: a@b.example,\r\n\t c@d.example,\r\n  \te@f.example \t\r\n\r\n" + BODY,
    "a fold with nothing on it": HEAD + b"References: <a@b>\r\n \r\n\t<c@d>\r\n \r\n\r\n" + BODY,
    "repeated fields": HEAD + b"To: second@else.example\r\nReceived: a\r\nSubject: again\r\nReceived: b\r\nto: third@else.example\r\n\r\n" + BODY,
    "names in any case": b"FROM: a@pillarbox.test\r\nsubject:x\r\nSuBjEcT:\ty\r\nMime-version: 1.0\r\n\r\n" + BODY,
    "tabs": b"From:\ta@pillarbox.test\r\nSubject:\t \tone\ttwo \t three\t\r\n\r\na\tb \tc\t\r\n\t\r\n \td\r\n",
    "blank lines at the end": HEAD + b"\r\n" + BODY + b"\r\n" * 50,
    "blank lines with blanks": HEAD + b"\r\n" + BODY + b" \r\n\t\r\n \t \r\n",
    "blank lines before text": HEAD + b"\r\n" + b"\r\n" * 9 + BODY,
    "an empty body": HEAD + b"\r\n",
    "a body of blank lines": HEAD + b"\r\n\r\n\r\n",
    "a body of blanks": HEAD + b"\r\n \t\r\n \r\n",
    "8-bit": HEAD.replace(b"Dinner", "Büro \u2603".encode()) + b"\r\n" + "Grüße\u00a0\u2603\r\n".encode() + bytes(range(128, 256)) + b"\r\n",
    "long lines": HEAD + b"X-Long: " + b"x" * 990 + b"\r\nReferences:" + b" <0123456789@else.example>" * 38 + b"\r\n\r\n" + (b"word " * 199 + b"\r\n") * 50 + b"y" * 998 + b"\r\n",
    "a long subject": HEAD.replace(b"Dinner?", b"\r\n ".join([b"words and words"] * 400)) + b"\r\n" + BODY,
    "missing fields": b"From: a@pillarbox.test\r\n\r\nx\r\n",
    "empty fields": b"From: a@pillarbox.test\r\nSubject:\r\nTo: \r\nCc:\t\r\n\r\nx\r\n",
    "lists": HEAD + b"List-Id: <l.pillarbox.test>\r\nList-Unsubscribe: <mailto:x@pillarbox.test>,\r\n <https://pillarbox.test/u?a=b;c>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nSender: l@pillarbox.test\r\n\r\n" + BODY,
    "a resend": b"Resent-From: b@pillarbox.test\r\nResent-To: c@else.example\r\nResent-Date: Sat, 28 Nov 2026 11:00:00 +0000\r\n" + PLAIN,
    "signed before": b"DKIM-Signature: v=1; a=rsa-sha256; d=else.example; s=x; h=from; bh=AAAA; b=AAAA\r\n" + PLAIN,
    "dots and words of headers": HEAD + b"\r\n.\r\n..\r\nFrom nobody\r\nFrom: nobody\r\n\r\n",
    "a large body": HEAD + b"\r\n" + b"".join(b"%d  some \t text that is \t long enough \r\n" % n for n in range(20000)),
}
# What others may do to a message without touching what it says.
HARMLESS = {
    "blank lines at the end": lambda m: m + b"\r\n\r\n",
    "other folds": lambda m: m.replace(b"To: Joe <joe", b"To:\r\n\tJoe\r\n  <joe"),
    "other names of fields": lambda m: m.replace(b"\r\nSubject: ", b"\r\nSUBJECT:\t"),
    "trace fields": lambda m: b"Received: from a by b; Sat, 28 Nov 2026 10:00:00 +0000\r\nReturn-Path: <>\r\n" + m,
    "a list's fields": lambda m: b"List-Id: <l.else.example>\r\nSender: l@else.example\r\n" + m,
    "blanks in the body": lambda m: m.replace(b"Hello  Joe,", b"Hello \t Joe,  "),
}
HARMFUL = {
    "another word": lambda m: m.replace(b"eight", b"seven"),
    "another subject": lambda m: m.replace(b"Subject: Dinner", b"Subject: Lunch"),
    "a second From on top": lambda m: b"From: boss@bank.example\r\n" + m,
    "a second From below": lambda m: m.replace(b"\r\n\r\n", b"\r\nFrom: boss@bank.example\r\n\r\n", 1),
    "a second Subject on top": lambda m: b"Subject: Win\r\n" + m,
    "a second Subject below": lambda m: m.replace(b"\r\n\r\n", b"\r\nSubject: Win\r\n\r\n", 1),
    "a Cc where there was none": lambda m: b"Cc: all@else.example\r\n" + m,
    "a Reply-To where there was none": lambda m: b"Reply-To: thief@else.example\r\n" + m,
    "another Content-Type": lambda m: b"Content-Type: text/html\r\n" + m,
    "no Date": lambda m: re.sub(rb"Date: [^\r]*\r\n", b"", m),
    "more text": lambda m: m + b"And send money.\r\n",
    "less text": lambda m: m.replace(b"dinner at eight?\r\n", b""),
    "another line": lambda m: m.replace(b"\r\n\r\ndinner", b"\r\ndinner"),
    "another time": lambda m: re.sub(rb"t=\d+", b"t=1", m),
    "another signature": lambda m: re.sub(rb" b=(.)", lambda found: b" b=" + (b"A" if found[1] != b"A" else b"B"), m),
}


def sign(folder, message, domain="pillarbox.test", now=None):
    now = str(int(time.time()) if now is None else now)
    done = subprocess.run([SIGN, folder, domain, now], input=message, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def fields_of(signed):
    """The two fields apart."""
    rsa, ed = re.findall(rb"DKIM-Signature:.*?\r\n(?![ \t])", signed, re.S)
    return {"rsa": rsa, "ed25519": ed}


def dkimpy(message, texts):
    """Does the first signature hold for dkimpy? `texts` has TXT records by name."""
    look = lambda name, timeout=5: texts.get((name.decode() if isinstance(name, bytes) else name).rstrip("."))
    try:
        return dkim.DKIM(message, logger=quiet).verify(0, dnsfunc=look)
    except dkim.DKIMException:
        return False


class OpenDkim:
    """Its verifier, with keys from a file."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.keys, self.message = self.folder / "opendkim-keys", self.folder / "opendkim-message"
        self.conf = self.folder / "opendkim.conf"
        self.conf.write_text(f"TestPublicKeys {self.keys}\nSyslog no\n")

    def learn(self, texts):
        self.keys.write_text("".join(f"{name} {text.decode()}\n" for name, text in texts.items() if "_domainkey" in name))

    def results(self, message):
        """What has come of our signatures, by algorithm; None for a message that it does not read: one without From, with
        one that is no address, or with a field that it finds too large."""
        self.message.write_bytes(message)
        command = ["opendkim", "-x", self.conf, "-v", "-v", "-t", self.message]
        done = subprocess.run(command, capture_output=True, timeout=60)
        if b"dkim=permerror (bad message" in done.stdout or b"' too large" in done.stderr:
            return None
        found = re.findall(r"dkim=(\w+)[^;]*?header\.d=(\S+) [^;]*?header\.a=([\w-]+)", done.stdout.decode(errors="replace"))
        return {algorithm: result for result, domain, algorithm in found if domain == "pillarbox.test"}


def records(text, domain):
    """TXT records of a printed zone by name, as another program reads it."""
    zone = dns.zone.from_text(text, origin=domain, relativize=False, check_origin=False)
    return {name.to_text(omit_final_dot=True): b"".join(data.strings) for name, _, data in zone.iterate_rdatas("TXT")}


def checkzone(text, domain, folder):
    """What named-checkzone says to the zone, with what a provider puts around it and our addresses filled in."""
    around = f"$TTL 3600\n{domain}. IN SOA ns.{domain}. admin.{domain}. 1 7200 3600 1209600 3600\n{domain}. IN NS ns.{domain}.\nns.{domain}. IN A 192.0.2.53\n"
    text = re.sub(r"^; (\S+ IN A )YOUR-IPV4-ADDRESS$", r"\g<1>192.0.2.1", text, flags=re.M)
    text = re.sub(r"^; (\S+ IN AAAA )YOUR-IPV6-ADDRESS$", r"\g<1>2001:db8::1", text, flags=re.M)
    path = pathlib.Path(folder) / "zone"
    path.write_text(around + text)
    done = subprocess.run(["named-checkzone", "-i", "local", domain, path], capture_output=True, text=True, timeout=30)
    return done.returncode, done.stdout + done.stderr


def real_messages():
    folder = VECTORS / "mime-corpus"
    if not folder.is_dir():
        print(f"skipped: no test vectors at {VECTORS}")
        return
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix in (".eml", ".msg", ".txt", ".mbox"):
            text = path.read_bytes().replace(b"\r\n", b"\n").replace(b"\r", b"").replace(b"\0", b"").replace(b"\n", b"\r\n")
            text += b"" if text.endswith(b"\r\n") else b"\r\n"
            if re.match(rb"[!-9;-~]+[ \t]*:", text) and b"\r\n\r\n" in text:
                yield path.name, text


def signatures(folder, texts):
    other = OpenDkim(folder)
    other.learn(texts)
    for name, message in AWKWARD.items():
        signed = sign(folder, message)
        each = fields_of(signed)
        lines = signed.split(b"\r\n")
        check(f"{name}: lines are short", all(len(line) < 78 for line in lines) and signed.endswith(b"\r\n"), signed)
        for kind, field in each.items():
            check(f"{name}: dkimpy, {kind}", dkimpy(field + message, texts))
        seen = other.results(each["rsa"] + message) or {}
        check(f"{name}: OpenDKIM", seen.get("rsa-sha256") == "pass", seen)
    signed = sign(folder, PLAIN) + PLAIN
    check("both at once", other.results(signed) == {"rsa-sha256": "pass", "ed25519-sha256": "pass"}, other.results(signed))
    each = {kind: field + PLAIN for kind, field in fields_of(sign(folder, PLAIN)).items()}
    for name, alter in HARMLESS.items():
        seen = {kind: dkimpy(alter(message), texts) for kind, message in each.items()}
        check(f"holds after {name}", all(seen.values()) and other.results(alter(each["rsa"])) == {"rsa-sha256": "pass"}, seen)
    for name, alter in HARMFUL.items():
        assert alter(each["rsa"]) != each["rsa"] and alter(each["ed25519"]) != each["ed25519"], name
        seen = {kind: dkimpy(alter(message), texts) for kind, message in each.items()}
        check(f"breaks by {name}", not any(seen.values()) and other.results(alter(each["rsa"])) != {"rsa-sha256": "pass"}, seen)
    stranger = {name: text[:-20] + b"AAAA" + text[-16:] for name, text in texts.items()}
    check("breaks by another key", not any(dkimpy(message, stranger) for message in each.values()))
    open_end = PLAIN.rstrip()
    check("a body without a line end, which a chunk may have", all(dkimpy(field + open_end, texts) and dkimpy(field + open_end + b"\r\n", texts) for field in fields_of(sign(folder, open_end)).values()))
    wrong, count, unread = [], 0, 0
    for name, message in real_messages():
        count += 1
        # Some have fields that no program would send, and that dkimpy does not read.
        try:
            dkim.rfc822_parse(message)
        except dkim.MessageFormatError:
            continue
        each = fields_of(sign(folder, message))
        seen = [dkimpy(field + message, texts) for field in each.values()]
        theirs = other.results(each["rsa"] + message)
        unread += theirs is None
        seen.append(theirs is None or theirs.get("rsa-sha256") == "pass")
        if not all(seen):
            wrong.append((name, seen))
    if count:
        check(f"{count} real messages, {unread} of which OpenDKIM does not read", not wrong and count > 150 and unread < 50, wrong)


def files(folder, domain):
    return sorted(path.name for path in (pathlib.Path(folder) / "keys" / "dkim" / domain).iterdir())


def by_commands(folder):
    box = Box(folder + "/d")
    data = folder + "/d"

    def command(*words):
        done = subprocess.run([PROGRAM, *words, "--dir", data], capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout, done.stderr

    def ask(*words):
        code, out, err = command(*words, "--json")
        assert code == 0, (words, err)
        return json.loads(out)

    def printed(domain):
        return records(command("dns", "zone", domain)[1], domain)

    def selectors(message):
        return re.findall(rb"s=([\w-]+);", message)

    keys = ask("dkim", "list")
    today = time.strftime("%Y%m%d", time.gmtime())
    first = {key["selector"]: key for key in keys}
    check("keys are there from the start", [(key["domain"], key["algorithm"], key["standing"]) for key in keys] == [("pillarbox.test", "rsa-sha256", "current"), ("pillarbox.test", "ed25519-sha256", "current")], keys)
    check("selectors tell the day", set(first) == {f"r{today}", f"e{today}"}, first)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in pathlib.Path(data, "keys", "dkim", "pillarbox.test").iterdir()}
    check("nobody else reads them", modes == {0o600} and stat.S_IMODE(os.stat(data + "/keys/dkim").st_mode) == 0o700, modes)
    texts = printed("pillarbox.test")
    check("their records are printed", all(texts[key["name"]].decode() == key["text"] for key in keys), texts)
    signatures(data, texts)

    code, out, _ = command("dns", "zone", "pillarbox.test")
    result, said = checkzone(out, "pillarbox.test", folder)
    check("named-checkzone takes the zone", result == 0 and "OK" in said, said)
    wanted = ["MX 10 pillarbox.test.", 'TXT "v=spf1 mx ~all"', "_dmarc IN TXT", "_smtp._tls IN TXT", "_mta-sts IN TXT", "_imaps._tcp IN SRV 0 1 993", "_submissions._tcp IN SRV 0 1 465", "_pop3s._tcp IN SRV", "_imap._tcp IN SRV 0 0 0 .", "_pop3._tcp IN SRV 0 0 0 .", "_submission._tcp IN SRV 0 0 0 .", "IN CAA 0 issue", "; @ IN A ", "; @ IN AAAA "]
    check("all that is wanted is in it", all(word in out for word in wanted), [word for word in wanted if word not in out])
    headings = [out.index(word) for word in ("; == Must", "; == Good", "; == For experts")]
    check("what matters comes first", headings == sorted(headings) and all(line.startswith(";") or "YOUR-" not in line for line in out.splitlines()))
    (zone,) = ask("dns", "zone", "pillarbox.test")
    code, form, _ = command("dns", "zone", "pillarbox.test", "--values")
    plain = [record["text"] for record in zone["records"] if record["text"]]
    check("values for a form", code == 0 and all(f"value    {text}\n" in form for text in plain) and "priority 10" in form, form)
    split = [re.findall(r'"([^"]*)"', line) for line in form.splitlines() if line.startswith("  split")]
    check("long ones split too", ["".join(parts) for parts in split] == [text for text in plain if len(text) > 255] and all(len(part) <= 255 for parts in split for part in parts), split)
    code, _, err = command("dns", "zone", "else.example")
    check("of a domain that is not ours", code == 1 and "not a domain of this box" in err, err)

    before = sign(data, PLAIN) + PLAIN
    next_ = [key for key in ask("dkim", "rotate", "pillarbox.test") if key["standing"] == "next"]
    check("new keys wait", [key["selector"] for key in next_] == [f"r{today}-2", f"e{today}-2"] and all(abs(key["until"] - key["since"] - 2 * DAY) < 2 for key in next_), next_)
    check("the old ones sign on", selectors(sign(data, PLAIN)) == [f"r{today}".encode(), f"e{today}".encode()])
    check("all are published", {key["name"] for key in next_} | {key["name"] for key in keys} <= set(printed("pillarbox.test")))
    code, _, err = command("dkim", "rotate", "pillarbox.test")
    check("twice is refused", code == 1 and "wait already" in err and "--now" in err, err)
    code, _, err = command("dkim", "rotate", "pillarbox.test", "--now")
    check("let them sign now", code == 0 and f"r{today}-2 and e{today}-2 sign" in err, err)
    after = sign(data, PLAIN)
    texts = printed("pillarbox.test")
    check("they do, and mail of before still holds", selectors(after) == [f"r{today}-2".encode(), f"e{today}-2".encode()] and dkimpy(after + PLAIN, texts) and dkimpy(before, texts))
    last = ask("dkim", "rotate", "pillarbox.test", "--now")
    check("and again on the same day", [key["selector"] for key in last if key["standing"] == "current"] == [f"r{today}-3", f"e{today}-3"], last)
    code, _, err = command("dkim", "rotate", "else.example")
    check("no keys for others", code == 1 and "not a domain of this box" in err, err)

    ask("domain", "add", "bücher.example")
    check("a domain that is added has keys", [key["domain"] for key in ask("dkim", "list", "bücher.example")] == ["xn--bcher-kva.example"] * 2)
    own = PLAIN.replace(b"ann@pillarbox.test", "ann@bücher.example".encode())
    signed = sign(data, own, "bücher.example")
    check("it signs by its A-labels", b"d=xn--bcher-kva.example;" in signed and all(dkimpy(field + own, printed("xn--bcher-kva.example")) for field in fields_of(signed).values()), signed)
    check("two zones", [zone["domain"] for zone in ask("dns", "zone")] == ["pillarbox.test", "xn--bcher-kva.example"])
    kept = files(data, "xn--bcher-kva.example")
    ask("domain", "rm", "bücher.example")
    code, _, err = command("dkim", "list", "bücher.example")
    check("one that is gone has none", code == 1 and "not a domain of this box" in err, err)
    ask("domain", "add", "bücher.example")
    check("and has the same when it comes back", files(data, "xn--bcher-kva.example") == kept)

    # Two days and a week later, and a file that a cut left.
    ask("dkim", "rotate", "pillarbox.test")
    box.process.send_signal(signal.SIGKILL)
    box.process.wait()
    keys = pathlib.Path(data, "keys", "dkim", "pillarbox.test")
    for path in keys.iterdir():
        selector, kind, standing, since, _ = path.name.split(".")
        age = {"next": 2 * DAY, "retired": 7 * DAY if selector.endswith("-2") else DAY, "current": 0}[standing]
        path.rename(keys / f"{selector}.{kind}.{standing}.{int(since) - age}.pem")
    (keys / f"r{today}-9.new").write_bytes(b"-----BEGIN")
    box = Box(data)
    there = lambda: {(key["selector"], key["standing"]) for key in ask("dkim", "list", "pillarbox.test")}
    both = lambda number, standing: {(f"{letter}{today}{number}", standing) for letter in "re"}
    wanted = both("-4", "current") | both("-3", "retired") | both("", "retired")
    check("in time they sign, and the old ones go", eventually(lambda: there() == wanted), there())
    check("so it is after the start too", selectors(sign(data, PLAIN)) == [f"r{today}-4".encode(), f"e{today}-4".encode()])
    box.stop()
    # A key that is damaged is told, and mail goes on with another.
    (damaged,) = keys.glob("*.ed25519.current.*")
    damaged.write_bytes(b"damaged")
    box = Box(data)
    check("a damaged key is replaced", eventually(lambda: (f"e{today}-2", "current") in there()), there())
    code, _, talk = box.stop()
    check("and told", code == 0 and damaged.name in talk and "ERROR" in talk, talk)


def by_settings(folder):
    folder = pathlib.Path(folder)
    names = ["smtp", "submission", "submissions", "imap", "imaps", "pop3", "pop3s"]
    listen = "".join(f'{name} = "127.0.0.1:{port}"\n' for name, port in zip(names, free_ports(len(names))))
    config, data = folder / "pillarbox.toml", folder / "data"

    def serve(host):
        config.write_text(f'host = "{host}"\ndomains = ["home.test", "two.test"]\ndata = "{data}"\ncontrol = "{folder}/run/control"\n\n[listen]\n{listen}')
        process = subprocess.Popen([PROGRAM, "serve", "--config", config], stderr=subprocess.DEVNULL)
        assert eventually(lambda: run("status").returncode == 0)
        return process

    def run(*words):
        return subprocess.run([PROGRAM, *words, "--config", config], capture_output=True, text=True, timeout=60)

    def stop(process):
        process.send_signal(signal.SIGTERM)
        return process.wait(timeout=20)

    box = serve("mail.home.test")
    listed = json.loads(run("dkim", "list", "--json").stdout)
    check("the settings' domains and the host have keys", sorted({key["domain"] for key in listed}) == ["home.test", "mail.home.test", "two.test"], listed)
    home = run("dns", "zone", "home.test").stdout
    result, said = checkzone(home, "home.test", folder)
    check("a domain with its host is a zone", result == 0 and "; mail IN A " in home and "@ IN MX 10 mail.home.test." in home and 'mail IN TXT "v=spf1 a -all"' in home and "_domainkey.mail IN TXT" in home, said + home)
    two = run("dns", "zone", "two.test").stdout
    result, said = checkzone(two, "two.test", folder)
    check("one without its host too", result == 0 and "mail.two.test" not in two and " IN A " not in two, said + two)
    texts = records(home, "home.test") | records(two, "two.test")
    for domain in ("home.test", "two.test", "mail.home.test"):
        message = PLAIN.replace(b"pillarbox.test", domain.encode())
        signed = fields_of(sign(data, message, domain))
        check(f"the records check what {domain} signs", all(dkimpy(field + message, texts) for field in signed.values()))
    check("it stops", stop(box) == 0)
    box = serve("box.else.test")
    zones = json.loads(run("dns", "zone", "--json").stdout)
    check("a host elsewhere stands alone", [zone["domain"] for zone in zones] == ["home.test", "two.test", "box.else.test"])
    alone = run("dns", "zone", "box.else.test").stdout
    result, said = checkzone(alone, "box.else.test", folder)
    check("as a zone of its own", result == 0 and " MX " not in alone and "_domainkey IN TXT" in alone, said + alone)
    check("it stops again", stop(box) == 0)


def main():
    os.environ["PATH"] += ":/usr/sbin"
    for program in ("opendkim", "named-checkzone"):
        if shutil.which(program) is None:
            print(f"skipped: no {program} here")
            return
    with tempfile.TemporaryDirectory() as folder:
        by_commands(folder)
    with tempfile.TemporaryDirectory() as folder:
        by_settings(folder)
    finish()


main()
