"""Messages that are made to hurt who parses them, each by a few lines of code."""

import base64

FROM = b"From: Joe <joe@else.example>\r\n"
MIXED = b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="


def simple(header=b"", body=b"x\r\n"):
    return FROM + header + b"\r\n" + body


def typed(content_type, body=b"x\r\n", more=b""):
    return simple(b"MIME-Version: 1.0\r\nContent-Type: " + content_type + b"\r\n" + more, body)


def folded(words, between=b"\r\n "):
    return between.join(words)


def nested_multiparts(depth):
    down = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(depth))
    up = b"".join(b"--b%d--\r\n" % n for n in reversed(range(depth)))
    return FROM + b"MIME-Version: 1.0\r\n" + down + b"\r\nat the bottom\r\n" + up


def nested_with_one_boundary(depth):
    return FROM + b"MIME-Version: 1.0\r\n" + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" * depth + b"\r\nx\r\n" + b"--b--\r\n" * depth


def prefixes(depth):
    """Each boundary begins with the one around it."""
    down = b"".join(b"Content-Type: multipart/mixed; boundary=%s\r\n\r\n--%s\r\n" % (b"b" * n, b"b" * n) for n in range(1, depth + 1))
    up = b"".join(b"--%s--\r\n" % (b"b" * n) for n in range(depth, 0, -1))
    return FROM + b"MIME-Version: 1.0\r\n" + down + b"\r\nx\r\n" + up


def nested_messages(depth):
    return FROM + b"MIME-Version: 1.0\r\n" + b"Content-Type: message/rfc822\r\n\r\nSubject: in it\r\n" * depth + b"\r\nx\r\n"


def messages_and_multiparts(depth):
    step = b"Content-Type: multipart/digest; boundary=b%d\r\n\r\n--b%d\r\n\r\nSubject: in it\r\n"
    return FROM + b"MIME-Version: 1.0\r\n" + b"".join(step % (n, n) for n in range(depth)) + b"\r\nx\r\n"


def many_parts(count):
    return simple(MIXED + b"b\r\n", b"--b\r\n\r\nx\r\n" * count + b"--b--\r\n")


def html(count):
    return typed(b"text/html; charset=utf-8", b"<div>\r\n" * count + b"<p>deep down" + b"\r\n</div>" * count + b"\r\n")


def html_that_never_closes(count):
    return typed(b"text/html", b"<!-- \r\n" * count + b"<a href=\"\r\n" * count + b"&lt;&#x" * 100 + b"\r\n<script>\r\n" * count)


def all_bombs(k):
    """Name and text; `k` is what 1,000 is in them."""
    lots = 100 * k
    pieces = lambda form, count: folded([b"attachment"] + [form % n for n in range(count)], b";\r\n ")
    deep = b"(" * 10 * k
    long_lines = lambda text, width=70: b"\r\n".join(text[at:at + width] for at in range(0, len(text), width)) + b"\r\n"
    return {
        "multiparts in each other": nested_multiparts(k),
        "the same boundary at each depth": nested_with_one_boundary(k),
        "boundaries that begin alike": prefixes(min(k, 400)),
        "messages in each other": nested_messages(k),
        "digests in each other": messages_and_multiparts(k),
        "very many parts": many_parts(lots),
        "a boundary of a megabyte": simple(MIXED + b'"' + folded([b"b" * 900] * k) + b'"\r\n', b"--b\r\n\r\nx\r\n"),
        "lines that nearly are boundaries": simple(MIXED + b"b" * 69 + b"c\r\n", (b"--" + b"b" * 69 + b"\r\n") * 10 * k),
        "no boundary": simple(MIXED + b"\r\n", b"--\r\n" * lots),
        "a field of ten megabytes in one line": simple(b"X-Long: " + b"x" * (10_000 * k) + b"\r\n"),
        "a field of ten megabytes, folded": simple(b"Subject: " + folded([b"word" * 200] * (12 * k)) + b"\r\n"),
        "very many fields": simple(b"".join(b"X-%d: y\r\n" % n for n in range(lots))),
        "very many fields of one name": simple(b"To: a@b.example\r\nSubject: s\r\nReferences: <a@b>\r\nDate: x\r\n" * (lots // 4)),
        "very many Received": simple(b"Received: from a by b; Thu, 1 Jan 1970 00:00:00 +0000\r\n" * (lots // 10)),
        "parameter pieces in their order": simple(b"Content-Disposition: " + pieces(b"filename*%d=x", lots) + b"\r\n"),
        "parameter pieces numbered up to a billion": simple(b"Content-Disposition: " + folded([b"attachment", b"filename*0=a", b"filename*999999999=b", b"filename*18446744073709551616=c", b"filename*1000000000*=utf-8''%41"], b"; ") + b"\r\n"),
        "very many parameters": typed(folded([b"text/plain"] + [b"p%d=x" % n for n in range(lots)], b";\r\n ")),
        "one parameter again and again": typed(folded([b"text/plain"] + [b"charset=x"] * lots, b";\r\n ")),
        "very many encoded words": simple(b"Subject: " + folded([b"=?utf-8?b?w7w=?= =?utf-8?q?=C3?="] * (lots // 2)) + b"\r\nTo: " + folded([b"=?x?q??= <a@b.example>,"] * lots) + b" c@d.example\r\n"),
        "encoded words in each other": simple(b"Subject: " + b"=?utf-8?q?" * 90 + folded([b"=?utf-8?q?" * 50] * (k // 10)) + b"?=" * 100 + b"\r\n"),
        "very many addresses": simple(b"To: " + folded([b"a%d@b.example," % n for n in range(lots)]) + b" z@b.example\r\n"),
        "groups in each other": simple(b"To: " + folded([b"group:" * 10] * k) + b" a@b.example" + folded([b";" * 10] * k) + b"\r\nCc: " + folded([b"<" * 80] * k) + b"\r\n"),
        "comments in each other": FROM[:-2] + b" " + deep + b"\r\nDate: " + deep + b" Thu, 1 Jan 1970 00:00:00 +0000\r\nContent-Type: " + deep + b" text/plain\r\nMessage-ID: " + deep + b"\r\nTo: " + b"\"" + b"\\" * 10 * k + b"\r\n\r\nx\r\n",
        "quotes that do not end": simple(b"To: \"" + folded([b"x" * 70] * k) + b"\r\nContent-Type: text/plain; name=\"" + folded([b"y\\" * 35] * k) + b"\r\n"),
        "base64 without an end": typed(b"text/plain", long_lines(base64.b64encode(b"hello " * 10 * k).rstrip(b"=")[:-1]), b"Content-Transfer-Encoding: base64\r\n"),
        "base64 that is none": typed(b"text/plain", long_lines(b"=*!=_" * 100 * k), b"Content-Transfer-Encoding: base64\r\n"),
        "quoted-printable of soft breaks": typed(b"text/plain", b"=\r\n" * lots + b"=A" * k + b"=\r\n", b"Content-Transfer-Encoding: quoted-printable\r\n"),
        "what looks like uuencode": typed(b"text/plain", b"begin 644 x\r\nM" + b"`" * 60 + b"\r\nend\r\n" * (10 * k), b"Content-Transfer-Encoding: x-uuencode\r\n"),
        "an encoding that is unknown": typed(b"text/plain", b"x\r\n" * k, b"Content-Transfer-Encoding: " + b"y" * 900 + b"\r\n"),
        "encoded parts in an encoding": simple(MIXED + b"b\r\nContent-Transfer-Encoding: base64\r\n", b"--b\r\n\r\neHg=\r\n--b--\r\n" * k),
        "a charset that is none": typed(b"text/plain; charset=\"" + folded([b"x-nonsense-%00" * 5] * (k // 10)) + b"\"", b"\xff\xfe\x00\x1b$B\r\n".replace(b"\x00", b"") * k),
        "a charset that does not fit": typed(b"text/plain; charset=utf-16", b"\xff\xfe" + b"a\r\n" * k, b"Content-Transfer-Encoding: 8bit\r\n"),
        "escapes of a charset that shifts": typed(b"text/plain; charset=iso-2022-jp", b"\x1b$B\x1b(B" * 10 + b"\r\n" + b"\x1b$B!!\r\n" * k),
        "very many References": simple(b"References: " + folded([b"<%d@b.example>" % n for n in range(lots)]) + b"\r\nIn-Reply-To: " + folded([b"<<<@>"] * k) + b"\r\n"),
        "Re: again and again": simple(b"Subject: " + folded([b"Re: " * 15] * (lots // 15)) + b"\r\n"),
        "blobs around the subject": simple(b"Subject: " + folded([b"[list] (fwd) " * 5] * (lots // 50)) + b"\r\n"),
        "NULs": simple(b"Subject: a\0b\r\n", b"x\0\r\n" * k),
        "carriage returns alone": simple(b"Subject: a\rb\r\n", b"x\ry\r\r\n" * k),
        "line feeds alone": b"From: joe@else.example\nSubject: s\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b--\n" + b"y\n" * k,
        "nothing": b"",
        "a line end": b"\r\n",
        "a header and no body": b"From: joe@else.example\r\nSubject: s\r\n",
        "no header": b"\r\n" + b"text\r\n" * k,
        "what is no field": b" begins with a blank\r\n: no name\r\nno colon\r\n" + b"x y: z\r\n" * k + b"\r\nx\r\n",
        "colons": b":" * 900 + b"\r\n" + b":::\r\n" * k + b"\r\n",
        "tags in each other": html(lots),
        "tags that do not close": html_that_never_closes(10 * k),
        "letters that nobody sees": "From: \u202egro.live\u202c\u200b\ufeff <a@b.example>\r\nSubject: \u202e\u2066\u0085\x07\x1b[2J\ud7ff\r\n"
                                    "Content-Disposition: attachment; filename=\"\u202efdp.exe\x01\"\r\n\r\nx\r\n".encode(),
        "marks upon marks": ("From: a@b.example\r\nSubject: " + "a" + "\u0301" * 400 + "\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + ("e" + "\u0301" * 300 + "\r\n") * k).encode(),
        "dates that are none": simple(b"Date: Thu, 99 Foo 99999999999999999999 99:99:99 +999999\r\nReceived: x; 31 Feb -1 24:60:61 ZZZZ\r\nResent-Date: " + b"9" * 900 + b"\r\n"),
        "the first and the last date": simple(b"Date: Sat, 1 Jan 0000 00:00:00 +1400\r\nDate: Fri, 31 Dec 9999 23:59:60 -1200\r\n"),
        "parts that claim to be partial": typed(b"message/partial; number=0; total=99999999999; id=\"" + b"x" * 900 + b"\"", b"x\r\n"),
        "languages, places and sums": simple(b"Content-Language: " + folded([b"en,"] * lots) + b"\r\nContent-Location: " + folded([b"x" * 70] * k) + b"\r\nContent-MD5: " + b"=" * 900 + b"\r\nContent-ID: <" + b"y" * 900 + b"\r\n"),
    }
