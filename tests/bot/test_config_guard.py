"""The `guard` section, as a person writes it."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from bot.config.guard import GuardConfig
from core.guard import GuardAction, GuardClass, GuardPolicy


def test_every_class_can_be_configured_and_is_asked_about_by_itself() -> None:
    policy, usual = GuardConfig().policy, GuardPolicy()

    assert {each: policy.action(each) for each in GuardClass} == {each: usual.action(each) for each in GuardClass}
    assert (policy.binary_bytes, policy.big_bytes, policy.second) == (1_000_000, 5_000_000, False)


def test_what_is_written_counts() -> None:
    read = GuardConfig.model_validate({"workflows": "deny", "binary_kb": 1, "paths": "deploy/, *.tf", "second": True})

    assert read.policy.action(GuardClass.WORKFLOWS) is GuardAction.DENY
    assert (read.policy.binary_bytes, read.policy.extra, read.policy.second) == (1000, ("deploy/", "*.tf"), True)


@pytest.mark.parametrize("word", ["", "*", "/etc", "a/**", "a//b", "."])
def test_a_path_that_names_nothing_is_a_mistake(word: str) -> None:
    with pytest.raises(ValidationError, match="names nothing"):
        GuardConfig(paths=(word,))
