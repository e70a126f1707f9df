"""The redactor, measured: live secrets in every encoding, unknown ones by their shape, and what is no secret."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import string
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import pytest

from adapters.secrets import BLACK, Redactor
from core.runs.stream_words import StreamWords
from tests.growth import MOST, growth

ROOT = Path(__file__).parents[2]
LETTERS = string.ascii_letters + string.digits
LEAST_KINDS = 27
MOST_FALSE = 2
"""Of a hundred thousand lines of code and prose."""


def some(length: int, of: str = LETTERS) -> str:
    """With a digit and a letter in it, as all but one in a million have."""
    return "a1" + "".join(secrets.choice(of) for _ in range(length - 2))


def hexes(length: int) -> str:
    return some(length, "0123456789abcdef")


KINDS: dict[str, Callable[[], tuple[str, str]]] = {
    # What stands in the text, and what of it nobody may see. Assembled here, so that none is in the repository.
    "github classic": lambda: _alone("gh" + "p_" + some(36)),
    "github fine-grained": lambda: _alone("github" + "_pat_" + some(22) + "_" + some(59)),
    "github app": lambda: _alone("gh" + "s_" + some(36)),
    "gitlab": lambda: _alone("gl" + "pat-" + some(20)),
    "slack bot": lambda: _alone("xo" + "xb-" + some(12, string.digits) + "-" + some(24)),
    "slack app": lambda: _alone("xa" + "pp-1-" + some(40)),
    "slack webhook": lambda: _alone("T0AB12CD3/B0AB12CD3/" + some(24), "https://hooks.slack.com/" + "services/"),
    "telegram bot": lambda: _alone("123456789:" + some(35)),
    "discord bot": lambda: _alone("M" + some(24) + "." + some(6) + "." + some(38)),
    "anthropic": lambda: _alone("sk-" + "ant-api03-" + some(80) + "-" + some(8)),
    "openai": lambda: _alone("sk-" + "proj-" + some(48)),
    "groq": lambda: _alone("gs" + "k_" + some(52)),
    "hugging face": lambda: _alone("h" + "f_" + some(34)),
    "aws access key": lambda: _alone("AK" + "IA" + some(16, string.ascii_uppercase + string.digits).upper()),
    "aws secret key": lambda: _alone(some(40), "aws_secret_access_key = "),
    "google api key": lambda: _alone("AI" + "za" + some(35)),
    "google oauth": lambda: _alone("GOC" + "SPX-" + some(28)),
    "azure storage": lambda: _alone(some(86) + "==", "AccountName=x;AccountKey="),
    "stripe": lambda: _alone("sk" + "_live_" + some(24)),
    "sendgrid": lambda: _alone("S" + "G." + some(22) + "." + some(43)),
    "npm": lambda: _alone("np" + "m_" + some(36)),
    "pypi": lambda: _alone("py" + "pi-" + some(120)),
    "docker": lambda: _alone("dck" + "r_pat_" + some(27)),
    "digitalocean": lambda: _alone("do" + "p_v1_" + hexes(64)),
    "vault": lambda: _alone("hv" + "s." + some(90)),
    "json web token": lambda: _alone("ey" + "J" + some(20) + ".ey" + "J" + some(60) + "." + some(43)),
    "private key": lambda: _alone(
        f"-----BEGIN PRIVATE {'KEY'}-----\n{some(64)}\n{some(64)}\n-----END PRIVATE {'KEY'}-----"
    ),
    "password in an address": lambda: _alone(some(20), "postgres://me:", "@db.example.com/x"),
}


def _alone(secret: str, before: str = "", after: str = "") -> tuple[str, str]:
    return f"{before}{secret}{after}", secret


def test_unknown_secrets_are_known_by_their_shape() -> None:
    missed = []
    for name, make in KINDS.items():
        for frame in ("{}", "a '{}' b", "x={}", '{{"value": "{}"}}', "line\n{}\nline", "`{}`"):
            text, secret = make()
            if secret in Redactor()(frame.format(text)) and name not in missed:
                missed.append(name)
    found = len(KINDS) - len(missed)
    print(f"{found} of {len(KINDS)} kinds")  # noqa: T201

    assert len(KINDS) == 28
    assert found >= LEAST_KINDS, missed


def test_without_shapes_none_of_them_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control."""
    monkeypatch.setattr("adapters.secrets.redactor.SHAPES", ())
    texts = [make() for make in KINDS.values()]

    assert all(secret in Redactor()(text) for text, secret in texts)


# ---------------------------------------------------------------------------------------- known ones

ENCODINGS: dict[str, Callable[[str], str]] = {
    "raw": lambda secret: secret,
    "url": lambda secret: quote(secret, safe=""),
    "json": lambda secret: json.dumps(secret)[1:-1],
    "base64 at 0": lambda secret: base64.b64encode(secret.encode()).decode(),
    "base64 at 1": lambda secret: base64.b64encode(b"x" + secret.encode() + b"yz").decode(),
    "base64 at 2": lambda secret: base64.b64encode(b"xy" + secret.encode() + b"z").decode(),
    "hex": lambda secret: secret.encode().hex(),
    "repr": lambda secret: repr(secret)[1:-1],
}
LIVE: tuple[Callable[[], str], ...] = (
    lambda: uuid4().hex,
    lambda: some(12),
    lambda: f"{some(8)} {some(8)}",
    lambda: f"p@ss/{some(8)}&\"'\\+=",
    lambda: f"schlüssel-{some(6)}-🔑",
)


def kept_of(secret: str, name: str, shown: str) -> bool:
    """Whether whoever reads it gets most of the secret back."""
    if name.startswith("base64"):
        inside = base64.b64encode(b"\0" * int(name[-1]) + secret.encode()).decode()
        return any(inside[at : at + 8] in shown for at in range(4, len(inside) - 12, 4))
    return ENCODINGS[name](secret) in shown


def test_a_live_secret_is_black_in_every_encoding() -> None:
    rounds, missed = 8, []
    for number in range(rounds):
        for index, make in enumerate(LIVE):
            secret = make()
            redact = Redactor([secret])
            for name, encode in ENCODINGS.items():
                if kept_of(secret, name, redact(f"before {encode(secret)} after {number}")):
                    missed.append((index, name))
    total = rounds * len(LIVE) * len(ENCODINGS)
    print(f"{total - len(missed)} of {total} forms, {len(ENCODINGS)} encodings")  # noqa: T201

    assert not missed


def test_without_the_secret_every_encoding_shows_it() -> None:
    """The negative control."""
    secret = f"plain {some(40)}"

    assert all(kept_of(secret, name, Redactor()(encode(secret))) for name, encode in ENCODINGS.items())


@pytest.mark.parametrize("size", [1, 2, 3, 7, 16])
def test_a_live_secret_split_over_chunks_of_a_stream_is_never_seen(size: int) -> None:
    secret = uuid4().hex
    redact = Redactor([secret])
    whole = f"The key is {secret}, and that is all.\n\nMore words follow here."
    words, seen = StreamWords(), ""
    for at in range(0, len(whole), size):
        words = words.after(whole[at : at + size], redact)
        seen += words.shown(redact)

    assert not any(secret[at : at + 6] in seen for at in range(len(secret) - 6))


def test_what_is_put_at_run_time_is_black_from_then_on() -> None:
    secret, redact = uuid4().hex, Redactor()
    assert secret in redact(secret)
    redact.add(secret)

    assert redact(secret) == BLACK
    assert redact.find(f"a {secret} b") == [secret]


# -------------------------------------------------------------------------------------- what is none


def ordinary() -> list[str]:
    """Code and prose of this project and of the standard library, without tests, which make secrets."""
    library = Path(json.__file__).parents[1]
    files = [*ROOT.glob("*.md"), *(ROOT / "core").rglob("*.py"), *(ROOT / "adapters").rglob("*.py")]
    files += sorted(library.glob("*.py"))[:120]
    return [line for path in files for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]


def test_ordinary_lines_stay_as_they_are() -> None:
    redact, lines = Redactor(), ordinary()
    wrong = [line for line in lines if redact(line) != line and "://" not in line]
    print(f"{len(wrong)} of {len(lines)} lines taken for secrets: {[each.strip()[:60] for each in wrong][:5]}")  # noqa: T201

    assert len(wrong) <= MOST_FALSE * len(lines) // 100_000 + MOST_FALSE


def test_hashes_and_ids_stay_as_they_are() -> None:
    redact = Redactor()
    texts = [
        *(f"commit {hashlib.sha1(each.encode()).hexdigest()}" for each in "abcdefgh"),
        *(f"sha256:{hashlib.sha256(each.encode()).hexdigest()}" for each in "abcdefgh"),
        *(f"run {uuid4()}" for _ in range(50)),
        *(
            f'"integrity": "sha512-{base64.b64encode(hashlib.sha512(each.encode()).digest()).decode()}"'
            for each in "abcd"
        ),
        *("token = get_token()", "password: str = Field(...)", "api_key=settings.api_key_for(provider_name_2)"),
        *("secret_key: SecretStr", "token: env:GITHUB_TOKEN", "key = f'{prefix}:{number}'", f"python {sys.version}"),
        *("| token | aws:patchbay/github#token |", "tokens: 21.4k in, 3.1k out"),
    ]

    assert [each for each in texts if redact(each) != each] == []


SEEDS = (
    "key=" + "a1" * 20,
    "token: ",
    "AKIA",
    "hooks.slack.com/services/",
    "M" + "a" * 23 + ".",
    "SG.",
    "secret='a_",
    "=a1",
)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_text_takes_more_than_its_length(seed: str) -> None:
    assert growth(Redactor([uuid4().hex]), seed, 200_000) < MOST
