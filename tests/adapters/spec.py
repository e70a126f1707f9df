"""The examples of the CommonMark specification: what is written, and the HTML it means."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

SPEC = Path(__file__).parents[2] / ".ci/counterparts/node_modules/commonmark-spec/spec.txt"
EXAMPLE = re.compile(r"^`{32} example\n([\s\S]*?)^\.\n([\s\S]*?)^`{32}$", re.MULTILINE)


def spec_examples() -> list[tuple[str, str]]:
    if not SPEC.exists():
        if os.environ.get("CI"):
            pytest.fail(f"{SPEC} is missing")
        pytest.skip("the CommonMark examples are not installed: .ci/run installs them")
    found = EXAMPLE.findall(SPEC.read_text())
    return [(source.replace("→", "\t"), shown.replace("→", "\t")) for source, shown in found]
