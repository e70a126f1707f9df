"""Bombs, small ones, in the real sandbox: each is ended with a word about the limit, and nothing of it is left."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from adapters.agents import AGENTS, AgentTools
from adapters.agents.command import Command
from adapters.agents.config import AnthropicConfig, CommandConfig
from adapters.sandbox.watch import measure
from adapters.system import ProcessTimeoutError
from core.model.errors import AgentLimit
from tests.adapters.agents.turns import Notes, nobody_asked, turn_in
from tests.adapters.cells import Cell, alive, until
from tests.fakes.llm import FakeLLM, Use, Words

ROOT = Path(__file__).parents[2]


@pytest.fixture
def mark() -> str:
    return f"mark-{uuid4().hex}"


# ------------------------------------------------------------------------------------ bombs


async def test_a_fork_bomb_is_ended_with_all_of_it(tmp_path: Path, mark: str) -> None:
    cell = Cell(tmp_path, processes=60)

    said = await cell.killed(f": {mark}; bomb() {{ bomb | bomb & bomb; }}; bomb; sleep 600")

    assert said == "killed: ran more than 60 processes and threads"
    await until(lambda: not alive(mark))


async def test_memory_of_many_processes_counts_together(tmp_path: Path, mark: str) -> None:
    cell = Cell(tmp_path, memory_mb=200)
    hold = f"import time; held = bytearray(60_000_000); time.sleep(600)  # {mark}"

    said = await cell.killed(f"for each in 1 2 3 4 5; do '{sys.executable}' -I -S -c '{hold}' & done; wait")

    assert said == "killed: used more than 200 MB of memory"
    await until(lambda: not alive(mark))


async def test_memory_that_children_share_counts_once(tmp_path: Path) -> None:
    cell = Cell(tmp_path, memory_mb=200)
    script = (
        "import os, time\nheld = bytearray(90_000_000)\n"
        "for each in range(5):\n    if not os.fork():\n        time.sleep(1.5)\n        os._exit(0)\n"
        "for each in range(5):\n    os.wait()\nprint('shared')"
    )

    assert (await cell.python(script)).text == "shared\n"


async def test_one_process_that_asks_for_too_much_is_refused_by_the_kernel(tmp_path: Path) -> None:
    ended = await Cell(tmp_path, memory_mb=100).python("bytearray(1_000_000_000)")

    assert "MemoryError" in ended.text


@pytest.mark.parametrize(
    "fill",
    [
        "head -c 300M /dev/zero > /dev/shm/a; sleep 600",
        "head -c 80M /dev/zero > /tmp/a; head -c 80M /dev/zero > ~/a; head -c 80M /dev/zero > /run/a; sleep 600",
    ],
)
async def test_what_lies_in_memory_folders_counts_as_memory(tmp_path: Path, fill: str) -> None:
    cell = Cell(tmp_path, memory_mb=200, tmp_mb=100 if "/run" in fill else 400)

    assert await cell.killed(fill) == "killed: used more than 200 MB of memory"


async def test_files_in_memory_without_a_name_count_too(tmp_path: Path) -> None:
    script = (
        "import os, time\nfor each in range(30):\n    os.write(os.memfd_create('x'), bytes(10**7))\ntime.sleep(600)"
    )

    assert await Cell(tmp_path, memory_mb=200).killed(f"'{sys.executable}' -I -S -c \"{script}\"") == (
        "killed: used more than 200 MB of memory"
    )


async def test_temporary_folders_are_full_at_their_size(tmp_path: Path) -> None:
    ended = await Cell(tmp_path, tmp_mb=5).sh("head -c 20M /dev/zero > /tmp/a; head -c 20M /dev/zero > /dev/shm/b")

    assert ended.text.count("No space left") == 2


async def test_a_disk_filler_is_ended(tmp_path: Path) -> None:
    cell = Cell(tmp_path, disk_mb=64)

    said = await cell.killed("for each in $(seq 1000); do head -c 16M /dev/urandom > file-$each; sleep 0.05; done")

    assert said == "killed: the checkout took more than 64 MB of disk"


async def test_a_file_that_is_deleted_while_it_grows_is_counted(tmp_path: Path) -> None:
    script = "exec 3> big; rm big; while :; do head -c 8M /dev/urandom >&3; sleep 0.05; done"

    assert await Cell(tmp_path, disk_mb=64).killed(script) == "killed: the checkout took more than 64 MB of disk"


async def test_files_that_hide_from_being_counted_are_no_way_around(tmp_path: Path) -> None:
    deep = "for each in $(seq 60); do mkdir $(printf 'x%.0s' $(seq 200)) && cd x*; done; "
    fill = "while :; do head -c 8M /dev/urandom > $RANDOM; sleep 0.05; done"

    said = await Cell(tmp_path, disk_mb=64).killed(deep + fill)

    assert said in {
        "killed: it hid files from being counted, in folders too deep or closed",
        "killed: the checkout took more than 64 MB of disk",
    }
    await asyncio.to_thread(subprocess.run, ["rm", "-rf", str(tmp_path / "data")], check=True)


async def test_a_million_files_are_not_made(tmp_path: Path) -> None:
    script = "import itertools\nfor each in itertools.count():\n    open(str(each), 'w').close()"
    cell = Cell(tmp_path, files=5_000)

    said = await cell.killed(f"'{sys.executable}' -I -S -c \"{script}\"")

    assert said == "killed: the checkout held more than 5,000 files"
    assert measure(str(cell.tree)).files < 1_000_000
    shutil.rmtree(cell.tree)


async def test_a_million_files_in_memory_are_not_made(tmp_path: Path) -> None:
    script = "import itertools\nfor each in itertools.count():\n    open('/tmp/' + str(each), 'w').close()"

    said = await Cell(tmp_path, files=5_000).killed(f"'{sys.executable}' -I -S -c \"{script}\"")

    assert said == "killed: made more than 5,000 files outside of the checkout"


async def test_a_file_grows_no_further_than_it_may_and_that_is_told(tmp_path: Path) -> None:
    cell = Cell(tmp_path, file_mb=3)
    wrapped = cell.wrap("true")

    ended = await cell.sh("exec head -c 10M /dev/zero > big")

    assert (cell.tree / "big").stat().st_size == 3 << 20
    assert wrapped.watch
    assert wrapped.watch.told_by(ended.code) == "killed: wrote a file larger than 3 MB"


async def test_a_sparse_or_a_zip_bomb_takes_no_more_than_a_file_may(tmp_path: Path) -> None:
    cell = Cell(tmp_path, file_mb=3)
    script = "head -c 200M /dev/zero | gzip > bomb.gz; zcat bomb.gz > unpacked; truncate -s 1T sparse"

    ended = await cell.sh(script)

    assert (cell.tree / "unpacked").stat().st_size == 3 << 20
    assert ended.code
    assert (cell.tree / "sparse").stat().st_size == 0


async def test_an_output_without_end_is_ended(tmp_path: Path) -> None:
    assert await Cell(tmp_path, output_mb=2).killed("yes") == "killed: wrote more than 2 MB of output"


async def test_processor_time_is_limited_and_that_is_told(tmp_path: Path) -> None:
    cell = Cell(tmp_path, cpu_seconds=1)
    wrapped = cell.wrap("true")

    ended = await cell.sh("exec bash -c 'while :; do :; done'")

    assert wrapped.watch
    assert "processor time" in wrapped.watch.told_by(ended.code) or ended.code == 128 + signal.SIGKILL


async def test_a_sleep_for_ever_is_ended(tmp_path: Path) -> None:
    cell = Cell(tmp_path, seconds=1)

    with pytest.raises(ProcessTimeoutError, match="ended after 1 s"):
        await cell.sh("sleep infinity")


async def test_open_files_are_limited(tmp_path: Path) -> None:
    script = "held = [open('/dev/null') for each in range(500)]"

    assert "Too many open files" in (await Cell(tmp_path, open_files=64).python(script)).text


async def test_without_the_layers_the_same_bombs_go_off(tmp_path: Path) -> None:
    """The negative control, with bombs that are small enough to be let off."""
    cell = Cell(tmp_path, without={"limits", "watch"}, memory_mb=16, processes=4, file_mb=1, open_files=16)
    held = "held = [open('/dev/null') for each in range(100)]; more = bytearray(60_000_000); print(len(held))"

    ended = await cell.python(held)
    await cell.sh("for each in 1 2 3 4 5 6 7 8; do sleep 0.2 & done; head -c 4M /dev/zero > big; wait")

    assert ended.text == "100\n"
    assert (cell.tree / "big").stat().st_size == 4 << 20


async def test_a_checkout_that_is_too_large_already_can_be_made_smaller(tmp_path: Path) -> None:
    cell = Cell(tmp_path, disk_mb=8, files=100)
    (cell.tree / "big").write_bytes(os.urandom(20_000_000))

    await cell.sh("sleep 1")
    ended = await cell.sh("rm big; sleep 1; echo smaller")
    (cell.tree / "big").write_bytes(os.urandom(20_000_000))
    said = await cell.killed("head -c 9M /dev/urandom > more; sleep 600")

    assert ended.text == "smaller\n"
    assert said == "killed: the checkout took more than 8 MB of disk"


# ------------------------------------------------------------------------------------ what is told, what is left


async def test_the_agent_reads_which_limit_it_was(tmp_path: Path) -> None:
    cell = Cell(tmp_path, output_mb=1, file_mb=1)
    async with FakeLLM() as llm:
        llm.script([Use("bash", command="yes"), Use("bash", command="exec head -c 9M /dev/zero > big"), Words("Done.")])
        config = AnthropicConfig.model_validate({"model": "m", "base_url": llm.anthropic_base})
        agent = AGENTS["anthropic"].build("sam", config, AgentTools(cell.sandbox, tmp_path / "sessions"))
        await agent.take_turn(turn_in(cell.tree), Notes(), nobody_asked)
        flood, large = (each.body["messages"][-1]["content"][0] for each in llm.requests[1:3])

    assert flood["content"].endswith("\n[killed: wrote more than 1 MB of output]")
    assert large["content"].endswith("[killed: wrote a file larger than 1 MB]")


async def test_a_recipe_that_uses_too_much_fails_with_a_word_about_it(tmp_path: Path) -> None:
    cell = Cell(tmp_path, output_mb=1)
    agent = Command("flood", CommandConfig(steps=(("yes",),)), cell.sandbox)

    with pytest.raises(AgentLimit, match=r"`yes` was killed: wrote more than 1 MB of output\. What it changed is kept"):
        await agent.take_turn(turn_in(cell.tree), Notes(), nobody_asked)


STUBBORN = {
    "forked twice": "( ( sleep 600 $MARK & ) & ); sleep 600",
    "in a session of its own": "setsid sleep 600 $MARK & sleep 600",
    "that hangs up on nobody": "nohup sleep 600 $MARK & sleep 600",
    "that ignores signals": "trap '' HUP INT QUIT TERM PIPE ALRM USR1 USR2; sleep 600 $MARK; sleep 600",
    "that is stopped": "sleep 600 $MARK & kill -STOP $!; sleep 600",
    "that stops everybody": "sleep 600 $MARK & kill -STOP -1; sleep 600",
    "that ends everybody else": "setsid sleep 600 $MARK & kill -9 -1; sleep 600",
    "that closes its output": "exec > /dev/null 2>&1 < /dev/null; setsid sleep 600 $MARK & sleep 600",
}


@pytest.mark.parametrize("how", list(STUBBORN))
async def test_nothing_is_left_of_a_process(tmp_path: Path, mark: str, how: str) -> None:
    """`sleep` takes the mark for a second duration that is not one, so it is given as a name of the program."""
    cell = Cell(tmp_path)
    script = STUBBORN[how].replace("sleep 600 $MARK", f"bash -c 'exec -a {mark} sleep 600'")
    running = asyncio.create_task(cell.sh(f"touch began; {script}"))
    await until((cell.tree / "began").exists)
    if how != "that ends everybody else":
        await until(lambda: bool(alive(mark)))

    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    await until(lambda: not alive(mark))


async def test_nothing_is_left_when_the_command_ends_by_itself(tmp_path: Path, mark: str) -> None:
    ended = await Cell(tmp_path).sh(f"(setsid bash -c 'exec -a {mark} sleep 600' > /dev/null 2>&1 &); echo over")

    assert ended.text == "over\n"
    await until(lambda: not alive(mark))


BOT = """
import asyncio, sys
from pathlib import Path
from tests.adapters.cells import Cell
asyncio.run(Cell(Path(sys.argv[1])).sh(sys.argv[2]))
"""


async def test_nothing_is_left_when_the_bot_is_killed(tmp_path: Path, mark: str) -> None:
    script = f"setsid bash -c 'trap \"\" TERM HUP; exec -a {mark} sleep 600' & touch began; wait"
    bot = await asyncio.create_subprocess_exec(sys.executable, "-c", BOT, str(tmp_path), script, cwd=ROOT)
    await until(lambda: (tmp_path / "data/runs/one/tree/began").exists() and bool(alive(mark)))

    bot.kill()
    await bot.wait()

    await until(lambda: not [each for each in alive(mark) if each != bot.pid])


async def test_the_bots_own_limits_are_as_they_were(tmp_path: Path) -> None:
    before = [resource.getrlimit(each) for each in (resource.RLIMIT_NOFILE, resource.RLIMIT_DATA)]

    await Cell(tmp_path, open_files=32, memory_mb=50).sh("true")

    assert [resource.getrlimit(each) for each in (resource.RLIMIT_NOFILE, resource.RLIMIT_DATA)] == before
