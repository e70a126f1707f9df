"""Telegram's own parser, TDLib, offline: what it accepts, and what it finds in a text."""

from __future__ import annotations

import json
from typing import Any

import tdjson

from adapters.chat.telegram.render import Rendered

KINDS = {
    "bold": "Bold",
    "italic": "Italic",
    "underline": "Underline",
    "strikethrough": "Strikethrough",
    "blockquote": "BlockQuote",
    "code": "Code",
}


def execute(request: dict[str, Any]) -> dict[str, Any]:
    answer = tdjson.td_execute(json.dumps(request).encode())
    assert answer is not None
    result: dict[str, Any] = json.loads(answer)
    return result


execute({"@type": "setLogVerbosityLevel", "new_verbosity_level": 0})


def refusal(shown: Rendered) -> str:
    """Empty when the parser takes the text with its entities."""
    answer = execute({"@type": "getMarkdownText", "text": formatted(shown)})
    return f"{answer['message']}: {shown!r}" if answer["@type"] == "error" else ""


def mentions(text: str) -> list[str]:
    """Those that Telegram itself would make of a plain text."""
    found = execute({"@type": "getTextEntities", "text": text})["entities"]
    wide = text.encode("utf-16-le")
    return [
        wide[each["offset"] * 2 : (each["offset"] + each["length"]) * 2].decode("utf-16-le")
        for each in found
        if each["type"]["@type"] == "textEntityTypeMention"
    ]


def formatted(shown: Rendered) -> dict[str, Any]:
    entities = [
        {"@type": "textEntity", "offset": each.start, "length": each.end - each.start, "type": _kind(each)}
        for each in shown.marks
    ]
    return {"@type": "formattedText", "text": shown.text, "entities": entities}


def _kind(mark: Any) -> dict[str, Any]:
    if mark.kind == "text_link":
        return {"@type": "textEntityTypeTextUrl", "url": mark.url}
    if mark.kind == "pre":
        return (
            {"@type": "textEntityTypePreCode", "language": mark.language}
            if mark.language
            else {"@type": "textEntityTypePre"}
        )
    return {"@type": f"textEntityType{KINDS[mark.kind]}"}
