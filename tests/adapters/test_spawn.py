"""A process is started as the standard library would start it, on either way."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters import spawn as module
from adapters.spawn import Start, spawn, started
from adapters.system import run

PATH = os.environ["PATH"]
PYTHON = os.path.realpath(sys.executable)
TELL = """
import os, signal, sys
print(sorted(os.environ), os.getcwd(), os.getsid(0) == os.getpid(), sorted(os.listdir("/proc/self/fd"))[:-1])
print(signal.getsignal(signal.SIGPIPE) == signal.SIG_DFL, signal.pthread_sigmask(signal.SIG_BLOCK, ()))
sys.stderr.write("aside\\n")
print(sys.stdin.read())
"""


def open_now() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.fixture(params=["libc", "the standard library"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    module._libc.cache_clear()
    if request.param != "libc":
        monkeypatch.setattr(module, "NEEDED", ("no_such_function",))
    yield request.param
    module._libc.cache_clear()


async def test_it_has_what_it_was_given_and_nothing_else(way: str, tmp_path: Path) -> None:
    with (tmp_path / "inherited").open("w") as inherited:
        os.set_inheritable(inherited.fileno(), True)
        ended = await run(
            [PYTHON, "-I", "-c", f"import signal; signal.signal(13, signal.SIG_DFL)\n{TELL}"],
            environment={"NAME": "é", "LC_ALL": "C.UTF-8"},
            seconds=20,
            cwd=str(tmp_path),
            stdin=b"words",
        )

    first, second, said = ended.text.splitlines()
    assert first == f"['LC_ALL', 'NAME'] {tmp_path} True ['0', '1', '2']"
    assert second == "True set()"
    assert (said, ended.error, ended.code) == ("words", b"aside\n", 0)


async def test_signals_that_python_ignores_end_it(way: str) -> None:
    ended = await run(["sh", "-c", "kill -PIPE $$; echo alive"], environment={"PATH": PATH}, seconds=20)

    assert (ended.code, ended.output) == (-signal.SIGPIPE, b"")


async def test_an_agent_leaves_the_processor_to_the_bot(way: str) -> None:
    """It reads its own: that is set from outside, a moment after it has begun."""
    script = "while [ $(cut -d' ' -f19 /proc/$$/stat) != 7 ]; do :; done; echo lowered"

    ended = await run(["sh", "-c", script], environment={"PATH": PATH}, seconds=20, nice=7)

    assert ended.output == b"lowered\n"


async def test_both_outputs_in_one_and_no_input(way: str) -> None:
    argv = ["sh", "-c", "echo one; echo two >&2; cat; exit 3"]
    ended = await run(argv, environment={"PATH": PATH}, seconds=20, merge=True)

    assert (ended.output, ended.error, ended.code) == (b"one\ntwo\n", b"", 3)


@pytest.mark.parametrize(
    ("argv", "error"),
    [
        (["no-such-program"], FileNotFoundError),
        (["./no-such-program"], FileNotFoundError),
        (["./plain-file"], PermissionError),
        (["sh", "-c", "a\0b"], ValueError),
    ],
)
async def test_what_cannot_be_started_is_told_and_leaves_nothing_open(
    way: str, argv: list[str], error: type[Exception], tmp_path: Path
) -> None:
    (tmp_path / "plain-file").touch()
    await run(["true"], environment={"PATH": PATH}, seconds=20)
    before = open_now()

    with pytest.raises(error):
        await run(argv, environment={"PATH": PATH}, seconds=20, cwd=str(tmp_path))

    assert open_now() == before


async def test_a_program_is_looked_for_where_it_will_run(way: str, tmp_path: Path) -> None:
    shutil.copy("/bin/echo", tmp_path / "only-here")

    ended = await run(["only-here", "words"], environment={"PATH": str(tmp_path)}, seconds=20)

    assert ended.output == b"words\n"


@pytest.mark.parametrize("moment", ["before it is there", "just after"])
async def test_one_that_is_cancelled_while_it_starts_is_ended(
    moment: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on, over = asyncio.Event(), threading.Event(), threading.Event()
    loop, pids = asyncio.get_running_loop(), []

    def slowly(start: Start) -> module.Process:
        if moment == "before it is there":
            loop.call_soon_threadsafe(begun.set)
            go_on.wait(20)
        process = started(start)
        pids.append(process.pid)
        return process

    def end(process: module.Process) -> None:
        plain(process)
        over.set()

    plain = module._end
    monkeypatch.setattr(module, "started", slowly)
    monkeypatch.setattr(module, "_end", end)
    if moment == "just after":
        inner = module._Starting.go

        def go(starting: module._Starting) -> module.Process:
            process = inner(starting)
            loop.call_soon_threadsafe(begun.set)
            go_on.wait(20)
            return process

        monkeypatch.setattr(module._Starting, "go", go)
    task = asyncio.ensure_future(spawn(Start(["sleep", "600"], {"PATH": PATH}, has_stdin=True)))
    await begun.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    go_on.set()

    assert await asyncio.to_thread(over.wait, 20)
    assert task.cancelled()
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


async def test_a_process_that_never_stops_writing_lets_others_go_on() -> None:
    told = asyncio.Event()
    argv = ["cat", "/dev/zero"]
    writing = run(argv, environment={"PATH": PATH}, seconds=60, limit=0, on_output=lambda _: told.set())
    task = asyncio.ensure_future(writing)
    await told.wait()
    for _ in range(100):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert task.cancelled()


async def test_what_is_held_back_is_the_first_to_go_when_memory_ends(way: str) -> None:
    process = await spawn(Start(["sleep", "60"], {"PATH": PATH}, nice=10))
    score = await asyncio.to_thread(Path(f"/proc/{process.pid}/oom_score_adj").read_text)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()

    assert score == "500\n"
