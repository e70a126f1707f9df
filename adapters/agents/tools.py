"""What the built-in loop lets a model do: bash, read, edit, plan, ask_user. Every process goes through the sandbox."""

from __future__ import annotations

import asyncio
import io
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from adapters.agents.asking import Permit, Refused, permit
from adapters.agents.model import Call, CallResult, Tool, parse_arguments
from adapters.agents.output import Excerpt, cut
from adapters.system import AGENT_NICE, Ended, ProcessEndedError, run
from core.model.approvals import Act, ActKind
from core.model.events import ActionBegan, ActionEnded, PlanShown
from core.model.work import Checkout
from core.ports import Access, Approve, Note, Sandbox

BASH_SECONDS = 120
BASH_LONGEST_SECONDS = 600
FILE_SECONDS = 60.0
"""The most that reading or writing one file may take."""
FILE_BYTES = 50_000_000
"""The largest file that is read or edited."""
READ_LINES = 400
TITLE_CHARS = 80
MOST_OPTIONS = 8
OPTION_CHARS = 60


OTHER_NAMES = {
    "old": ("old_string", "old_str", "old_text"),
    "new": ("new_string", "new_str", "new_text", "content", "file_text"),
    "path": ("file_path", "file", "filename"),
    "command": ("cmd",),
}
"""What models that learned other tools write instead; to refuse it would cost a step and teach nothing."""


@dataclass(frozen=True, slots=True)
class Question:
    """What the model asks the person. It ends the turn."""

    text: str
    options: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Done:
    text: str
    is_ok: bool = True
    exit_code: int | None = None


class Tools:
    """The tools of one turn, in its checkout."""

    def __init__(self, checkout: Checkout, sandbox: Sandbox, note: Note, approve: Approve) -> None:
        self._root = PurePosixPath(checkout.path)
        self._project = checkout.project
        self._sandbox = sandbox
        self._note = note
        self._approve = approve
        self._reason = ""
        self.question: Question | None = None

    async def use(self, call: Call, reason: str = "") -> CallResult:
        """Do what the call asks, if it is allowed. Whatever is wrong with it is a result that the model can read.

        `reason`: what the model said beside it.
        """
        self._reason = reason
        try:
            done = await self._do(call)
        except (Refused, OSError, ValueError) as error:
            done = _Done(str(error), is_ok=False)
        return CallResult(call.id, call.name, done.text or "(no output)", is_error=not done.is_ok)

    async def _do(self, call: Call) -> _Done:
        given = parse_arguments(call)
        if given is None:
            raise Refused("The arguments are not a whole JSON object; write them again, in smaller pieces if need be.")
        arguments = _renamed(given)
        match call.name:
            case "plan":
                return self._plan(arguments)
            case "ask_user":
                return self._ask(arguments)
            case "bash" | "read" | "edit":
                return await self._act(call, arguments)
        raise Refused(f"There is no tool `{call.name}`. There are: {', '.join(each.name for each in TOOLS)}.")

    async def _act(self, call: Call, arguments: Mapping[str, Any]) -> _Done:
        """An action that people see, from its beginning to its end."""
        does = {"bash": self._bash, "read": self._read, "edit": self._edit}[call.name]
        self._note(ActionBegan(call.id, _title(call.name, arguments)))
        done = _Done("", is_ok=False)
        try:
            done = await does(arguments)
        finally:
            self._note(ActionEnded(call.id, done.is_ok, done.exit_code))
        return done

    async def _bash(self, arguments: Mapping[str, Any]) -> _Done:
        seconds = min(max(_number(arguments, "seconds", BASH_SECONDS), 1), BASH_LONGEST_SECONDS)
        command, output = _text(arguments, "command"), Excerpt()
        if "\0" in command:
            raise Refused("A command cannot hold a NUL character.")
        act = Act(ActKind.RUN, _title("bash", arguments), ("bash", "-c", command), command)
        argv = (await self._permit(act)).checked().argv
        wrapped = self._sandbox.wrap(argv, str(self._root), Access.WRITE, {}, project=self._project)
        try:
            ended = await run(
                wrapped.argv,
                environment=wrapped.environment,
                seconds=seconds,
                cwd=str(self._root),
                limit=0,
                merge=True,
                nice=AGENT_NICE,
                on_output=output.take,
                watch=wrapped.watch,
            )
        except ProcessEndedError as error:
            return _Done(f"{output.text}\n[{error}]", is_ok=False)
        limit = wrapped.watch.told_by(ended.code) if wrapped.watch else ""
        said = output.text if ended.code == 0 else f"{output.text}\n[{limit or f'exit {ended.code}'}]"
        return _Done(said, is_ok=ended.code == 0, exit_code=ended.code)

    async def _read(self, arguments: Mapping[str, Any]) -> _Done:
        path = self._path(arguments)
        await self._permit(Act(ActKind.READ, path, target=await self._resolved(path)))
        first = max(_number(arguments, "from_line", 1), 1)
        count = max(_number(arguments, "lines", READ_LINES), 1)
        content = await self._content(path)
        shown, among, total = await asyncio.to_thread(_lines, content, first, count)
        if among == total:
            return _Done(cut(shown) or "(the file is empty)")
        return _Done(f"{cut(shown)}\n[lines {first}-{first - 1 + among} of {total}]")

    async def _edit(self, arguments: Mapping[str, Any]) -> _Done:
        path, old, new = self._path(arguments), _text(arguments, "old").encode(), _text(arguments, "new").encode()
        target = await self._resolved(path)
        if old:
            content = await self._content(path)
            act = Act(ActKind.EDIT, path, target=target, before=_as_text(content))
            allowed = await self._permit(replace(act, content=_as_text(_replaced(content, old, new))))
            if allowed.by and (await self._resolved(path), await self._content(path)) != (target, content):
                raise Refused(f"{path} has changed while it was asked about; read it and ask again.")
            await self._write(path, _as_bytes(allowed.checked().content), content, (target,) if allowed.by else ())
            return _Done(f"{path} is changed.")
        await self._check_new(path)
        allowed = await self._permit(Act(ActKind.EDIT, path, target=target, content=_as_text(new)))
        if allowed.by:
            await self._check_new(path)
        new = _as_bytes(allowed.checked().content)
        opened = (target,) if allowed.by else ()
        folder = ("mkdir", "-p", "--", str(PurePosixPath(path).parent))
        _checked(await self._process(folder, Access.WRITE, opened=opened))
        await self._write(path, new, None, opened)
        return _Done(f"{path} is written.")

    async def _check_new(self, path: str) -> None:
        if (await self._process(("test", "-s", path))).code == 0:
            raise Refused(f"{path} is there already; give in `old` the text of it that is to be replaced.")

    async def _permit(self, act: Act) -> Permit:
        return await permit(self._approve, replace(act, folder=str(self._root), reason=self._reason))

    async def _resolved(self, path: str) -> str:
        """Where it really lies, whatever links lead there; relative to the project where it lies in it."""
        found = _checked(await self._process(("realpath", "-m", "--", path))).output.decode(errors="surrogateescape")
        real = PurePosixPath(found.removesuffix("\n"))
        return str(real.relative_to(self._root)) if real.is_relative_to(self._root) else str(real)

    async def _content(self, path: str) -> bytes:
        ended = _checked(await self._process(("head", "-c", str(FILE_BYTES + 1), "--", path)))
        if ended.is_cut:
            raise Refused(f"{path} is larger than {FILE_BYTES:,} bytes; use bash for it.")
        return ended.output

    async def _write(self, path: str, content: bytes, before: bytes | None, opened: Sequence[str]) -> None:
        """Exactly these bytes, in place so that its mode stays; when the disk is full, what was there `before`.

        `opened`: guarded, but a person allowed just this.
        """
        writer = ("dd", f"of={path}", "status=none")
        ended = await self._process(writer, Access.WRITE, content, opened)
        if ended.code != 0 and before is not None:
            await self._process(writer, Access.WRITE, before, opened)
        _checked(ended)

    async def _process(
        self, argv: Sequence[str], access: Access = Access.READ, stdin: bytes = b"", opened: Sequence[str] = ()
    ) -> Ended:
        wrapped = self._sandbox.wrap(argv, str(self._root), access, {}, project=self._project, opened=opened)
        try:
            return await run(
                wrapped.argv,
                environment=wrapped.environment,
                seconds=FILE_SECONDS,
                cwd=str(self._root),
                stdin=stdin,
                limit=FILE_BYTES,
                watch=wrapped.watch,
            )
        except ProcessEndedError as error:
            raise Refused(str(error)) from error

    def _path(self, arguments: Mapping[str, Any]) -> str:
        """A path in the workspace, relative to it, as an argument that no program takes for an option."""
        asked = _text(arguments, "path")
        path = PurePosixPath(asked)
        if path.is_absolute():
            if not path.is_relative_to(self._root):
                raise Refused(f"{asked} is outside of the project; give a path relative to the current directory.")
            path = path.relative_to(self._root)
        if not path.parts or "\0" in asked:
            raise Refused("Give the path of a file, relative to the current directory.")
        if ".." in path.parts:
            raise Refused(f"{asked}: `..` is not allowed; give a path relative to the current directory.")
        if any(part.lower() == ".git" for part in path.parts):
            raise Refused(f"{asked}: `.git` is not yours to read or change; the bot commits your work.")
        return f"./{path}"

    def _plan(self, arguments: Mapping[str, Any]) -> _Done:
        entries = arguments.get("entries")
        if not isinstance(entries, list) or not all(isinstance(each, dict) for each in entries):
            raise Refused("`entries` must be a list of objects with `text` and `done`.")
        self._note(PlanShown(tuple((_text(each, "text"), each.get("done") is True) for each in entries)))
        return _Done("The plan is shown.")

    def _ask(self, arguments: Mapping[str, Any]) -> _Done:
        if self.question is not None:
            raise Refused("Only one question at a time; the first was put.")
        options = arguments.get("options") or []
        if not isinstance(options, list) or not all(isinstance(each, str) for each in options):
            raise Refused("`options` must be a list of short texts.")
        shown = tuple(each[:OPTION_CHARS] for each in options if each.strip())[:MOST_OPTIONS]
        self.question = Question(_text(arguments, "question"), shown)
        return _Done("The question is put to the person. The next message is the answer.")


def _lines(content: bytes, first: int, count: int) -> tuple[str, int, int]:
    """Those lines, how many they are, and how many there are. In a thread, and one line at a time: a file can be all
    line ends, and a list of its lines many times as large as itself.
    """
    total = content.count(b"\n") + (not content.endswith(b"\n") and bool(content))
    among = max(0, min(count, total - first + 1))
    file = io.BytesIO(content)
    begin = _after(file, first - 1) if among else 0
    end = _after(file, among)
    return content[begin:end].decode(errors="replace"), among, total


def _after(file: io.BytesIO, count: int) -> int:
    """Where the file stands when so many lines more are read."""
    for _ in itertools.islice(file, count):
        pass
    return file.tell()


def _replaced(content: bytes, old: bytes, new: bytes) -> bytes:
    """`old` exactly once replaced."""
    count = content.count(old)
    if count == 1:
        return content.replace(old, new)
    if count > 1:
        raise Refused(f"`old` is there {count} times; give more of the text around it, so that it is there once.")
    if b"\r\n" in content and content.replace(b"\r\n", b"\n").count(old):
        raise Refused("`old` is not there: the lines of this file end in \\r\\n; write them so in `old` and `new`.")
    raise Refused("`old` is not in the file; read it and give the text exactly as it stands, white space included.")


def _as_text(content: bytes) -> str:
    """Of any bytes, and back."""
    return content.decode(errors="surrogateescape")


def _as_bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")


def _checked(ended: Ended) -> Ended:
    if ended.code != 0:
        said = ended.error.decode(errors="replace").strip()
        raise Refused(cut(said, 500) or f"exit {ended.code}")
    return ended


def _text(arguments: Mapping[str, Any], name: str) -> str:
    found = arguments.get(name)
    if not isinstance(found, str):
        raise Refused(f"`{name}` is missing or not a text.")
    return found


def _number(arguments: Mapping[str, Any], name: str, default: int) -> int:
    """A whole number; some models write it as a text or with a point."""
    found = arguments.get(name, default)
    try:
        return int(float(found)) if not isinstance(found, bool) else default
    except (TypeError, ValueError, OverflowError):
        raise Refused(f"`{name}` must be a whole number.") from None


def _renamed(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """Ours where they stand, else what stands for them."""
    named = dict(arguments)
    for name, others in OTHER_NAMES.items():
        found = next((other for other in others if other in arguments), None)
        if name not in arguments and found is not None:
            named[name] = named.pop(found)
    return named


def _title(name: str, arguments: Mapping[str, Any]) -> str:
    said = arguments.get("command" if name == "bash" else "path")
    words = said.strip() if isinstance(said, str) else ""
    line = next(iter(words.splitlines()), "")
    title = line if name == "bash" else f"{name} {line}"
    return title if len(title) <= TITLE_CHARS else f"{title[: TITLE_CHARS - 1]}…"


def _tool(name: str, about: str, required: Sequence[str], **properties: Mapping[str, Any]) -> Tool:
    return Tool(name, about, {"type": "object", "properties": properties, "required": list(required)})


TOOLS: tuple[Tool, ...] = (
    _tool(
        "bash",
        "Run a command in the project's folder, in a fresh shell without network. "
        "Output comes back as text, the middle left out when it is long.",
        ("command",),
        command={"type": "string"},
        seconds={"type": "integer", "description": f"the most it may take; {BASH_SECONDS} unless told, at most 600"},
    ),
    _tool(
        "read",
        f"Read a text file, {READ_LINES} lines unless told.",
        ("path",),
        path={"type": "string", "description": "relative to the project's folder"},
        from_line={"type": "integer", "description": "counts from 1"},
        lines={"type": "integer"},
    ),
    _tool(
        "edit",
        "Replace a text in a file. `old` must be in it exactly once, to the last space. "
        "With an empty `old` a new file is written; one that has content is never overwritten so.",
        ("path", "old", "new"),
        path={"type": "string", "description": "relative to the project's folder"},
        old={"type": "string"},
        new={"type": "string"},
    ),
    _tool(
        "plan",
        "Show the people in the chat your list of steps, and which are done. Call it again as you go on.",
        ("entries",),
        entries={
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"text": {"type": "string"}, "done": {"type": "boolean"}},
                "required": ["text", "done"],
            },
        },
    ),
    _tool(
        "ask_user",
        "Ask the person one question, only when you cannot decide by yourself. It ends your turn.",
        ("question",),
        question={"type": "string"},
        options={"type": "array", "items": {"type": "string"}, "description": "short answers to choose from, if any"},
    ),
)
