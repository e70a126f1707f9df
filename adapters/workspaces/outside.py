"""git's own calls to hosts that are not ours, each behind the circuit of its host."""

from __future__ import annotations

from urllib.parse import urlsplit

from adapters.git import Fault, Git, GitError
from adapters.system import Ended
from core.model.errors import Unavailable, WorkspaceError
from core.ports import Circuit, Circuits, Remote

OUTAGES = frozenset({Fault.NETWORK, Fault.SLOW})


class Outside:
    def __init__(self, circuits: Circuits) -> None:
        self._circuits = circuits

    async def run(self, git: Git, *words: str, remote: Remote) -> Ended:
        """As `git.run`. WorkspaceError at once while the host does not answer."""
        if remote.url.startswith("/"):
            return await git.run(*words, remote=remote)
        host = urlsplit(remote.url).netloc
        circuit = self._circuits.circuit(f"git@{host}", f"git at {host}")
        try:
            with circuit.attempt():
                return await _watched(circuit, git, words, remote)
        except Unavailable as held:
            raise WorkspaceError(f"{held} What was done is safe; ask again after that.") from None


async def _watched(circuit: Circuit, git: Git, words: tuple[str, ...], remote: Remote) -> Ended:
    """The circuit learns what became of it: a refusal is an answer too."""
    try:
        ended = await git.run(*words, remote=remote)
    except GitError as error:
        circuit.failed(str(error)) if error.fault in OUTAGES else circuit.answered()
        raise
    circuit.answered()
    return ended
