"""Every protocol that the core asks of the world. Read this first.

`bot/wiring.py` alone knows which adapter fulfils which; the tables PLATFORMS, AGENTS and FORGES list them.
"""

from core.ports.agents import Agent, Approve, Note
from core.ports.chat import (
    Advising,
    ChatPlatform,
    CommandWord,
    Filing,
    HttpAnswer,
    Naming,
    Paced,
    Reaching,
    Signing,
    Take,
    Webhooked,
)
from core.ports.code import Access, Closing, CommitMessage, Forge, PullDraft, Remote, Sandbox, Workspaces, Wrapped
from core.ports.engine import Engine, Flow, FlowFunction, FlowState
from core.ports.store import (
    Arrival,
    Aside,
    Chats,
    DigestPlans,
    Inboxes,
    Outboxes,
    Outgoing,
    Projects,
    Pulls,
    Runs,
    SendState,
    Store,
    StoredButton,
)
from core.ports.streams import Doing, Streaming, View
from core.ports.watch import Circuit, Circuits, Forgetting, Lives, Tracer
from core.ports.world import Clock, Meter, Redact

__all__ = [
    "Access",
    "Advising",
    "Agent",
    "Approve",
    "Arrival",
    "Aside",
    "ChatPlatform",
    "Chats",
    "Circuit",
    "Circuits",
    "Clock",
    "Closing",
    "CommandWord",
    "CommitMessage",
    "DigestPlans",
    "Doing",
    "Engine",
    "Filing",
    "Flow",
    "FlowFunction",
    "FlowState",
    "Forge",
    "Forgetting",
    "HttpAnswer",
    "Inboxes",
    "Lives",
    "Meter",
    "Naming",
    "Note",
    "Outboxes",
    "Outgoing",
    "Paced",
    "Projects",
    "PullDraft",
    "Pulls",
    "Reaching",
    "Redact",
    "Remote",
    "Runs",
    "Sandbox",
    "SendState",
    "Signing",
    "Store",
    "StoredButton",
    "Streaming",
    "Take",
    "Tracer",
    "View",
    "Webhooked",
    "Workspaces",
    "Wrapped",
]
