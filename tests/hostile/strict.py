"""An IMAP client that believes nothing: it reads answers by the grammar of RFC 3501 §9 and fails on anything else, and it
can be told to send whatever is not allowed."""

import re
import socket
import time

from house import CLEAR

# What an answer is made of where no literal stands: blanks, lists, strings, and atoms which may have a section.
TOKEN = re.compile(rb'( )|(\()|(\))|"((?:[^"\\\r\n\0\x80-\xff]|\\["\\])*)"|(\\?[^\s(){"\[\]\0-\x1f\x7f-\xff]+(?:\[[^\]\r\n]*\](?:<\d+>)?)?)')
LITERAL = re.compile(rb"~?\{(\d+)\}$")
STATUS = re.compile(rb"[^ ]+ (OK|NO|BAD|BYE|PREAUTH) ?([\x20-\x7e]*)\Z")


class Broken(Exception):
    """What the server sent is not IMAP, or did not come."""


class Session:
    def __init__(self, port, source="127.0.0.1", tls=False, timeout=10):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout, (source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.socket = CLEAR.wrap_socket(self.socket)
        self.buffer, self.number = bytearray(), 0
        self.greeting = self.line()

    def login(self, account):
        assert self.ask(f"LOGIN {account['address']} {account['password']}")[0] == b"OK"
        return self

    def more(self):
        piece = self.socket.recv(1 << 20)
        if not piece:
            raise Broken("the server has closed")
        self.buffer += piece

    def line(self):
        searched = 0
        while (end := self.buffer.find(b"\n", searched)) < 0:
            searched = len(self.buffer)
            self.more()
        line = bytes(self.buffer[:end + 1])
        del self.buffer[:end + 1]
        if not line.endswith(b"\r\n") or b"\r" in line[:-2] or b"\0" in line:
            raise Broken(f"no line: {line[-80:]}")
        return line[:-2]

    def take(self, size):
        while len(self.buffer) < size:
            self.more()
        taken = bytes(self.buffer[:size])
        del self.buffer[:size]
        return taken

    def response(self):
        """One response: lines, and between them literals."""
        pieces = [self.line()]
        while found := LITERAL.search(pieces[-1]):
            pieces[-1] = pieces[-1][:found.start()]
            pieces += [self.take(int(found.group(1))), self.line()]
        return pieces

    def ask(self, command):
        """OK, NO, BAD or BYE, the text behind it, what was told before it, and the seconds it took."""
        self.number += 1
        tag = b"t%d" % self.number
        began = time.monotonic()
        if isinstance(command, str):
            command = command.encode()
        self.socket.sendall(tag + b" " + command + b"\r\n")
        return *self.outcome(tag), time.monotonic() - began

    def outcome(self, tag):
        told = []
        while True:
            pieces = self.response()
            ends = STATUS.match(pieces[0]) if len(pieces) == 1 else None
            if ends and (pieces[0].startswith(tag + b" ") or ends.group(1) == b"BYE"):
                return ends.group(1), ends.group(2), told
            told.append(pieces)

    def close(self):
        self.socket.close()


def parse(pieces):
    """The tokens of a response, lists as lists."""
    stack, before = [[]], b" "
    for number, piece in enumerate(pieces):
        if number % 2:
            stack[-1].append(piece)
            before = b""
            continue
        at = 0
        while at < len(piece):
            found = TOKEN.match(piece, at)
            if not found:
                raise Broken(f"no token: {piece[at:at + 80]}")
            blank, opens, closes, quoted, atom = found.groups()
            if opens:
                stack.append([])
            elif closes:
                if len(stack) < 2:
                    raise Broken("too many closing parentheses")
                whole = stack.pop()
                stack[-1].append(whole)
            elif not blank:
                stack[-1].append(atom if quoted is None else re.sub(rb"\\(.)", rb"\1", quoted))
            elif before == b" ":
                raise Broken(f"two blanks: {piece[max(0, at - 40):at + 40]}")
            before, at = found.group(0), found.end()
    if len(stack) != 1:
        raise Broken("too few closing parentheses")
    return stack[0]


def items(told, number):
    """What was told of one message."""
    seen = {}
    for pieces in told:
        words = parse(pieces) if b" FETCH " in pieces[0][:30] else []
        if words[:3] == [b"*", b"%d" % number, b"FETCH"]:
            if len(words) != 4 or len(words[3]) % 2:
                raise Broken(f"no FETCH: {pieces[0][:80]}")
            seen |= dict(zip(words[3][::2], words[3][1::2]))
    return seen
