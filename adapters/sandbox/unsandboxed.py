"""No sandbox: an agent sees and changes whatever the bot's account can. Only by `sandbox: off`."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping, Sequence

from core.model.events import Readiness
from core.ports import Access, Wrapped


class Unsandboxed:
    """It still passes on nothing of the bot's environment but PATH."""

    name = "off"

    async def probe(self) -> Readiness:
        return Readiness("no sandbox (`sandbox: off`): agents can do whatever the bot's account can", is_usable=True)

    def wrap(
        self,
        argv: Sequence[str],
        workspace: str,
        access: Access,
        environment: Mapping[str, str],
        *,
        project: str = "",
        opened: Sequence[str] = (),
        socket: str = "",
    ) -> Wrapped:
        del workspace, access, project, opened, socket  # the port's words; nothing here holds anybody in
        ours = {
            "PATH": f"{os.environ.get('PATH', os.defpath)}:{sys.prefix}/bin",  # recipes such as ruff
            "HOME": tempfile.gettempdir(),  # the real one would bring a person's git and shell configuration along
            "LANG": "C.UTF-8",
            "TERM": "dumb",
        }
        return Wrapped(tuple(argv), {**environment, **ours})
