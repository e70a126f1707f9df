"""Progress: a fold over the events of a turn, and how it looks in the run's anchor post."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from core.model.chat import Button, Post, Style
from core.model.events import (
    ActionBegan,
    ActionEnded,
    AgentEvent,
    PlanShown,
    SessionNamed,
    UsageSeen,
)
from core.model.work import Run, RunState, Usage

SHOWN_ACTIONS = 5
TITLE_LENGTH = 90
SILENT_SECONDS = 120.0
STUCK_SECONDS = 600.0
"""Without an event of the agent."""
SHOWN_ENTRIES = 20
"""Of a plan; an agent may write one without end."""


@dataclass(frozen=True, slots=True)
class Action:
    """`ok` is None while it runs."""

    id: str
    title: str
    ok: bool | None = None
    exit_code: int | None = None

    @property
    def line(self) -> str:
        title = f"`{self.title}`"
        if self.ok is None:
            return f"▸ {title}"
        if self.ok:
            return f"✓ {title}"
        return f"✗ {title}" + (f" (exit {self.exit_code})" if self.exit_code is not None else "")


@dataclass(frozen=True, slots=True)
class Progress:
    """What is known of a run while it works. `step` counts actions; `actions` are the last few."""

    step: int = 0
    actions: tuple[Action, ...] = ()
    plan: tuple[tuple[str, bool], ...] = ()
    usage: Usage = field(default_factory=Usage)
    session: str = ""
    last_sign: datetime | None = None
    is_resumed: bool = False
    """A restart cut this turn, and it was taken up again by itself."""

    def begun(self, at: datetime, *, is_resumed: bool) -> Progress:
        """With one more turn, of which nothing is known yet."""
        return replace(self, usage=Usage(), last_sign=at, is_resumed=is_resumed)

    def after(self, event: AgentEvent, at: datetime) -> Progress:
        """With one more event. An end without a beginning changes nothing."""
        known = replace(self, last_sign=at)
        match event:
            case ActionBegan(action, title):
                begun = (*self.actions, Action(action, fit_for_code(title)))
                return replace(known, step=self.step + 1, actions=begun[-SHOWN_ACTIONS:])
            case ActionEnded(action, ok, exit_code):
                ended = tuple(
                    replace(each, ok=ok, exit_code=exit_code) if each.id == action else each for each in self.actions
                )
                return replace(known, actions=ended)
            case PlanShown(entries):
                return replace(known, plan=tuple(entries)[:SHOWN_ENTRIES])
            case UsageSeen(usage):
                return replace(known, usage=usage)
            case SessionNamed(session):
                return replace(known, session=session)
            case _:
                return known


def anchor_post(run: Run, progress: Progress, now: datetime, *, waiting_for: str = "", is_brief: bool = False) -> Post:
    """The one post that shows a run: state, agent, elapsed, step, the last actions, and Stop while it goes on.

    `is_brief`: its actions are shown elsewhere.
    """
    end = run.ended_at or now
    facts = [f"**{run.state}**", run.agent, elapsed((end - (run.started_at or run.created_at)).total_seconds())]
    if progress.step:
        facts.append(f"step {progress.step}")
    lines = [f"{run.title}", " · ".join(facts)]
    if waiting_for:
        lines.append(f"*{waiting_for}*")
    if run.state is RunState.RUNNING:
        lines += [f"*{words}*" for words in (_resumed(progress), _silence(progress, now)) if words]
    lines += [f"{'☑' if done else '☐'} {fit_for_code(words)}" for words, done in progress.plan]
    if run.state is not RunState.WAITING and not is_brief:
        lines += [each.line for each in progress.actions]
    return Post("  \n".join(lines), () if run.state.is_over else ((stop_button(run),),))


def _resumed(progress: Progress) -> str:
    return "♻️ I restarted and went on" if progress.is_resumed else ""


def _silence(progress: Progress, now: datetime) -> str:
    """So that nobody need guess whether it still works."""
    silent = (now - (progress.last_sign or now)).total_seconds()
    if silent < SILENT_SECONDS:
        return ""
    words = f"last sign {int(silent // 60)} min ago"
    if silent < STUCK_SECONDS:
        return f"⏳ still working, {words}"
    return f"⏳ {words}: it may be stuck. Stop ends it; what it changed is kept"


def stop_button(run: Run) -> Button:
    return Button("⏹ Stop", f"/cancel {run.id}", Style.DANGER)


def elapsed(seconds: float) -> str:
    """`12s`, `3m 04s`, `1h 02m`."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    return f"{whole // 3600}h {whole % 3600 // 60:02d}m"


def fit_for_code(text: str) -> str:
    """What an agent or a repository has named, for a code span: no line break, no backtick, not too long."""
    flat = " ".join(text.replace("`", "'").split())
    return flat if len(flat) <= TITLE_LENGTH else flat[: TITLE_LENGTH - 1] + "…"
