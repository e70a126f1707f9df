"""How a run ends in words: the answer, what changed, the pull request, time and cost; and what was kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from core.files import answer
from core.model.chat import Button, Post, Style
from core.model.work import Change, PullRequest, PullState, Run, RunState, Turn, Usage, Work
from core.runs.progress import elapsed, fit_for_code

SHOWN_FILES = 8
SHOWN_LEFT = 5
LEFT_LENGTH = 200
UNPUBLISHED = (
    "What was done is not published. It is safe in the bot's workspace for 30 days: "
    "“Publish again” takes it from there."
)
UNBEGUN = "Nothing was changed. Say it again to try once more."

_MARKS = {RunState.COMPLETED: "✅", RunState.FAILED: "❌", RunState.CANCELLED: "⏹"}


def final_post(  # noqa: PLR0913 - the facts of an end
    run: Run,
    work: Work,
    state: RunState,
    now: datetime,
    *,
    said: str,
    change: Change | None,
    pull: PullRequest | None,
    usage: Usage,
    by: str = "",
    left: str = "",
    more: bool = False,
    is_kept_back: bool = False,
) -> Post:
    """`said` is the agent's answer or what went wrong, `by` who ended it, `left` what was not done and where it is.

    `more`: the next thing said is taken up at once. However long the answer is, what it led to stays in the chat.
    """
    took = elapsed((now - (run.started_at or run.created_at)).total_seconds())
    head = f"{_MARKS[state]} **{run.title}** · {run.agent} · {took}"
    parts = [left, files(change) if change else _unchanged(state, pull)]
    if pull is not None:
        parts.append(pull_line(pull))
    if costs := _costs(usage):
        parts.append(costs)
    if more:
        parts.append("*Going on with what you said meanwhile.*")
    rows = ((publish_button(run),),) if is_kept_back else _buttons(work, change, pull)
    return Post(_paragraphs(head, by), rows, file=answer(said), below=_paragraphs(*parts))


def publish_button(run: Run) -> Button:
    return Button("Publish again", f"/publish {run.id}", Style.PRIMARY)


def left_post(turns: Sequence[Turn]) -> Post:
    """What was said and not taken up, so that nobody waits for it."""
    lines = [f"> {_one_line(turn.text)}" for turn in turns[:SHOWN_LEFT]]
    more = [f"> … {len(turns) - SHOWN_LEFT} more"] if len(turns) > SHOWN_LEFT else []
    head = "📭 This was said meanwhile and is **not** taken up. Say it again if you still want it:"
    return Post("\n".join([head, "", "  \n".join([*lines, *more])]))


def files(change: Change) -> str:
    """Files with lines added and removed, the first few by name."""
    count = len(change.files)
    noun = "file" if count == 1 else "files"
    head = f"**{count} {noun} changed** (+{change.added} -{change.removed}) on `{change.branch}`"
    shown = change.files[:SHOWN_FILES]
    lines = [f"- `{fit_for_code(each.path)}` {_counts(each.added, each.removed)}" for each in shown]
    if count > SHOWN_FILES:
        lines.append(f"- … {count - SHOWN_FILES} more")
    return "\n".join([head, "", *lines])


def pull_line(pull: PullRequest) -> str:
    state = "" if pull.state is PullState.OPEN else f" ({pull.state})"
    return f"Pull request: {link(pull)}{state}"


def link(pull: PullRequest) -> str:
    """A web address is a link; a path of the local forge is shown as it is."""
    title = f"#{pull.number} {pull.title}"
    if pull.url.startswith(("https://", "http://")):
        safe = title.replace("[", "(").replace("]", ")")
        return f"[{safe}]({pull.url})"
    return f"{title} — `{pull.url}`"


def kept(change: Change | None, branch: str) -> str:
    """What is left of a run that did not come to its end."""
    if change is not None:
        return f"What was done so far is kept on `{branch}`. Say how to go on, and I continue there."
    return "Nothing had been changed. Say how to go on, and I start again."


def _paragraphs(*parts: str) -> str:
    return "\n\n".join(part for part in parts if part)


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LEFT_LENGTH else line[: LEFT_LENGTH - 1] + "…"


def _unchanged(state: RunState, pull: PullRequest | None) -> str:
    if state is not RunState.COMPLETED:
        return ""
    return "No file was changed." if pull else "No file was changed, so there is no pull request."


def _counts(added: int | None, removed: int | None) -> str:
    return "binary" if added is None or removed is None else f"+{added} -{removed}"


def _costs(usage: Usage) -> str:
    total = usage.input_tokens + usage.output_tokens
    words = [f"{_count(usage.input_tokens)} tokens in, {_count(usage.output_tokens)} out"] if total else []
    if usage.cost is not None:
        words.append(f"${usage.cost:.4f}" if usage.cost < 0.1 else f"${usage.cost:.2f}")
    return f"*{' · '.join(words)}*" if words else ""


def _count(tokens: int) -> str:
    return str(tokens) if tokens < 1000 else f"{tokens / 1000:.1f}k"


def _buttons(work: Work, change: Change | None, pull: PullRequest | None) -> tuple[tuple[Button, ...], ...]:
    row = []
    if change is not None or pull is not None:
        row.append(Button("Show diff", f"/diff {work.id}"))
    if pull is None and change is not None:
        row.append(Button("Open pull request", f"/pr {work.id}", Style.PRIMARY))
    if pull is not None and pull.state is PullState.OPEN:
        row.append(Button("Merge", f"/merge {work.id}", Style.PRIMARY))
    return (tuple(row),) if row else ()
