"""The processes that are measured: started, looked at, ended by their id."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from benchmarks.fake import BOT, FIRST_USER
from benchmarks.wire import HOST, ask

ROOT = Path(__file__).parent.parent
READY_SECONDS = 30.0
STOP_SECONDS = 10.0
USERS = 64


@dataclass(frozen=True, slots=True)
class Keys:
    """Made anew for each run of a benchmark."""

    telegram: str = field(default_factory=lambda: f"{BOT}:{uuid4().hex}")
    slack: str = field(default_factory=lambda: f"xoxb-{uuid4()}")
    signing: str = field(default_factory=lambda: uuid4().hex)

    def environment(self, kind: str) -> dict[str, str]:
        if "telegram" in kind:
            return {"TELEGRAM_BOT_TOKEN": self.telegram}
        return {"SLACK_BOT_TOKEN": self.slack, "SLACK_SIGNING_SECRET": self.signing}


@dataclass(frozen=True, slots=True)
class Bot:
    """One process. `address` is where it listens over HTTP, `data` its data folder, if it has one."""

    child: subprocess.Popen[bytes]
    address: str = ""
    data: Path | None = None

    def rows(self, table: str) -> int:
        assert self.data is not None
        with closing(sqlite3.connect(f"file:{self.data / 'patchbay.db'}?mode=ro", uri=True)) as database:
            return int(database.execute(f"SELECT count(*) FROM {table}").fetchone()[0])

    def memory(self, name: str = "VmRSS") -> float:
        """MB: VmRSS now, VmHWM at its highest."""
        status = Path(f"/proc/{self.child.pid}/status").read_text(encoding="ascii")
        line = next(line for line in status.splitlines() if line.startswith(name))
        return int(line.split()[1]) / 1024

    def cpu(self) -> float:
        """Seconds of a processor until now."""
        fields = Path(f"/proc/{self.child.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@contextmanager
def process(*argv: str, environment: Mapping[str, str] | None = None, **more: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A child in a group of its own, ended when left."""
    whole = {**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})}
    child = subprocess.Popen(argv, cwd=ROOT, env=whole, start_new_session=True, **more)
    try:
        yield child
    finally:
        end(child)
        if child.stdout is not None:
            child.stdout.close()


def end(child: subprocess.Popen[bytes]) -> None:
    child.send_signal(signal.SIGTERM)
    try:
        child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


@contextmanager
def fake() -> Iterator[str]:
    """The fake platform; its address."""
    with process(sys.executable, "-m", "benchmarks.fake", stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        yield child.stdout.readline().decode().strip()


@contextmanager
def bare(kind: str, platform: str, keys: Keys) -> Iterator[Bot]:
    port = free_port()
    argv = (sys.executable, "-m", "benchmarks.bare", kind, platform, str(port))
    with process(*argv, environment=keys.environment(kind), stderr=subprocess.DEVNULL) as child:
        bot = Bot(child, f"http://{HOST}:{port}/slack/events")
        wait_until_ready(bot, platform, "polls" if "telegram" in kind else "port")
        yield bot


@contextmanager
def patchbay(platform: str, keys: Keys, sections: Mapping[str, Any], data: Path | None = None) -> Iterator[Bot]:
    """`patchbay run` with a configuration; with its own new data folder if none is given."""
    with tempfile.TemporaryDirectory(prefix="patchbay-bench-", dir=os.environ.get("BENCH_DIR")) as folder:
        port, data = free_port(), data or Path(folder) / "data"
        config = write_config(Path(folder), platform, data, port, sections)
        argv = (sys.executable, "-m", "bot", "run", "--config", str(config))
        environment = keys.environment("telegram" if "telegram" in sections else "slack")
        with (Path(folder) / "log").open("wb") as log, process(*argv, environment=environment, stderr=log) as child:
            bot = Bot(child, f"http://{HOST}:{port}/slack/events", data)
            try:
                wait_until_ready(bot, platform, "polls" if "telegram" in sections else "greetings")
                yield bot
            except BaseException:
                sys.stderr.write((Path(folder) / "log").read_text(encoding="utf-8", errors="replace")[-4000:])
                raise


def write_config(folder: Path, platform: str, data: Path, port: int, sections: Mapping[str, Any]) -> Path:
    """JSON is YAML. Everybody of the crowd may speak; tokens come from the environment."""
    ids = [FIRST_USER + number for number in range(USERS)]
    people = [f"telegram:{each}" for each in ids] + [f"slack:U{each}" for each in ids]
    bases = {"telegram": platform, "slack": f"{platform}/api/"}
    config = {
        "data": str(data),
        "access": {"owners": people},
        "http": {"port": port},
        "log": {"level": "warning"},
        **{name: section | ({"api_base": bases[name]} if name in bases else {}) for name, section in sections.items()},
    }
    path = folder / "config.yaml"
    path.write_text(json.dumps(config), encoding="utf-8")
    return path


def wait_until_ready(bot: Bot, platform: str, sign: str) -> None:
    """`polls`, `greetings`: the platform has had another; `port`: it listens."""
    before = ask(platform, "/control/state")
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until:
        if bot.child.poll() is not None:
            raise RuntimeError(f"ended at once with {bot.child.returncode}")
        if _listens(bot.address) if sign == "port" else ask(platform, "/control/state")[sign] > before[sign]:
            return
        time.sleep(0.02)
    raise TimeoutError("not ready")


def _listens(address: str) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((HOST, urlsplit(address).port or 0)) == 0
