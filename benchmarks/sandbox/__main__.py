"""`python -m benchmarks.sandbox`: what a command and an agent cost in the sandbox, beside the same without it."""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from uuid import uuid4

from adapters.agents.command import Command
from adapters.agents.config import CommandConfig
from adapters.sandbox import Bubblewrap, Unsandboxed, choose
from adapters.sandbox.bubblewrap import LAYERS
from adapters.system import run
from core.model.approvals import Verdict
from core.model.errors import SandboxError
from core.model.events import TurnAsk
from core.model.work import Checkout, ProjectKey, RunId
from core.ports import Access, Sandbox

COMMAND_MS, AGENT_MS = 15, 100
"""The most that may be added to one command, and to the turn of an agent."""
CALLS = (
    (("bash", "-c", "true"), Access.WRITE),
    (("head", "-c", "50000001", "--", "./a.txt"), Access.READ),
    (("head", "-c", "50000001", "--", "./a.txt"), Access.READ),
    (("dd", "of=./b.txt", "status=none"), Access.WRITE),
    (("bash", "-c", "ls -la"), Access.WRITE),
)
"""What the built-in tools start for bash, read, edit and bash again."""


async def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    done = work()
    if asyncio.iscoroutine(done):
        await done
    return (time.perf_counter() - began) * 1000


async def command(sandbox: Sandbox, tree: str, argv: Sequence[str], access: Access = Access.WRITE) -> None:
    wrapped = sandbox.wrap(argv, tree, access, {})
    ended = await run(
        wrapped.argv, environment=wrapped.environment, seconds=60, cwd=tree, merge=True, watch=wrapped.watch
    )
    if ended.code:
        raise RuntimeError(ended.text)


async def agent(sandbox: Sandbox, checkout: Checkout) -> None:
    """A recipe of one step: its turn from the beginning to the end."""
    asked = TurnAsk(checkout.run, "", checkout, seconds=60)
    await Command("nothing", CommandConfig(steps=(("true",),)), sandbox).take_turn(asked, lambda _: None, _granted)


async def _granted(*_: object, **__: object) -> Verdict:
    return Verdict(granted=True)


async def tools(sandbox: Sandbox, tree: str) -> None:
    for argv, access in CALLS:
        await command(sandbox, tree, argv, access)


async def measure(rounds: int, folder: Path) -> Mapping[str, Mapping[str, list[float]]]:
    """Milliseconds; each round takes every way in turn, so that the machine is as busy for one as for the other."""
    tree = folder / "runs" / "one" / "tree"
    tree.mkdir(parents=True)
    (tree / "a.txt").write_text("one\n")
    for name in (".claude", ".github/workflows", ".vscode"):
        (tree / name).mkdir(parents=True)
    checkout = Checkout(RunId(uuid4().hex), ProjectKey("P"), str(tree), "b", "main", "")
    chosen = await choose("auto", [folder])
    if not isinstance(chosen, Bubblewrap):
        raise SandboxError("There is no sandbox to be measured.")
    ways: dict[str, Sandbox] = {"bare": Unsandboxed(), "sandbox": chosen}
    bare = Bubblewrap(Path(chosen._program), [folder], without=LAYERS, prefixes=())  # noqa: SLF001 - a look inside
    works: dict[str, Callable[[Sandbox], object]] = {
        "a command": lambda each: command(each, str(tree), ["true"]),
        "an agent, one step": lambda each: agent(each, checkout),
        "an agent, four calls of tools": lambda each: tools(each, str(tree)),
    }
    found: dict[str, dict[str, list[float]]] = {
        name: {way: [] for way in (*ways, "namespaces alone")} for name in works
    }
    for turn in range(rounds + 3):
        for name, work in works.items():
            for way, sandbox in (*ways.items(), ("namespaces alone", bare)):
                took = await timed(lambda work=work, sandbox=sandbox: work(sandbox))  # type: ignore[misc]
                if turn >= 3:  # the first ones read from the disk
                    found[name][way].append(took)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    given = parser.parse_args()
    print(f"load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, {given.rounds} rounds\n")
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder:
        found = asyncio.run(measure(given.rounds, Path(folder)))
    print(
        "| | bare ms | sandbox ms | ratio | added ms | of it namespaces | at the best |\n|---|---|---|---|---|---|---|"
    )
    is_missed = False
    for name, ways in found.items():
        bare, held, spaces = (statistics.median(ways[each]) for each in ("bare", "sandbox", "namespaces alone"))
        added = statistics.median(b - a for a, b in zip(ways["bare"], ways["sandbox"], strict=True))
        most = COMMAND_MS if name == "a command" else AGENT_MS
        is_missed = is_missed or added > most
        best = min(ways["sandbox"]) - min(ways["bare"])
        print(
            f"| {name} | {bare:.1f} | {held:.1f} | {held / bare:.1f} | {added:.1f} (≤ {most}) |"
            f" {spaces - bare:.1f} | {best:.1f} |"
        )
    print(f"\nload after: {os.getloadavg()[0]:.1f}")
    return int(is_missed)


if __name__ == "__main__":
    raise SystemExit(main())
