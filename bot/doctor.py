"""`patchbay doctor`: tries everything that is configured, and tells for each what it found and the next step."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from bot.checks import Check, Finding, State, access, checks_of, machine_checks
from bot.config import BadConfigError
from bot.tables import load_config
from core.model.errors import BotError

CHECK_SECONDS = 25.0


async def examine(path: Path | None, environ: Mapping[str, str], *, is_offline: bool) -> list[Finding]:
    """Never raises for what it finds."""
    checks = machine_checks(environ)
    last: list[Check] = []
    try:
        config = load_config(path, environ)
    except BadConfigError as error:
        step = "Mend these, then `patchbay config check`; `patchbay init` writes a new file."
        found = Finding("configuration", State.FAIL, str(error), step)
    else:
        found = Finding("configuration", State.OK, ", ".join([*config.platforms, *config.forges, *config.agents]))
        checks += checks_of(config)
        last.append(Check("access", lambda: access(config)))
    beside = await asyncio.gather(*(_made(each, is_offline=is_offline) for each in checks))
    return [found, *beside, *[await _made(each, is_offline=is_offline) for each in last]]


def report(findings: list[Finding], *, is_coloured: bool = False) -> str:
    """One line for each, and below it the next step."""
    wide = max(len(each.name) for each in findings)
    lines: list[str] = []
    for each in findings:
        first, *more = each.text.splitlines() or [""]
        lines.append(f"{_mark(each.state, is_coloured=is_coloured)}  {each.name:<{wide}}  {first}".rstrip())
        lines += [f"{'':<{wide + 11}}{line}" for line in more]
        if each.next_step:
            lines += [f"{'':<{wide + 11}}-> {line}" for line in each.next_step.splitlines()]
    failed = sum(each.is_failure for each in findings)
    lines.append("Everything works." if not failed else f"{failed} of {len(findings)} failed.")
    return "\n".join(lines)


def _mark(state: State, *, is_coloured: bool) -> str:
    colour = {State.OK: 32, State.WARN: 33, State.FAIL: 31, State.SKIPPED: 90}[state]
    word = f"{state.value:<7}"
    return f"\x1b[{colour}m{word}\x1b[0m" if is_coloured else word


async def _made(check: Check, *, is_offline: bool) -> Finding:
    if check.needs_network and is_offline:
        return Finding(check.name, State.SKIPPED, "skipped: it needs the network")
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return await check.look()
    except TimeoutError:
        step = "Check the address and the network of this machine, then try again."
        return Finding(check.name, State.FAIL, f"no answer within {CHECK_SECONDS:g} s", step)
    except BotError as error:
        text, _, rest = str(error).partition("\n")
        return Finding(check.name, State.FAIL, text, rest or "Mend what this says, then run `patchbay doctor` again.")
    except Exception as error:  # noqa: BLE001 - one broken check must not hide the others
        step = "This should not happen: report it with what `patchbay version` prints."
        return Finding(check.name, State.FAIL, f"{type(error).__name__}: {error}", step)
