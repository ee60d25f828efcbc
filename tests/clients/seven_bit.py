"""Real messages as a server that takes 7-bit only gets them: Python's `email` finds the same parts with the same payloads in
them as before. A part of messages.py; the program `seven_bit` lies in `examples` beside PROGRAM.
"""

import email
import pathlib
import random
import re
import subprocess
from collections import Counter

from house import PROGRAM, check

CONVERT = pathlib.Path(PROGRAM).resolve().parent / "examples" / "seven_bit"
# Where Python reads a message otherwise than all others do, so that it cannot judge.
HEADER_ENDS = "Python ends the header at a line that has a blank in the name, or none"
NOT_JUDGED = {
    "bounces/sisimai/lhost-gmail-19.eml": HEADER_ENDS,
    "bounces/sisimai/lhost-x1-02.eml": "the line end in the name of a type changes",
    "mime-corpus/james/core/invalid.eml": "base64 with a header in it",
    "mime-corpus/james/store/mailWithManyHeaders.eml": HEADER_ENDS,
    "mime-corpus/james/store/oneAttachmentWithEmptyContentType.eml": HEADER_ENDS,
    "mime-corpus/james/store/oneAttachmentWithoutContentType.eml": HEADER_ENDS,
    "mime-corpus/james/store/oneAttachmentWithoutName.eml": HEADER_ENDS,
    "mime-corpus/mail-parser/malformed/016.eml": "a boundary of more than 70 bytes",
    "mime-corpus/mail-parser/malformed/017.eml": "the line end in the name of a type changes",
    "mime-corpus/mail-parser/malformed/019.eml": HEADER_ENDS,
    "mime-corpus/mail-parser/thirdparty/003.eml": "blanks after the name of an encoding",
    "mime-corpus/mail-parser/thirdparty/012.eml": "a boundary that is not quoted, with a blank in it",
    "mime-corpus/mime4j/testmsgs/weird-boundary.msg": "a boundary that ends in a blank",
    "python/msg_15.txt": "a blank at the end of a quoted-printable line",
}


def convert(text):
    done = subprocess.run([CONVERT], input=text, capture_output=True)
    return done.stdout if done.returncode == 0 else None, done.stderr.decode().strip()


def leaves(text):
    found = []
    for part in email.message_from_bytes(text).walk():
        if not part.is_multipart():
            found.append((part.get_content_type(), part.get_filename(), part.get_payload(decode=True)))
    return found


def without_line_ends(found):
    """Python takes a line end from a last part that no boundary ends; line feeds that are not encoded become CRLF."""
    return [(*what, payload and payload.replace(b"\r\n", b"\n").rstrip(b"\n")) for *what, payload in found]


def wrapped(text, dice):
    """The message in another, beside bytes of any kind and a text in UTF-8."""
    data = bytes(dice.randrange(256) for _ in range(dice.randrange(3000)))
    note = "".join(dice.choice("aé\u2603 =-.\t\n") for _ in range(dice.randrange(3000))).encode().replace(b"\n", b"\r\n")
    part = b"--=_a:b\r\nContent-Type: %s\r\nContent-Transfer-Encoding: %s\r\n\r\n%s\r\n"
    return (b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"=_a:b\"\r\nContent-Transfer-Encoding: binary\r\n\r\n"
            + part % (b"application/octet-stream", b"binary", data) + part % (b"text/plain; charset=utf-8", b"8bit", note)
            + part % (b"message/rfc822", b"8bit", text) + b"--=_a:b--\r\n")


def may_be_sent(text):
    return (text.isascii() and b"\0" not in text and not re.search(rb"\r(?!\n)|(?<!\r)\n", text)
            and all(len(line) <= 998 for line in text.split(b"\r\n")))


def seven_bit(messages):
    dice = random.Random(7)
    same, reasons, wrong = 0, Counter(), []
    for name, text in messages:
        for kind, before in (("", text), (" with LF", text.replace(b"\r\n", b"\n")), (" wrapped", wrapped(text, dice))):
            sent, why = convert(before)
            if sent is None:
                reasons[why] += 1
                continue
            if may_be_sent(before):
                same += sent == before
            heard, said = leaves(sent), leaves(before)
            if kind == " with LF":
                heard, said = without_line_ends(heard), without_line_ends(said)
            if not may_be_sent(sent) or (may_be_sent(before) and sent != before) or heard != said:
                wrong.append((name, kind))
    print(f"7-bit: {same} stay as they are; not convertible: {dict(reasons)}")
    new = sorted(name + kind for name, kind in wrong if name not in NOT_JUDGED)
    check(f"7-bit messages hold what Python found in them before {new}", not new)
    here = {name for name, _ in messages}
    gone = sorted((set(NOT_JUDGED) & here) - {name for name, _ in wrong})
    check(f"each that Python cannot judge differs {gone}", not gone)
    check("few cannot be converted", sum(reasons.values()) * 10 < len(messages) * 3)
