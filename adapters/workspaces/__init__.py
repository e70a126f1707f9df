"""Checkouts of a project's code, one for each run, over a private git directory that no agent can write.

- `workspaces/<KEY>/git`: private, bare; only the bot's git is ever run in it
- `workspaces/<KEY>/runs/<run>/tree`: what the agent sees and writes; its `.git` is a throw-away
- `workspaces/<KEY>/runs/<run>/index`: ours
- `workspaces/<KEY>/runs/<run>/meta.json`: how far the run has come
- `workspaces/<KEY>/runs/<run>/readable`: the private objects, which the sandbox shows read-only
"""

from __future__ import annotations

from adapters.workspaces.workspaces import GitWorkspaces

__all__ = ["GitWorkspaces"]
