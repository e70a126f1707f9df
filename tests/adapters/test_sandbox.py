"""The sandbox, with the real bubblewrap: what goes on inside is judged from inside and from outside."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from adapters.sandbox import Bubblewrap, Unsandboxed, choose
from adapters.system import Ended, ProcessTimeoutError, run
from core.model.errors import SandboxError
from core.ports import Access, Sandbox, Wrapped
from tests import repositories

SECONDS = 20.0
NOBODY = 65534


class Room:
    """A data folder with a worktree and a secret in it."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.tree = self.data / "runs" / "one" / "tree"
        self.tree.mkdir(parents=True)
        self.secret = self.data / "patchbay.db"
        self.word = uuid4().hex
        self.secret.write_text(self.word)

    async def sandbox(self) -> Sandbox:
        return await choose("auto", [self.data])


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


async def inside(room: Room, *argv: str, access: Access = Access.WRITE, **environment: str) -> Ended:
    wrapped = (await room.sandbox()).wrap(argv, str(room.tree), access, environment)
    return await run(wrapped.argv, environment=wrapped.environment, seconds=SECONDS, merge=True)


async def sh(room: Room, script: str, access: Access = Access.WRITE) -> Ended:
    return await inside(room, "/bin/sh", "-c", script, access=access)


# ------------------------------------------------------------------------------------ what works


async def test_the_worktree_is_written_where_it_lies(room: Room) -> None:
    ended = await sh(room, "echo done > made && pwd")

    assert ended.text.strip() == str(room.tree)
    assert (room.tree / "made").read_text() == "done\n"
    assert (room.tree / "made").stat().st_uid == os.getuid()


async def test_for_reading_the_worktree_is_only_read(room: Room) -> None:
    (room.tree / "file").write_text("words")

    ended = await sh(room, "cat file; echo more > file; touch other", Access.READ)

    assert ended.text.startswith("words")
    assert (room.tree / "file").read_text() == "words"
    assert not (room.tree / "other").exists()


async def test_the_exit_code_is_the_commands(room: Room) -> None:
    assert (await sh(room, "exit 7")).code == 7


async def test_the_bots_own_python_and_its_programs_run(room: Room) -> None:
    assert (await inside(room, sys.executable, "-c", "import ssl, sqlite3; print(1 + 1)")).text == "2\n"
    assert (await inside(room, "ruff", "--version")).code == 0


async def test_the_agents_git_reads_the_history_beside_its_tree(room: Room) -> None:
    store = repositories.make_repository(room.data / "store", {"a": "1\n"})
    (room.tree.parent / "readable").symlink_to(store / ".git/objects")
    shutil.copytree(store / ".git", room.tree / ".git", ignore=shutil.ignore_patterns("objects"))
    (room.tree / ".git/objects/info").mkdir(parents=True)
    (room.tree / ".git/objects/info/alternates").write_text("../../../readable\n")

    ended = await sh(room, "git log --format=%s; touch ../readable/x; echo $(ls ..)")

    assert ended.text.startswith("Change\n")
    assert not (store / ".git/objects/x").exists()
    assert ended.text.splitlines()[-1] == "readable tree"


async def test_home_and_temporary_files_are_its_own(room: Room) -> None:
    ended = await sh(room, 'echo x > ~/a && echo y > /tmp/b && ls -A ~ /tmp; echo "$HOME"; id -un')

    assert ended.code == 0
    assert ended.text.endswith("/home/agent\nagent\n")
    assert not await asyncio.to_thread(Path("/tmp/b").exists)


async def test_an_argument_is_one_argument(room: Room) -> None:
    words = ["a b", "$(id)", "--", "-x", "*", "\n", "ü", ""]

    ended = await inside(room, sys.executable, "-c", "import sys; print(sys.argv[1:])", *words)

    assert ended.text == f"{words}\n"


# ------------------------------------------------------------------------------------ what does not


async def test_the_data_folder_cannot_be_seen(room: Room) -> None:
    ended = await sh(room, f"cat {room.secret}; ls -A {room.data}; find / -name patchbay.db 2>/dev/null")

    assert room.word not in ended.text
    assert "runs" in ended.text
    assert ended.text.count("patchbay.db") == 1  # in cat's complaint


async def test_nothing_outside_the_worktree_can_be_written(room: Room) -> None:
    outside = [room.data, room.tree.parent, Path("/usr"), Path("/etc"), Path(sys.prefix), Path("/")]

    for folder in outside:
        await sh(room, f"touch {folder}/planted; mkdir {folder}/planted-too")

    assert not [folder for folder in outside if list(folder.glob("planted*"))]


async def test_a_link_out_of_the_worktree_leads_nowhere(room: Room) -> None:
    (room.tree / "link").symlink_to(room.secret)

    ended = await sh(room, "cat link; echo broken > link")

    assert room.word not in ended.text
    assert room.secret.read_text() == room.word


async def test_etc_is_nearly_empty(room: Room) -> None:
    ended = await sh(room, "ls /etc; cat /etc/passwd; cat /etc/shadow; ls /var/log; ls /boot; ls /srv")

    assert "shadow\n" not in ended.text
    assert "root:x" not in ended.text
    assert "agent:x:1000" in ended.text
    assert ended.text.count("No such file") == 4


async def test_no_environment_of_the_bot_is_in_there(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = uuid4().hex
    monkeypatch.setenv("ANTHROPIC_API_KEY", secret)

    script = "env; cat /proc/*/environ /proc/*/cmdline | tr '\\0' '\\n'"
    wrapped = (await room.sandbox()).wrap(["sh", "-c", script], str(room.tree), Access.WRITE, {"GIVEN": "1"})
    ended = await run(wrapped.argv, environment=wrapped.environment, seconds=SECONDS)

    names = set(re.findall(r"^(\w+)=", ended.text, re.MULTILINE))
    assert names <= {"GIVEN", "PATH", "HOME", "LANG", "TERM", "PWD", "OLDPWD", "SHLVL", "_"}
    assert secret not in ended.text


async def test_what_is_given_does_not_stand_in_argv(room: Room) -> None:
    secret = uuid4().hex

    wrapped = (await room.sandbox()).wrap(["true"], str(room.tree), Access.WRITE, {"KEY": secret})

    assert secret not in " ".join(wrapped.argv)
    assert wrapped.environment["KEY"] == secret


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        yield server


async def test_there_is_no_network_not_even_to_this_machine(room: Room, listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    script = f"import socket; socket.create_connection(('127.0.0.1', {port}), 2)"

    ended = await inside(room, sys.executable, "-c", script)

    assert "refused" in ended.text
    with pytest.raises(TimeoutError):
        listener.accept()


async def test_abstract_sockets_of_this_machine_are_not_there(room: Room) -> None:
    name = f"\0{uuid4().hex}"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(name)
        server.listen()
        script = f"import socket; socket.socket(socket.AF_UNIX).connect({name!r})"
        ended = await inside(room, sys.executable, "-c", script)

    assert "refused" in ended.text


async def test_other_processes_can_neither_be_seen_nor_ended(room: Room) -> None:
    ended = await sh(room, f"kill -0 {os.getpid()} || echo none; ls -d /proc/[0-9]* | wc -l")

    assert "none\n" in ended.text
    assert int(ended.text.split()[-1]) < 10


async def test_no_namespace_within_can_be_made(room: Room) -> None:
    assert (await sh(room, "unshare --user --map-root-user true")).code != 0


async def test_it_can_be_no_other_user(room: Room) -> None:
    ended = await sh(room, "id -u; grep CapEff /proc/self/status; mount -t tmpfs none /mnt; chown 0 . ")

    assert ended.text.startswith("1000\nCapEff:\t0000000000000000\n")
    assert ended.code != 0


async def test_it_cannot_type_into_the_terminal(room: Room) -> None:
    assert (await sh(room, "exec 3<>/dev/tty")).code != 0


async def test_devices_are_the_harmless_ones(room: Room) -> None:
    listed = set((await sh(room, "ls /dev")).text.split())

    assert {"null", "zero", "urandom"} <= listed
    assert not {"mem", "kmsg", "sda", "kvm", "fuse", "vda"} & listed


@pytest.mark.parametrize("how", ["timeout", "cancel"])
async def test_nothing_is_left_of_what_is_ended(room: Room, how: str) -> None:
    mark = uuid4().hex
    script = f"(setsid sh -c 'trap \"\" TERM; while :; do sleep 0.05; date > beat; done' {mark} &) ; sleep 60"
    wrapped = (await room.sandbox()).wrap(["sh", "-c", script], str(room.tree), Access.WRITE, {})
    started = asyncio.create_task(run(wrapped.argv, environment=wrapped.environment, seconds=0.6))

    if how == "cancel":
        await asyncio.sleep(0.4)
        started.cancel()
    with pytest.raises((ProcessTimeoutError, asyncio.CancelledError)):
        await started

    assert (room.tree / "beat").exists()
    await until(lambda: not [line for line in command_lines() if mark in line])


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110 - what other processes do sets no event
            await asyncio.sleep(0.02)


def command_lines() -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return found


# ------------------------------------------------------------------------------------ under another user


@pytest.fixture
def public_room() -> Iterator[Room]:
    if os.getuid() != 0:
        pytest.skip("only root can become another user")
    folder = Path("/tmp") / f"room-{uuid4().hex}"
    folder.mkdir(mode=0o755)
    room = Room(folder)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    yield room
    shutil.rmtree(folder)


async def test_it_holds_for_a_bot_that_is_not_root(public_room: Room) -> None:
    chosen = await public_room.sandbox()
    assert isinstance(chosen, Bubblewrap)
    sandbox = Bubblewrap(Path(chosen._program), [public_room.data], prefixes=())
    script = f"echo done > made; id -u; cat {public_room.secret}; touch /usr/x /etc/x"

    ended = await as_nobody(sandbox.wrap(["sh", "-c", script], str(public_room.tree), Access.WRITE, {}))

    assert ended.startswith("1000\n")
    assert public_room.word not in ended
    assert (public_room.tree / "made").stat().st_uid == NOBODY


async def as_nobody(wrapped: Wrapped) -> str:
    process = await asyncio.create_subprocess_exec(
        *wrapped.argv,
        env=dict(wrapped.environment),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd="/",
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
    )
    async with asyncio.timeout(SECONDS):
        output, _ = await process.communicate()
    return output.decode()


# ------------------------------------------------------------------------------------ choosing, refusing


async def test_the_one_that_is_chosen_says_what_it_is(room: Room) -> None:
    sandbox = await room.sandbox()

    assert sandbox.name == "bubblewrap"
    assert (await sandbox.probe()).is_usable
    assert sorted(path.name for path in room.data.iterdir()) == ["patchbay.db", "runs"]


async def test_a_data_folder_within_what_is_shown_is_covered(room: Room) -> None:
    chosen = await room.sandbox()
    assert isinstance(chosen, Bubblewrap)
    wide = Bubblewrap(Path(chosen._program), [room.data, room.secret], prefixes=[room.data.parent])

    wrapped = wide.wrap(["cat", str(room.secret)], str(room.tree), Access.WRITE, {})
    ended = await run(wrapped.argv, environment=wrapped.environment, seconds=SECONDS, merge=True)

    assert room.word not in ended.text
    assert (await wide.probe()).is_usable


async def test_a_sandbox_that_does_not_hold_is_not_chosen(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bwrap that only pretends: it runs the command as it is."""
    pretender = room.data.parent / "bin" / "bwrap"
    pretender.parent.mkdir()
    pretender.write_text('#!/bin/sh\nwhile [ "$1" != "--chdir" ]; do shift; done\ncd "$2"; shift 3; exec "$@"\n')
    pretender.chmod(0o755)

    ready = await Bubblewrap(pretender, [room.data], prefixes=()).probe()

    assert not ready.is_usable
    for word in ("it can read secret", "it can read", "outside of its workspace", "it shares net", "it shares pid"):
        assert word in ready.missing


@pytest.mark.parametrize(
    "content", ["#!/bin/sh\necho bwrap: No permissions to create a new namespace >&2; exit 1\n", ""]
)
async def test_where_none_works_the_next_steps_are_told(
    room: Room, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    program = room.data.parent / "bwrap"
    if content:
        program.write_text(content)
        program.chmod(0o755)
    monkeypatch.setattr("adapters.sandbox._programs", lambda: [program])

    with pytest.raises(SandboxError, match=r"(?s)apt install bubblewrap.*Docker.*sandbox: off"):
        await choose("auto", [room.data])


async def test_an_unknown_setting_is_an_error(room: Room) -> None:
    with pytest.raises(SandboxError, match="auto, bubblewrap, off"):
        await choose("maybe", [room.data])


async def test_off_passes_the_command_on_without_the_bots_environment(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", uuid4().hex)
    sandbox = await choose("off", [room.data])

    wrapped = sandbox.wrap(["env"], str(room.tree), Access.WRITE, {"GIVEN": "1"})

    assert isinstance(sandbox, Unsandboxed)
    assert wrapped.argv == ("env",)
    assert set(wrapped.environment) == {"GIVEN", "PATH", "HOME", "LANG", "TERM"}
    assert f"{sys.prefix}/bin" in wrapped.environment["PATH"]
    assert "no sandbox" in (await sandbox.probe()).about


@pytest.mark.parametrize("name", ["LD_PRELOAD", "LD_LIBRARY_PATH", "PATH", "HOME", "GLIBC_TUNABLES"])
async def test_what_would_reach_bubblewrap_itself_is_refused(room: Room, name: str) -> None:
    with pytest.raises(SandboxError, match=name):
        (await room.sandbox()).wrap(["true"], str(room.tree), Access.WRITE, {name: "/x"})


@pytest.mark.parametrize("workspace", ["relative", "/a/../b", "/", "{data}", "{data}/..", "/a\0b"])
async def test_a_workspace_that_would_show_too_much_is_refused(room: Room, workspace: str) -> None:
    with pytest.raises(SandboxError):
        (await room.sandbox()).wrap(["true"], workspace.format(data=room.data), Access.WRITE, {})


async def test_an_empty_command_is_refused(room: Room) -> None:
    with pytest.raises(SandboxError, match="empty"):
        (await room.sandbox()).wrap([], str(room.tree), Access.WRITE, {})
