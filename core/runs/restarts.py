"""After a restart: several runs that it cut are told of on one card, and what may have been answered is asked again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import NAMESPACE_URL, uuid5

import structlog

from core.model.chat import Button, ButtonToken, ChatRef, Post, PostKey, Priority, Style, ThreadRef
from core.model.errors import StoreError
from core.model.work import Run, RunState, TurnState
from core.ports import Agent, Clock, Forgetting, Outgoing, SendState, Store
from core.posts import Posts
from core.runs.cards import CutCards
from core.runs.steps import MOST_CUTS
from core.zones import span

log = structlog.get_logger()

BEAT_SECONDS = 30.0
"""How exactly it is known since when the bot was away."""
SHOWN_RUNS = 5
"""On one card; each of the others has its own in its thread."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A run that the restart cut. `waits`: only a person can say whether it goes on."""

    run: Run
    waits: bool


class Restarts:
    """`take_stock` once at a start, before the engine goes on with anything; then `work`."""

    def __init__(
        self,
        store: Store,
        posts: Posts,
        platforms: Mapping[str, object],
        agents: Mapping[str, Agent],
        cards: CutCards,
        clock: Clock,
        zone: str = "UTC",
    ) -> None:
        self._store, self._posts, self._platforms, self._agents = store, posts, platforms, agents
        self._cards, self._clock, self._zone = cards, clock, zone

    async def take_stock(self) -> None:
        since = await self._store.last_beat()
        runs = await self._store.open_runs()
        await self._tell_cut(runs)
        if since is not None:
            await self._ask_again(runs, since)
        await self._store.beat(self._clock.now())

    async def work(self) -> None:
        """Keep it known that the bot is alive, until cancelled."""
        while True:
            await self._clock.sleep(BEAT_SECONDS)
            try:
                await self._store.beat(self._clock.now())
            except StoreError as error:
                log.warning("restarts.beat", reason=str(error))

    # -------------------------------------------------------------------------------------- what was cut

    async def _tell_cut(self, runs: Sequence[Run]) -> None:
        rooms: dict[ChatRef, list[Cut]] = {}
        for run in runs:
            if run.state in {RunState.PLANNING, RunState.RUNNING} and not run.stop_asked_by:
                rooms.setdefault(run.thread.room, []).append(Cut(run, await self._waits(run)))
        for room, cuts in rooms.items():
            if len(cuts) > 1 and any(cut.waits for cut in cuts):
                await self._tell(room, sorted(cuts, key=lambda cut: not cut.waits))

    async def _waits(self, run: Run) -> bool:
        """Not for one that restarts cut too often: that has a card of its own, which says so."""
        turn = await self._store.next_turn(run.id)
        agent = self._agents.get(run.agent)
        is_in_turn = run.step.startswith("turn-") and turn is not None and turn.state is TurnState.OPEN
        return is_in_turn and agent is not None and not agent.can_repeat and run.attempts < MOST_CUTS

    async def _tell(self, room: ChatRef, cuts: Sequence[Cut]) -> None:
        names = " ".join(f"{cut.run.id}:{cut.run.step}:{cut.run.attempts}" for cut in cuts)
        key = PostKey(f"restart:{uuid5(NAMESPACE_URL, names)}")
        thread = ThreadRef(room.platform, room.tenant, room.chat)
        await self._posts.say(key, thread, restart_post(cuts), Priority.APPROVAL)
        for cut in cuts[:SHOWN_RUNS]:
            if cut.waits:
                self._cards.put(cut.run.id, key)

    # ----------------------------------------------------------------------------- what was asked before

    async def _ask_again(self, runs: Sequence[Run], since: datetime) -> None:
        """Where the platform forgets presses, and was given the time to: each open question once."""
        away = (self._clock.now() - since).total_seconds()
        asked: dict[PostKey, Run] = {
            PostKey(run.asks): run for run in runs if run.asks and run.parked_until is None and not run.stop_asked_by
        }
        for key, run in asked.items():
            platform = self._platforms.get(run.thread.platform)
            if isinstance(platform, Forgetting) and away > platform.press_seconds:
                await self._ask_once_more(key, since)

    async def _ask_once_more(self, key: PostKey, since: datetime) -> None:
        row = await self._last_piece(key)
        if row is None or row.state is not SendState.SENT or not row.post.buttons:
            return
        zone = (await self._store.settings(row.thread.room)).zone or self._zone
        away = span(since, self._clock.now(), zone)
        text = f"*I was away {away}; a press in that time may have been lost, so I ask again.*\n\n{row.post.text}"
        rows = tuple(tuple(replace(each, token=ButtonToken("")) for each in buttons) for buttons in row.post.buttons)
        again = PostKey(f"again:{key}:{int(since.timestamp())}")
        await self._posts.say(again, row.thread, replace(row.post, text=text, buttons=rows), Priority.APPROVAL)

    async def _last_piece(self, key: PostKey) -> Outgoing | None:
        """Its buttons are on the last."""
        row = await self._store.outgoing(key)
        number = 2
        while row is not None and (following := await self._store.outgoing(PostKey(f"{key}#{number}"))) is not None:
            row, number = following, number + 1
        return row


def restart_post(cuts: Sequence[Cut]) -> Post:
    """Those that wait come first."""
    lines = [f"♻️ **I restarted; {len(cuts)} runs were cut.**", ""]
    rows: list[tuple[Button, ...]] = []
    for number, (run, waits) in enumerate(((cut.run, cut.waits) for cut in cuts[:SHOWN_RUNS]), 1):
        what = "waits: what it had done to the files is still there" if waits else "goes on by itself"
        lines.append(f"{number}. **{run.title}** · {run.agent}: {what}")
        if waits:
            rows.append(
                (
                    Button(f"Resume {number}", f"/resume {run.id}", Style.PRIMARY),
                    Button(f"Discard {number}", f"/discard {run.id}", Style.DANGER),
                    Button(f"Show diff {number}", f"/diff {run.id}"),
                )
            )
    if len(cuts) > SHOWN_RUNS:
        lines += ["", f"… and {len(cuts) - SHOWN_RUNS} more, each in its thread."]
    if len(rows) > 1:
        rows.append((Button("Resume all", "/resume all", Style.PRIMARY),))
    return Post("\n".join(lines), tuple(rows))
