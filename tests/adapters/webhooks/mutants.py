"""Requests that nobody may be heard for: what a sender says, changed in one way, by class.

A mutant says something that was never said before, so that one which is let in is heard; only the replayed ones say
what was said already. Those of malformed bodies bear the right signature: they must be refused, or mean nothing.
"""

from __future__ import annotations

import gzip
import json
import random
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from tests.adapters.webhooks.senders import JSON_TYPE, Headers, Request, Sender, body_of, honest

PER_CLASS = 20
"""At least, however few are asked for."""

Make = Callable[[Sender, random.Random], Request]


@dataclass(frozen=True)
class Mutant:
    kind: str
    request: Request


def mutants(sender: Sender, count: int, seed: int, said: Request) -> Iterator[Mutant]:
    """The same for the same seed, but for secrets, ids and times. `said`: what was brought and heard already."""
    kinds = dict(KINDS) | {"replayed": lambda _sender, dice: replayed(said, sender, dice)}
    if not sender.covers_body:
        kinds = {kind: make for kind, make in kinds.items() if kind not in OVER_BODIES}
    each = max(PER_CLASS, -(-count // len(kinds)))
    for kind, make in kinds.items():
        dice = random.Random(f"{seed}/{sender.name}/{kind}")
        for _ in range(each):
            yield Mutant(kind, make(sender, dice))


def control(sender: Sender, kind: str, seed: int) -> Iterator[Mutant]:
    """Those that only the check of the signature keeps out."""
    dice = random.Random(f"{seed}/{sender.name}/{kind}")
    for _ in range(PER_CLASS):
        yield Mutant(kind, KINDS[kind](sender, dice))


# --------------------------------------------------------------------------------- who says it, and what


def _with(request: Request, name: str, value: str) -> Request:
    return replace(request, headers=[(key, value if key == name else old) for key, old in request.headers])


def _proof(request: Request, sender: Sender) -> str:
    return next(value for name, value in request.headers if name == sender.proof)


def body_bit(sender: Sender, dice: random.Random) -> Request:
    request = honest(sender)
    at = dice.randrange(len(request.body))
    changed = request.body[:at] + bytes([request.body[at] ^ 1 << dice.randrange(8)]) + request.body[at + 1 :]
    return replace(request, body=changed)


def body_cut(sender: Sender, dice: random.Random) -> Request:
    request = honest(sender)
    return replace(request, body=request.body[: dice.randrange(len(request.body))])


def body_longer(sender: Sender, dice: random.Random) -> Request:
    request = honest(sender)
    more = dice.choice([b" ", b"\n", b"\0", b"}", dice.randbytes(dice.randrange(1, 50))])
    return replace(request, body=dice.choice([request.body + more, more + request.body]))


def body_other(sender: Sender, dice: random.Random) -> Request:
    """The signature of another body, which was really sent."""
    del dice
    return replace(honest(sender), body=body_of(sender.event()))


def proof_bit(sender: Sender, dice: random.Random) -> Request:
    request = honest(sender)
    proof = bytearray(_proof(request, sender).encode())
    proof[dice.randrange(len(proof))] ^= 1 << dice.randrange(8)
    return _with(request, sender.proof, proof.decode("utf-8", "surrogateescape"))


def proof_length(sender: Sender, dice: random.Random) -> Request:
    request = honest(sender)
    proof = _proof(request, sender)
    cut = proof[: dice.randrange(len(proof))]
    return _with(request, sender.proof, dice.choice([cut, proof + "0", proof * 2, cut + "\u00e9", proof[1:]]))


def other_secret(sender: Sender, dice: random.Random) -> Request:
    body = body_of(sender.event())
    secret = dice.choice([uuid4().hex, "0", "null", "undefined", " ", "a" * 64])
    return Request(sender.path, [JSON_TYPE, *sender.prove(body, secret=secret), *sender.others()], body)


def other_time(sender: Sender, dice: random.Random) -> Request:
    """Too old or not yet, rightly signed; or another time than the one that was signed. Else: another algorithm."""
    body, now = body_of(sender.event()), int(time.time())
    stamp = str(now + dice.choice([-301, -400, -86_400, 70, 120, 299, 86_400, 10**9]))
    if sender.name != "slack":
        headers = [("X-Hub-Signature", _old(sender, body)), (sender.proof, "sha1=" + uuid4().hex)]
    elif dice.random() < 0.5:
        headers = sender.prove(body, stamp=stamp)
    else:
        odd = dice.choice([stamp, "", "abc", "1e5", "9" * 5_000, f"+{now}", f"{now}.0", f"-{now}", "\u0661" * 10, "0"])
        headers = [("X-Slack-Request-Timestamp", odd), *sender.prove(body)[1:]]
    return Request(sender.path, [JSON_TYPE, *headers, *sender.others()], body)


def _old(sender: Sender, body: bytes) -> str:
    return "sha1=" + sender.prove(body)[0][1][-40:]


def header_missing(sender: Sender, dice: random.Random) -> Request:
    request = honest(sender)
    proof = _proof(request, sender)
    odd = sender.proof.replace("-", "_"), f"X-{sender.proof}", sender.proof[:-1], "Authorization", "Cookie"
    headers = [each for each in request.headers if each[0] != sender.proof]
    return replace(request, headers=headers + dice.choice([[], [(dice.choice(odd), proof)], [(sender.proof, "")]]))


def header_twice(sender: Sender, dice: random.Random) -> Request:
    request = honest(sender)
    proof = _proof(request, sender)
    second = (
        dice.choice([proof, uuid4().hex, ""]),
        dice.choice([sender.proof, sender.proof.lower(), sender.proof.upper()]),
    )
    headers = [*request.headers, (second[1], second[0])]
    return replace(request, headers=headers if dice.random() < 0.5 else headers[::-1])


def header_odd(sender: Sender, dice: random.Random) -> Request:
    request = honest(sender)
    proof = _proof(request, sender)
    wrong = proof[:-1] + ("0" if proof[-1] != "0" else "1")
    values = [
        wrong + "\u00e9" * dice.randrange(1, 9),
        "\udcff\udcfe" + wrong,
        wrong + "\u202e",
        "x" * dice.randrange(8_300, 60_000),
        wrong + "\0",
        f"{wrong},{proof}",
        f"{proof},{wrong}",
        f'"{proof}"',
        f"{wrong}\r\n {proof}",
        f"{proof}\r\n\t{wrong}",
    ]
    return _with(request, sender.proof, dice.choice(values))


# ------------------------------------------------------------------------------------- how it is carried


def encoded(sender: Sender, dice: random.Random) -> Request:
    """A body that only unpacked is one, with the signature of either form."""
    plain = body_of(sender.event())
    name, packed = dice.choice(
        [
            ("gzip", gzip.compress(plain)),
            ("deflate", zlib.compress(plain)),
            ("br", plain),
            ("zstd", plain),
            ("x-gzip", plain),
            ("gzip", gzip.compress(b"") * 500),
            ("gzip, identity", plain),
            ("GZIP", gzip.compress(bytes(10**6))),
        ]
    )
    over = dice.choice([plain, packed])
    return Request(sender.path, [JSON_TYPE, ("Content-Encoding", name), *sender.prove(over), *sender.others()], packed)


def smuggled(sender: Sender, dice: random.Random) -> Request:
    """Two readings of where the body ends; what hides in one of them bears no signature that is right."""
    seen, hidden = honest(sender), other_secret(sender, dice).wire()
    length = ("Content-Length", str(dice.choice([0, 4, len(hidden)])))
    chunked = dice.choice(["chunked", "Chunked", " chunked", "chunked, identity", "identity, chunked", "x, chunked"])
    odd = [("Transfer-Encoding", chunked)] if dice.random() < 0.7 else [("Transfer-Encoding", "chunked")] * 2
    size = dice.choice(
        [b"0\r\n\r\n", b"0;a=\r\n\r\n", b"00\r\n\r\n", b"-1\r\n\r\n", b"ffffffffffffffffff\r\n", b"0x0\r\n\r\n"]
    )
    headers = [*other_secret(sender, dice).headers, *dice.choice([[length, *odd], [*odd, length], odd])]
    return replace(seen, headers=headers, body=size + hidden, has_length=False)


def misfit(sender: Sender, dice: random.Random) -> Request:
    """The length is not that of the body."""
    request = honest(sender)
    size = len(request.body)
    shorter, longer = dice.randrange(size), size + dice.randrange(1, 5_000)
    odd = [str(shorter), str(longer), "-1", f"+{size}", f"{size}.0", "0x10", "9" * 30, "", f"{size},{size}", "\u0663"]
    lengths = [
        ("Content-Length", value) for value in dice.choice([[each] for each in odd] + [[str(size), str(shorter)]])
    ]
    return replace(request, headers=[*request.headers, *lengths], has_length=False)


def misdirected(sender: Sender, dice: random.Random) -> Request:
    request = honest(sender)
    paths = [f"/{sender.path}", f"{sender.path}/", f"{sender.path}/../x", sender.path.upper(), f"/x/..{sender.path}"]
    paths += [sender.path.replace("/", "//"), f"{sender.path}%00", f"{sender.path};x", sender.path[:-1], "*", "/"]
    if dice.random() < 0.5:
        return replace(request, path=dice.choice(paths))
    methods = ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "post", "PROPFIND", "P\u00d6ST", "", "POST POST"]
    return replace(request, method=dice.choice(methods))


# ---------------------------------------------------------------------------- bodies that mean nothing


def _signed(sender: Sender, body: bytes, kind: str = "application/json") -> Request:
    return Request(sender.path, [("Content-Type", kind), *sender.prove(body), *sender.others()], body)


def other_charset(sender: Sender, dice: random.Random) -> Request:
    """Signed as UTF-8, sent as something else; or told to be something else."""
    text = json.dumps(sender.event(), ensure_ascii=False)
    charset = dice.choice(["utf-16", "utf-16-le", "utf-32", "utf-7", "cp037", "utf-16-be"])
    request = _signed(sender, text.encode(), f"application/json; charset={charset}")
    if sender.covers_body:
        return replace(request, body=text.encode(charset, "replace"))
    return _with(replace(request, body=text.encode(charset, "replace")), sender.proof, uuid4().hex)


def nested(sender: Sender, dice: random.Random) -> Request:
    """Deeper than can be read, or just not; in the place of what would be said."""
    depth = dice.choice([dice.randrange(300, 1_200), dice.randrange(1_200, 20_000), 100_000])
    deep = dice.choice([b"[" * depth + b"]" * depth, b'{"a":' * depth + b"1" + b"}" * depth, b"[" * depth])
    event = sender.event()
    slot = dice.choice(sorted(set(event) & CARRIERS))
    whole = json.dumps({**event, slot: "@@"}).encode().replace(b'"@@"', deep)
    return _signed(sender, dice.choice([deep, whole]))


def big_number(sender: Sender, dice: random.Random) -> Request:
    event = sender.event()
    slot = dice.choice(sorted(set(event) & CARRIERS))
    number = dice.choice(
        [b"1" * dice.randrange(4_301, 20_000), b"1e400", b"-1e999", b"NaN", b"Infinity", b"1." + b"0" * 9_999]
    )
    return _signed(sender, json.dumps({**event, slot: "@@"}).encode().replace(b'"@@"', number))


def odd_type(sender: Sender, dice: random.Random) -> Request:
    """Each field may be anything."""
    event = sender.event()
    odd: list[Any] = [None, True, -1, 0.5, "", "x", [], {}, [[]], {"type": []}, [None], "\ud800", "\0", "9" * 400]
    if dice.random() < 0.3:
        return _signed(sender, json.dumps(dice.choice(odd)).encode())
    slot = dice.choice(sorted(set(event) & CARRIERS))
    inner = event[slot]
    if isinstance(inner, dict) and dice.random() < 0.7:
        field = dice.choice(sorted(set(inner) & CARRIERS) or sorted(inner))
        wrong = [each for each in odd if type(each) is not type(inner[field])]
        return _signed(sender, json.dumps({**event, slot: {**inner, field: dice.choice(wrong)}}).encode())
    wrong = [each for each in odd if type(each) is not type(inner)]
    return _signed(sender, json.dumps({**event, slot: dice.choice(wrong)}).encode())


def endless_name(sender: Sender, dice: random.Random) -> Request:
    """Ids that no index of a database holds."""
    event, size = sender.event(), dice.randrange(1_000, 4_000)
    word, number = "".join(dice.choices("abcdefgh0123456789", k=size * 20)), dice.randrange(10 ** (size - 1), 10**size)
    if sender.name == "slack":
        fields = dice.choice([("client_msg_id",), ("channel",), ("user",), ("ts", "client_msg_id"), ("thread_ts",)])
        return _signed(sender, body_of({**event, "event": {**event["event"], **dict.fromkeys(fields, word)}}))
    if sender.name == "github":
        return _signed(sender, body_of({**event, "pull_request": {**event["pull_request"], "number": number}}))
    message = event["message"]
    odd = {"message_id": number, "chat": {"id": number, "type": "private"}, "from": {**message["from"], "id": number}}
    field = dice.choice(sorted(odd))
    return _signed(sender, body_of({**event, "message": {**message, field: odd[field]}}))


def unclean(sender: Sender, dice: random.Random) -> Request:
    """NUL, controls and half of a character, as they stand."""
    body = body_of(sender.event())
    at = dice.randrange(1, len(body) - 1)
    odd = dice.choice([b"\0", b"\xff", b"\xc3(", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80", b"\xfe\xff", b"\x01\xff"])
    return _signed(sender, body[:at] + odd + body[at:])


def form(sender: Sender, dice: random.Random) -> Request:
    event = json.dumps(sender.event())
    fields = dice.choice(
        [
            {"payload": "{"},
            {"payload": "[1]"},
            {"payload": ""},
            {"payload": "1" * 5_000},
            {"body": event},
            {"": event},
            {str(each): "x" for each in range(2_000)},
            {"command": "", "type": "x", "text": event},
            {"payload": "[" * 50_000},
        ]
    )
    body = dice.choice(
        [urlencode(fields).encode(), b"--x\r\n\r\n" + event.encode() + b"\r\n--x--", b"&" * 500, b"%", b""]
    )
    return _signed(sender, body, dice.choice(["application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]))


# ------------------------------------------------------------------------------------------- once more


def replayed(said: Request, sender: Sender, dice: random.Random) -> Request:
    """What was said already, to the letter, with all else as anybody likes it."""
    change = dice.choice([str.lower, str.upper, str.title])
    own = {name for name, _ in sender.prove(said.body)}
    kept: Headers = [(change(name), value) for name, value in said.headers if name in own]
    free = [
        ("X-GitHub-Delivery", str(uuid4())),
        ("X-GitHub-Event", dice.choice(["pull_request", "pull_request", "ping", "PULL_REQUEST", "push", ""])),
        ("X-Slack-Retry-Num", str(dice.randrange(9))),
        ("X-Forwarded-For", f"192.0.2.{dice.randrange(255)}"),
        ("User-Agent", uuid4().hex),
        ("Content-Type", dice.choice(["application/json", "application/json; charset=utf-8", "text/plain"])),
        (f"X-{uuid4().hex}", "1"),
    ]
    headers = [*kept, *dice.sample(free, k=dice.randrange(len(free) + 1))]
    dice.shuffle(headers)
    if dice.random() < 0.3:
        size = dice.randrange(1, len(said.body))
        parts = [said.body[at : at + size] for at in range(0, len(said.body), size)]
        body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
        return replace(said, headers=[*headers, ("Transfer-Encoding", "chunked")], body=body, has_length=False)
    return replace(said, headers=headers)


CARRIERS = frozenset(
    [
        "message",
        "update_id",
        "chat",
        "from",
        "message_id",
        "type",
        "event",
        "channel",
        "ts",
        "user",
        "action",
        "pull_request",
        "number",
        "repository",
        "full_name",
    ]
)
"""Fields without which nothing is said."""

KINDS: Mapping[str, Make] = {
    "bit of the body": body_bit,
    "body cut": body_cut,
    "body longer": body_longer,
    "another body": body_other,
    "bit of the signature": proof_bit,
    "signature cut or longer": proof_length,
    "another secret": other_secret,
    "another time or algorithm": other_time,
    "header missing": header_missing,
    "header twice": header_twice,
    "header odd": header_odd,
    "compressed": encoded,
    "smuggled": smuggled,
    "length that does not fit": misfit,
    "other method or path": misdirected,
    "charset": other_charset,
    "nested": nested,
    "big number": big_number,
    "type of a field": odd_type,
    "endless name": endless_name,
    "NUL and broken UTF-8": unclean,
    "form": form,
}

OVER_BODIES = frozenset({"bit of the body", "body cut", "body longer", "another body"})
"""A password is not over the body: who has it may say what he likes."""

BY_SIGNATURE = ("bit of the signature", "another secret", "signature cut or longer")
BY_SIGNED_BODY = ("another body",)
"""Kept out by nothing but the check of the signature."""
