"""What is logged, by us and by libraries, goes one way, and secrets do not go with it."""

from __future__ import annotations

import base64
import json
import logging
import warnings
from urllib.parse import quote
from uuid import uuid4

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from adapters.secrets import BLACK, Redactor
from bot.config import LogConfig
from bot.log import configure

Captured = pytest.CaptureFixture[str]


def lines(capsys: Captured) -> list[str]:
    return capsys.readouterr().err.splitlines()


def test_a_line_of_json_holds_the_event_its_fields_and_what_is_bound(capsys: Captured) -> None:
    configure(LogConfig(format="json"), str)

    with structlog.contextvars.bound_contextvars(run="r1"):
        structlog.get_logger().info("run.done", seconds=2)

    (line,) = lines(capsys)
    logged = json.loads(line)
    assert logged.pop("timestamp").endswith("Z")
    assert logged == {"event": "run.done", "seconds": 2, "run": "r1", "level": "info"}


def test_the_level_is_held(capsys: Captured) -> None:
    configure(LogConfig(level="warning"), str)

    structlog.get_logger().info("not this")
    structlog.get_logger().warning("this")

    assert ["this" in each for each in lines(capsys)] == [True]


def test_libraries_go_the_same_way_from_warning_on(capsys: Captured) -> None:
    configure(LogConfig(level="debug", format="json"), str)

    logging.getLogger("httpx").info("GET https://api.telegram.org/bot…")
    logging.getLogger("tortoise").warning("slow %s", "query")

    (line,) = lines(capsys)
    logged = json.loads(line)
    assert (logged["event"], logged["logger"], logged["level"]) == ("slow query", "tortoise", "warning")


def test_setting_it_up_again_replaces_what_was(capsys: Captured) -> None:
    configure(LogConfig(), str)
    configure(LogConfig(format="json"), str)

    logging.getLogger("x").warning("once")

    assert len(lines(capsys)) == 1


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_secret_reaches_the_log_by_any_way(form: str, capsys: Captured) -> None:
    secret = f'p/w"{uuid4().hex}é'
    configure(LogConfig(format="json" if form == "json" else "text"), Redactor([secret]))

    log = structlog.get_logger()
    event = f"event {secret}"
    log.info(event, field=secret, nested={"a": [secret]}, raw=secret.encode())
    try:
        fail(secret)
    except ValueError:
        log.exception("failed")
        logging.getLogger("lib").exception("failed %s", secret)
    logging.getLogger("lib").warning("url https://x/?t=%s", quote(secret))

    shown = capsys.readouterr().err
    assert "ValueError" in shown
    assert shown.count(BLACK) >= 7
    assert secret[4:36] not in shown
    if form == "json":
        assert all(json.loads(line) for line in shown.splitlines())


def fail(said: str) -> None:
    raise ValueError(said)


def test_a_stranger_cannot_forge_a_line_nor_move_the_cursor(capsys: Captured) -> None:
    configure(LogConfig(), str)

    structlog.get_logger().info("said", text="a\nforged \x1b[2J\u2028b")
    logging.getLogger("x").warning("%s", "a\r\nforged \x1b[2J")

    assert len(lines(capsys)) == 2


def test_a_warning_is_a_log_line(capsys: Captured) -> None:
    configure(LogConfig(format="json"), str)

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("old", DeprecationWarning, stacklevel=1)

    (line,) = lines(capsys)
    assert json.loads(line)["logger"] == "py.warnings"


# ------------------------------------------------------------------------------------------- redactor


@given(
    secret=st.text(st.characters(codec="utf-8"), min_size=10, max_size=50).filter(lambda text: text not in BLACK),
    before=st.binary(max_size=8),
    after=st.binary(max_size=8),
)
def test_a_live_secret_goes_in_every_form(secret: str, before: bytes, after: bytes) -> None:
    redact = Redactor([secret])
    raw = secret.encode()

    assert secret not in redact(f"({secret})")
    assert raw.hex() not in redact(raw.hex())
    for encoded in (base64.b64encode(before + raw + after), base64.urlsafe_b64encode(before + raw + after)):
        shown = redact(encoded.decode())
        # What is left decodes to less than half of the secret.
        assert BLACK in shown
        assert len(shown.replace(BLACK, "")) <= (len(before) + len(after)) * 4 // 3 + 8
    for form in (quote(secret, safe=""), quote(secret), json.dumps(secret)[1:-1], repr(secret)[1:-1]):
        assert form not in redact(f"<{form}>")


def shaped() -> list[str]:
    """Made here: nothing that looks like a secret is in the repository."""
    some = (uuid4().hex * 3)[:40]
    return [
        f"ghp_{some[:36]}",
        f"github_pat_{some}_{some}",
        f"ghs_{some}",
        f"xoxb-{some}",
        f"xoxe.xoxp-1-{some}",
        f"xapp-1-{some}",
        f"sk-ant-api03-{some}-A",
        f"sk-proj-{some}",
        f"sk-{some}",
        f"123456789:{some[:35]}",
        f"AKIA{some[:16].upper()}",
        f"AIza{some[:35]}",
        f"eyJ{some}.eyJ{some}.{some}",
        f"-----BEGIN RSA PRIVATE KEY-----\n{some}\n-----END RSA PRIVATE KEY-----",
    ]


@pytest.mark.parametrize("index", range(len(shaped())))
def test_what_looks_like_a_token_is_blacked_out_unknown_as_it_is(index: int) -> None:
    token = shaped()[index]

    assert Redactor()(f"a '{token}' b") == f"a '{BLACK}' b"


def test_addresses_and_headers_lose_what_is_secret_in_them() -> None:
    redact, some = Redactor(), uuid4().hex

    assert redact(f"https://api.telegram.org/bot1:{some}/getMe") == f"https://api.telegram.org/bot{BLACK}/getMe"
    assert redact(f"postgres://me:{some}@db/x") == f"postgres://me:{BLACK}@db/x"
    assert redact(f"Authorization: Bearer {some}") == f"Authorization: Bearer {BLACK}"


@pytest.mark.parametrize(
    "text",
    [
        "commit 0123456789abcdef0123456789abcdef01234567",
        "8f14e45f-ceea-467f-9b0e-3f1b8f6f3a11",
        "the sk-learn package, task-scheduler-configuration-module",
        "class='sk-loading-spinner-animation'",
        "https://github.com/owner/name/pull/7",
        "http://[::1]:8080/@me",
        "10:30 and 1234567:short",
        "slack:T0123456789/U0123456789",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert Redactor(["", "abc"])(text) == text
