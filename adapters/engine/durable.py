"""DbosEngine: core.ports.Engine on DBOS, an in-process library. Its traps are dealt with here and nowhere else."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from contextvars import Context
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from adapters.engine import database
from adapters.engine.busy import Busy
from adapters.engine.kept import is_leaving, keep, read_kept, refuse_in_step
from adapters.engine.logs import quiet
from adapters.engine.prune import forget_some
from adapters.engine.quick import quicken
from core.model.codec import Json, to_json
from core.model.errors import NotFound, StoreError
from core.ports import FlowFunction, FlowState

if TYPE_CHECKING:
    from dbos import DBOS

T = TypeVar("T")

ANSWER_SECONDS = 30.0
"""The most that start, signal and state wait for the database."""

END_SECONDS = 5.0
"""The most that a cancelled flow may take to tidy up."""

THREADS = 32
"""Unset, DBOS makes hundreds of threads under load (105 MiB instead of 70)."""

VERSION = "1"
"""Pinned: DBOS otherwise recovers nothing that another build of the code began. A flow's version is in its name."""

EARLY_SECONDS, EARLY_POLL, LATER_POLL = 15.0, 0.1, 1.0
"""Seconds; a poll costs a millisecond of a core."""

SHORTEST_SLEEP = 0.001
"""DBOS does not count a sleep of 0 as a step, so a replay after the time would miscount the steps."""


class DbosEngine:
    """One for each process. `url` empty: SQLite in `data`, else PostgreSQL. `node` names who goes on with what."""

    def __init__(self, url: str | None, data: Path, *, node: str = "local") -> None:
        self._url, self._data, self._node = url, data, node
        self._dbos: DBOS | None = None
        self._flows: dict[str, Callable[[Json], Coroutine[Any, Any, Json]]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._calls: set[asyncio.Task[Any]] = set()
        self._is_closing = False
        self.busy = Busy()

    async def launch(self, flows: Mapping[str, FlowFunction]) -> None:
        # In a thread: the import takes up to a second, and the loop goes on with what it has.
        await asyncio.to_thread(__import__, "dbos")
        from dbos import DBOS, _dbos  # noqa: PLC0415 - imported when used

        if _dbos._dbos_global_instance is not None:  # noqa: SLF001 - a second one would quietly be the first
            raise RuntimeError("an engine runs already in this process")
        for name, function in flows.items():
            body = self._body(function)
            self._flows[name] = DBOS.workflow(name=name, max_recovery_attempts=None)(body)
        quiet(logging.getLogger("dbos"))
        self._is_closing = False
        self._dbos = await asyncio.to_thread(self._build)
        # DBOS takes the loop of the thread that launches it; launching blocks, so that thread is not ours.
        self._dbos._background_event_loop.set_main_loop()  # noqa: SLF001 - dbos has no other way
        # What was open comes back through DBOS's own queue, which polls: often now, once a second later.
        queue = self._dbos._registry.get_internal_queue()  # noqa: SLF001
        queue._polling_interval_sec = EARLY_POLL  # noqa: SLF001
        asyncio.get_running_loop().call_later(EARLY_SECONDS, setattr, queue, "_polling_interval_sec", LATER_POLL)
        try:
            await asyncio.to_thread(DBOS.launch)
        except Exception as error:
            await self._leave()
            raise StoreError(
                "The engine's database cannot be opened. Check database_url, and that the server runs and has room."
            ) from error
        await asyncio.to_thread(quicken, self._dbos._sys_db)  # noqa: SLF001

    async def start(self, flow: str, id: str, args: Json) -> None:  # noqa: A002 - the field's word
        await self._ask(self._start(flow, id, to_json(args)))

    async def signal(self, id: str, topic: str, value: Json, key: str) -> None:  # noqa: A002
        await self._ask(self._signal(id, topic, to_json(value), key))

    async def state(self, id: str) -> FlowState | None:  # noqa: A002
        status = await self._ask(self._running.get_workflow_status_async(id))
        return None if status is None else _STATES.get(status.status, FlowState.BROKEN)

    async def prune(self, before: datetime) -> int:
        count = 0
        while self._running and (some := await self._ask(asyncio.to_thread(forget_some, before))):
            count += some
        return count

    async def close(self, seconds: float) -> None:
        if self._dbos is None:
            return
        self._is_closing = True
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.busy.over()
        # What is cut now is no error: it goes on at the next start.
        logging.getLogger("dbos").setLevel(logging.ERROR)
        tasks = self._tasks | self._calls
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=END_SECONDS)
        await self._leave()

    # ------------------------------------------------------------------------------------- within

    @property
    def _running(self) -> DBOS:
        if self._dbos is None or self._is_closing:
            raise StoreError("The bot is starting or stopping. Nothing is lost; it is taken up when the bot runs.")
        return self._dbos

    def _build(self) -> DBOS:
        from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer  # noqa: PLC0415 - imported when used

        if not self._url:
            database.make_private(self._data)
        config: DBOSConfig = {
            "name": "patchbay",
            "application_version": VERSION,
            "executor_id": self._node,
            "max_executor_threads": THREADS,
            "serializer": DBOSPortableJSONSerializer(),
            "enable_otlp": False,
            "log_level": "WARNING",
        }
        config.update(database.settings(self._url, self._data))
        return DBOS(config=config)

    async def _leave(self) -> None:
        from dbos import DBOS  # noqa: PLC0415 - imported when used

        # The loop was given DBOS's pool, which ends early in this, while others still work and need threads.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(thread_name_prefix="to-thread"))
        await asyncio.to_thread(DBOS.destroy, destroy_registry=True)
        self._dbos = None

    def _body(self, function: FlowFunction) -> Callable[[Json], Coroutine[Any, Any, Json]]:
        async def body(args: Json) -> Json:
            task = cast("asyncio.Task[Any]", asyncio.current_task())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            try:
                result = to_json(await function(DbosFlow(self, _flow_id()), args))
            except Exception:
                if is_leaving():
                    raise asyncio.CancelledError from None
                raise
            if is_leaving():
                raise asyncio.CancelledError
            self.busy.enter()
            task.add_done_callback(lambda _: self.busy.leave())
            return result

        return body

    async def _ask(self, call: Coroutine[Any, Any, T]) -> T:
        """Outside any flow's context, lest DBOS count it as a step; finished even when the caller is cancelled, lest a
        flow be written down and not begun.
        """
        task = asyncio.get_running_loop().create_task(call, context=Context())
        self._calls.add(task)
        task.add_done_callback(self._forget)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await asyncio.shield(task)
        except TimeoutError:
            raise StoreError("The engine's database does not answer. Nothing is lost; try again in a minute.") from None

    def _forget(self, call: asyncio.Task[Any]) -> None:
        self._calls.discard(call)
        if not call.cancelled():
            call.exception()  # seen, also when the caller has gone

    async def _start(self, flow: str, id: str, args: Json) -> None:  # noqa: A002
        from dbos import SetWorkflowID, error  # noqa: PLC0415 - imported when used

        with SetWorkflowID(id), suppress(error.DBOSConflictingWorkflowError):
            await self._running.start_workflow_async(self._flows[flow], args)

    async def _signal(self, id: str, topic: str, value: Json, key: str) -> None:  # noqa: A002
        from dbos import error  # noqa: PLC0415 - imported when used

        running = self._running
        try:
            await running.send_async(id, value, topic, idempotency_key=key)
        except error.DBOSNonExistentWorkflowError:
            raise NotFound("Nothing waits for this: it is over, or it never began.") from None
        # On SQLite DBOS looks for signals once a second; who waits in this process is woken at once.
        waiting = running._sys_db.notifications_map.get(f"{id}::{topic}")  # noqa: SLF001 - dbos has no other way
        if waiting is not None:
            waiting.set()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Around a step: `close` waits for it, and once it closes no other begins."""
        if self._is_closing:
            await asyncio.get_running_loop().create_future()
        self.busy.enter()
        try:
            yield
        finally:
            self.busy.leave()


class DbosFlow:
    """Given to the function of a flow; its calls are counted, so they come in the same order on every run."""

    def __init__(self, engine: DbosEngine, id: str) -> None:  # noqa: A002 - the field's word
        self._engine, self._id = engine, id
        self._is_in_step = False

    @property
    def id(self) -> str:
        return self._id

    async def step(self, name: str, returns: type[T], call: Callable[..., Awaitable[T]], *args: Any) -> T:  # noqa: ANN401
        from dbos import DBOS  # noqa: PLC0415 - imported when used

        refuse_in_step("a step")
        if self._is_in_step:
            raise RuntimeError(f"step {name!r} beside another one: steps run one after another")
        async with self._engine.alone():
            self._is_in_step = True
            try:
                kept = await DBOS.run_step_async({"name": name}, keep, call, args)
            finally:
                self._is_in_step = False
        return read_kept(returns, kept)

    async def wait(self, topic: str, seconds: float) -> Json:
        from dbos import DBOS  # noqa: PLC0415 - imported when used

        refuse_in_step("a wait")
        return cast("Json", await DBOS.recv_async(topic, seconds))

    async def sleep_until(self, when: datetime) -> None:
        from dbos import DBOS  # noqa: PLC0415 - imported when used

        refuse_in_step("a sleep")
        await DBOS.sleep_async(max(SHORTEST_SLEEP, (when - datetime.now(UTC)).total_seconds()))


def _flow_id() -> str:
    from dbos import DBOS  # noqa: PLC0415 - imported when used

    return cast("str", DBOS.workflow_id)


_STATES = {
    "PENDING": FlowState.OPEN,
    "ENQUEUED": FlowState.OPEN,
    "DELAYED": FlowState.OPEN,
    "SUCCESS": FlowState.DONE,
}
