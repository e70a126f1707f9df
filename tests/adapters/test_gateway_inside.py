"""From inside the real sandbox: the model answers through the gateway, nothing else does, and the key is nowhere."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from adapters.gateway import forwarded
from adapters.gateway.forward import listen
from adapters.gateway.inside import PORT
from adapters.sandbox import choose
from adapters.system import Ended, run
from core.model.errors import SandboxError
from core.model.spend import Door
from core.ports import Access, Sandbox
from tests.adapters.gates import AGENT, Gate, account
from tests.fakes.llm import FakeLLM, Words

ASK = """
import json, os, urllib.request
body = json.dumps({"model": "m", "messages": [], "stream": False}).encode()
headers = {"authorization": "Bearer " + os.environ["OPENAI_API_KEY"], "content-type": "application/json"}
request = urllib.request.Request(os.environ["OPENAI_BASE_URL"] + "/chat/completions", body, headers)
print(urllib.request.urlopen(request, timeout=30).read().decode())
"""

LOOK = """
import json, os, socket, sys
words = {name: word[::-1].encode() for name, word in json.loads(sys.argv[3]).items()}
seen = set()
def look(path):
    with open(path, "rb") as file:
        held = file.read()
    seen.update(name for name, word in words.items() if word in held)
for folder, _, names in [found for top in sys.argv[1].split() for found in os.walk(top)]:
    for name in names:
        path = os.path.join(folder, name)
        try:
            if os.path.isfile(path) and os.path.getsize(path) < 1_000_000:
                look(path)
        except OSError:
            pass
for number in filter(str.isdigit, os.listdir("/proc")):
    for name in ("environ", "cmdline", "maps", "status"):
        try:
            look(f"/proc/{number}/{name}")
        except OSError:
            pass
reached = []
for host, port in json.loads(sys.argv[2]):
    try:
        socket.create_connection((host, port), 2).close()
        reached.append([host, port])
    except OSError:
        pass
print(json.dumps({"seen": sorted(seen), "reached": reached}))
"""


@pytest.fixture
async def sandbox(tmp_path: Path) -> Sandbox:
    try:
        return await choose("auto", [tmp_path / "data"])
    except SandboxError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"no sandbox works on this machine: {error}")


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    (tmp_path / "tree").mkdir()
    (tmp_path / "data").mkdir()
    return Gate(FakeLLM(), tmp_path / "data")


async def inside(sandbox: Sandbox, gate: Gate, door: Door, *words: str, **more: str) -> Ended:
    """A program in the checkout, with the forwarder before it."""
    argv = forwarded((sys.executable, "-c", *words))
    tree = str(gate.data.parent / "tree")
    environment = {**door.variables, **more}
    wrapped = sandbox.wrap(argv, tree, Access.WRITE, environment, socket=door.socket)
    return await run(wrapped.argv, environment=wrapped.environment, seconds=60, cwd=tree)


async def looked(sandbox: Sandbox, gate: Gate, door: Door, targets: list[tuple[str, int]], **more: str) -> Any:
    """What is reached, and which of the key and the token is seen. It is told both backwards, not to see its words."""
    words = {"key": gate.key[::-1], "token": door.token[::-1]}
    argv = (LOOK, "/run /tmp /home /var/tmp .", json.dumps(targets), json.dumps(words))
    ended = await inside(sandbox, gate, door, *argv, **more)
    assert ended.code == 0, (ended.text[-500:], ended.error[-2000:])
    return json.loads(ended.text)


async def test_a_program_that_knows_only_addresses_reaches_its_model(sandbox: Sandbox, gate: Gate) -> None:
    async with gate.llm as llm, gate.opened() as gateway, gateway.admit(account(), AGENT) as door:
        assert door is not None
        llm.script([Words("It is done.")])
        ended = await inside(sandbox, gate, door, ASK)

    assert ended.code == 0, ended.error[-2000:]
    assert "It is d" in ended.text
    assert gate.key in str(llm.requests[0].headers)
    assert [(each.input_tokens, each.output_tokens) for each in gate.books.spent] == [(100, 10)]


async def test_nothing_else_is_reached_and_the_key_is_nowhere(sandbox: Sandbox, gate: Gate) -> None:
    """Negative control in the same run: where the key is given to the program, this look finds it."""
    async with gate.llm as llm, gate.opened() as gateway, gateway.admit(account(), AGENT) as door:
        assert door is not None
        port = int(llm.anthropic_base.rpartition(":")[2])
        targets = [
            ("127.0.0.1", port),
            ("1.1.1.1", 443),
            ("169.254.169.254", 80),
            ("localhost", 5432),
            ("example.com", 80),
        ]
        found = await looked(sandbox, gate, door, [*targets, ("127.0.0.1", PORT)])
        control = await looked(sandbox, gate, door, [], LEAKED=gate.key)

    assert found["reached"] == [["127.0.0.1", PORT]]
    assert found["seen"] == ["token"]
    assert control["seen"] == ["key", "token"]


async def test_when_the_turn_is_over_its_socket_leads_nowhere(sandbox: Sandbox, gate: Gate, tmp_path: Path) -> None:
    async with gate.llm, gate.opened() as gateway:
        async with gateway.admit(account(), AGENT) as door:
            assert door is not None
        (tmp_path / "left").touch()
        left = Door(str(tmp_path / "left"), door.token, door.upstreams, door.variables)
        ended = await inside(sandbox, gate, left, ASK)

    assert ended.code != 0
    assert b"Error" in ended.error


async def test_it_ends_as_the_command_ends(sandbox: Sandbox, gate: Gate) -> None:
    async with gate.llm, gate.opened() as gateway, gateway.admit(account(), AGENT) as door:
        assert door is not None
        codes = [(await inside(sandbox, gate, door, f"raise SystemExit({code})")).code for code in (0, 7)]
        absent = sandbox.wrap(forwarded(("no-such-program",)), str(gate.data.parent / "tree"), Access.READ, {})
        ended = await run(absent.argv, environment=absent.environment, seconds=60)

    assert codes == [0, 7]
    assert ended.code == 127


def test_it_listens_on_this_machine_alone() -> None:
    server = listen(0)
    try:
        assert server.getsockname()[0] == "127.0.0.1"
    finally:
        server.close()
