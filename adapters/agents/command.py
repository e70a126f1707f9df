"""An agent that runs a configured command line in the workspace: a formatter, a codemod, an update. It needs no key."""

from __future__ import annotations

import asyncio
import codecs
import re
import shlex
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from adapters.agents.asking import Refused, permit
from adapters.agents.caps import capped_until
from adapters.agents.config import CommandConfig
from adapters.agents.output import Excerpt
from adapters.gateway.inside import forwarded
from adapters.system import AGENT_NICE, ProcessLimitError, ProcessTimeoutError, SystemClock, run
from core.model.approvals import Act, ActKind
from core.model.errors import AgentCapped, AgentError, AgentLimit, AgentUnready, SandboxError
from core.model.events import ActionBegan, ActionEnded, Readiness, TextSaid, TurnAsk, TurnResult
from core.model.spend import Door
from core.model.work import Checkout
from core.ports import Access, Approve, Clock, Note, Sandbox, Wrapped

WORDS = "{words}"
TITLE_CHARS = 80
ANSWER_CHARS = 3_000
"""What the answer shows of one step's output."""
STREAM_CHARS = 12_000
"""What is streamed of one step's output while it runs."""
NOT_STARTED = re.compile(r"(?:bwrap|sandbox): execvp .*: (.+)")
"""What the sandbox says of a program that is not there."""
OFF = "off"
"""The name of no sandbox."""
ANYWHERE = "/workspace"
"""Some folder, to ask the sandbox for its PATH."""


@dataclass(frozen=True, slots=True)
class _Step:
    """One step that is over."""

    title: str
    code: int
    output: str

    @property
    def shown(self) -> str:
        fence = "`" * max(3, _longest_ticks(self.output) + 1)
        said = f"\n{fence}\n{self.output.rstrip()}\n{fence}" if self.output.strip() else ""
        return f"`{self.title}`: {'done' if self.code == 0 else f'exit {self.code}'}{said}"


class Command:
    """A recipe."""

    def __init__(self, name: str, config: CommandConfig, sandbox: Sandbox, clock: Clock | None = None) -> None:
        self._name, self._config, self._sandbox = name, config, sandbox
        self._clock: Clock = clock or SystemClock()

    @property
    def name(self) -> str:
        return self._name

    @property
    def can_repeat(self) -> bool:
        return self._config.repeatable

    async def ready(self) -> Readiness:
        about = self._config.about or f"runs {', then '.join(_title(each) for each in self._config.steps)}"
        missing = await asyncio.to_thread(self._missing)
        return Readiness(about, is_usable=not missing, missing=missing)

    def _missing(self) -> str:
        """Programs that are not found; one with a path in its name is the project's own, and known only there."""
        try:
            path = self._sandbox.wrap(("true",), ANYWHERE, Access.READ, {}).environment["PATH"]
        except SandboxError as error:
            return str(error)
        programs = dict.fromkeys(each[0] for each in self._config.steps if "/" not in each[0])
        absent = [each for each in programs if shutil.which(each, path=path) is None]
        return f"install {', '.join(f'`{each}`' for each in absent)} where the sandbox sees it" if absent else ""

    async def take_turn(self, turn: TurnAsk, note: Note, approve: Approve) -> TurnResult:
        steps: list[Sequence[str]] = [expand(each, turn.words, self._name) for each in self._config.steps]
        if missing := await asyncio.to_thread(self._missing):
            raise AgentUnready(f"{self._name} is not usable: {missing}.")
        steps = [await self._allowed(each, turn.checkout.path, approve) for each in steps]
        until = asyncio.get_running_loop().time() + min(turn.seconds, self._config.seconds)
        over: list[_Step] = []
        for number, argv in enumerate(steps, 1):
            over.append(await self._run(argv, number, turn.checkout, until, note, turn.door))
            if over[-1].code != 0 and self._config.stop_at_failure:
                self._check_cap(over[-1])
                raise AgentError(f"{self._name} failed. {over[-1].shown}")
        return TurnResult("\n\n".join(each.shown for each in over))

    async def _allowed(self, argv: Sequence[str], folder: str, approve: Approve) -> Sequence[str]:
        """The step as it was allowed; all are asked about before the first is taken, so that a no leaves no change."""
        act = Act(
            ActKind.RUN,
            _title(argv),
            tuple(argv),
            folder=folder,
            reason=f"a step of the recipe {self._name}",
            is_configured=True,
        )
        try:
            return (await permit(approve, act)).checked().argv
        except Refused as refused:
            raise AgentError(f"{self._name}: `{_title(argv)}`: {refused}") from None

    def _check_cap(self, step: _Step) -> None:
        """A coding agent on the command line ends at its provider's cap with words about it. AgentCapped."""
        reset = capped_until(step.output, self._clock.now())
        if reset is not None:
            raise AgentCapped(f"{self._name}: its provider's usage cap is reached. {step.shown}", reset)

    async def _run(
        self, argv: Sequence[str], number: int, checkout: Checkout, until: float, note: Note, door: Door | None
    ) -> _Step:
        """One step, shown from its beginning to its end."""
        id_, title, code = f"step-{number}", _title(argv), None
        note(ActionBegan(id_, title))
        try:
            code, output = await self._process(argv, checkout, until, note, door)
        finally:
            note(ActionEnded(id_, code == 0, code))
        return _Step(title, code, output)

    async def _process(
        self, argv: Sequence[str], checkout: Checkout, until: float, note: Note, door: Door | None
    ) -> tuple[int, str]:
        output = Excerpt(ANSWER_CHARS)
        wrapped = self._wrapped(argv, checkout, door)
        seconds = max(until - asyncio.get_running_loop().time(), 0.0)
        try:
            ended = await run(
                wrapped.argv,
                environment=wrapped.environment,
                seconds=seconds,
                cwd=checkout.path,
                limit=0,
                merge=True,
                nice=AGENT_NICE,
                on_output=_both(output.take, _stream(note)),
                watch=wrapped.watch,
            )
        except ProcessTimeoutError:
            raise AgentLimit(
                f"{self._name}: `{_title(argv)}` was stopped, its time was over. What it changed is kept. "
                f"Its last output:\n{output.text}"
            ) from None
        except ProcessLimitError as error:
            raise AgentLimit(
                f"{self._name}: `{_title(argv)}` was {error}. What it changed is kept. Its last output:\n{output.text}"
            ) from None
        except (FileNotFoundError, PermissionError) as error:
            raise AgentUnready(f"{self._name}: `{argv[0]}` cannot be started ({error.strerror}).") from error
        if ended.code != 0 and (refused := NOT_STARTED.match(output.text)):
            raise AgentUnready(f"{self._name}: `{argv[0]}` cannot be started ({refused[1]}).")
        limit = wrapped.watch.told_by(ended.code) if wrapped.watch else ""
        return ended.code, f"{output.text}\n[{limit}]" if limit else output.text

    def _wrapped(self, argv: Sequence[str], checkout: Checkout, door: Door | None) -> Wrapped:
        path, project = checkout.path, checkout.project
        if door is None:
            return self._sandbox.wrap(argv, path, Access.WRITE, {}, project=project)
        if self._sandbox.name == OFF:
            raise AgentUnready(f"{self._name}: `models` needs the sandbox, which is switched off (`sandbox: off`).")
        variables = door.variables
        return self._sandbox.wrap(forwarded(argv), path, Access.WRITE, variables, project=project, socket=door.socket)


def expand(argv: Sequence[str], words: Sequence[str], name: str) -> list[str]:
    """`{words}` becomes the words, one argument each. AgentError for one that a program could take for an option."""
    if WORDS not in argv:
        return list(argv)
    place = argv.index(WORDS)
    for word in words:
        if word.startswith("-") and "--" not in argv[1:place]:
            raise AgentError(f"{name}: `{word}` looks like an option; only plain words are passed on.")
        if "\0" in word:
            raise AgentError(f"{name}: a word holds a character that no program can take.")
    return [each for part in argv for each in (words if part == WORDS else (part,))]


def _title(argv: Sequence[str]) -> str:
    line = " ".join(shlex.join(argv).split())
    return line if len(line) <= TITLE_CHARS else f"{line[: TITLE_CHARS - 1]}…"


def _both(*takes: Callable[[bytes], None]) -> Callable[[bytes], None]:
    def take(piece: bytes) -> None:
        for each in takes:
            each(piece)

    return take


def _stream(note: Note) -> Callable[[bytes], None]:
    """Tell the output as it comes, until it is too much to read."""
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    room = STREAM_CHARS

    def take(piece: bytes) -> None:
        nonlocal room
        if room > 0 and (text := decoder.decode(piece)[:room]):
            room -= len(text)
            note(TextSaid(text))

    return take


def _longest_ticks(text: str) -> int:
    longest = current = 0
    for each in text:
        current = current + 1 if each == "`" else 0
        longest = max(longest, current)
    return longest
