"""Every protocol that the core asks of the world. Read this first.

`bot/wiring.py` alone knows which adapter fulfils which; the tables PLATFORMS, AGENTS and FORGES list them.
"""

from core.ports.agents import Agent, Approve, Note
from core.ports.approvals import Approvals
from core.ports.audit import Audits, Signer
from core.ports.budgets import Accounting, Spending
from core.ports.chat import (
    Advising,
    ChatPlatform,
    CommandWord,
    Deleting,
    Filing,
    HttpAnswer,
    Naming,
    NewsSource,
    Paced,
    Reaching,
    Signing,
    Source,
    Take,
    Webhooked,
)
from core.ports.code import (
    Access,
    Closing,
    CommandWatch,
    CommitMessage,
    Forge,
    PullDraft,
    Remote,
    Sandbox,
    Workspaces,
    Wrapped,
)
from core.ports.engine import Engine, Flow, FlowFunction, FlowState
from core.ports.gateway import Gateway
from core.ports.people import People, Vouching
from core.ports.secrets import SealedSecrets, Secrets
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
from core.ports.world import Clock, Find, Meter, Redact

__all__ = [
    "Access",
    "Accounting",
    "Advising",
    "Agent",
    "Approvals",
    "Approve",
    "Arrival",
    "Aside",
    "Audits",
    "ChatPlatform",
    "Chats",
    "Circuit",
    "Circuits",
    "Clock",
    "Closing",
    "CommandWatch",
    "CommandWord",
    "CommitMessage",
    "Deleting",
    "DigestPlans",
    "Doing",
    "Engine",
    "Filing",
    "Find",
    "Flow",
    "FlowFunction",
    "FlowState",
    "Forge",
    "Forgetting",
    "Gateway",
    "HttpAnswer",
    "Inboxes",
    "Lives",
    "Meter",
    "Naming",
    "NewsSource",
    "Note",
    "Outboxes",
    "Outgoing",
    "Paced",
    "People",
    "Projects",
    "PullDraft",
    "Pulls",
    "Reaching",
    "Redact",
    "Remote",
    "Runs",
    "Sandbox",
    "SealedSecrets",
    "Secrets",
    "SendState",
    "Signer",
    "Signing",
    "Source",
    "Spending",
    "Store",
    "StoredButton",
    "Streaming",
    "Take",
    "Tracer",
    "View",
    "Vouching",
    "Webhooked",
    "Workspaces",
    "Wrapped",
]
