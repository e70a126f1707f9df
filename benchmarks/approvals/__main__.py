"""python -m benchmarks.approvals: prompts per run under the default policy, and what they were about.

Each run is a list of calls as an agent makes them, kept in `runs.json`. A person answers *This run* to the first
question about a thing, as most do, so what is alike is asked about once.
"""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

from core.approvals.defaults import DEFAULTS
from core.approvals.policy import Policy, Then
from core.model.approvals import Act, ActKind
from core.model.work import Checkout, ProjectKey, RunId

RUNS = Path(__file__).with_name("runs.json")
MOST = 2.0
"""The median may be no greater."""
HERE = Checkout(RunId("r1"), ProjectKey("DEMO"), "/work/r1", "task/DEMO-1", "main", "0" * 40)


def act_of(call: dict[str, str], number: int) -> Act:
    [(tool, said)] = call.items()
    if tool == "bash":
        return Act(ActKind.RUN, said, ("bash", "-c", said), said, HERE.path)
    kind = ActKind.EDIT if tool == "edit" else ActKind.READ
    content = f"version {number}" if kind is ActKind.EDIT else ""
    return Act(kind, said, folder=HERE.path, target=said, content=content)


def judged(run: dict[str, Any], policy: Policy) -> tuple[list[Act], list[Act]]:
    """What is asked about, and what is refused."""
    asked: dict[str, Act] = {}
    refused = []
    for number, call in enumerate(run["calls"]):
        act = act_of(call, number)
        then = policy.rule(act, HERE).then
        if then is Then.ASK:
            asked.setdefault(act.likeness(HERE.path), act)
        elif then is Then.DENY:
            refused.append(act)
    return list(asked.values()), refused


def report() -> tuple[list[int], int]:
    """Prompts of each run, and how many calls were refused; printed."""
    prompts, refusals = [], 0
    for run in json.loads(RUNS.read_text(encoding="utf-8")):
        asked, refused = judged(run, Policy(DEFAULTS))
        prompts.append(len(asked))
        refusals += len(refused)
        about = "; ".join((act.command or f"edit {act.target}")[:60] for act in asked) or "nothing"
        print(f"{len(asked):>2} of {len(run['calls']):>2} calls  {run['name']}: {about}")
        for act in refused:
            print(f"          refused: {act.title[:100]}")
    everything = Policy([])
    control = [len(judged(run, everything)[0]) for run in json.loads(RUNS.read_text(encoding="utf-8"))]
    median = statistics.median(prompts)
    print(f"median {median:g} prompts over {len(prompts)} runs (at most {MOST:g}), {refusals} refused;")
    print(f"without a policy, which asks about everything: median {statistics.median(control):g}")
    return prompts, refusals


if __name__ == "__main__":
    counted, _ = report()
    raise SystemExit(0 if statistics.median(counted) <= MOST else 1)
