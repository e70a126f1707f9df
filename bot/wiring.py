"""The composition root: Config → adapters → core → App. Here alone both sides are seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from adapters.agents import AGENTS, AgentTools
from adapters.agents.sessions import SessionFolder
from adapters.audit import CheckpointFile, KeySigner
from adapters.chat import PLATFORMS, PlatformTools
from adapters.engine import DbosEngine
from adapters.forges import FORGES, ForgeTools, LocalConfig
from adapters.gateway import LlmGateway, upstreams_of, without_keys
from adapters.metrics import Tally
from adapters.sandbox import NoSandbox
from adapters.secrets import Redactor
from adapters.secrets.keys import KeyFile
from adapters.secrets.vault import Vault
from adapters.store import DatabaseStore
from adapters.system import SystemClock, free_bytes
from adapters.tracing import open_tracer
from adapters.workspaces import GitWorkspaces
from bot.app import App
from bot.barred import BarredAgent
from bot.config import Access, Config
from bot.config.load import AUDIT_KEY_FILE, CHECKPOINTS
from bot.health import Health
from bot.late import LateEngine
from bot.secrets_cli import keys_of
from bot.tables import command_words
from core.alerts import AlertKind, Alerts
from core.approvals.desk import ApprovalDesk
from core.audit.chain import checkpoint_words
from core.audit.checkpoints import Checkpoints
from core.authority import Listed, Lists, Role, Roles
from core.authority.gate import Authority
from core.budgets.budgets import Budgets
from core.budgets.charged import Charged
from core.circuits import AllCircuits
from core.commands import Desk
from core.conversation import Conversation
from core.digests import DIGEST_FLOW, Digests
from core.inbox import Inbox
from core.model.audit import Checkpoint
from core.model.work import RepoRef
from core.news import News
from core.owners import Owners
from core.pasted import Pastes
from core.ports import (
    Agent,
    ChatPlatform,
    Circuits,
    Clock,
    Engine,
    FlowFunction,
    Forge,
    NewsSource,
    Sandbox,
    Store,
    Tracer,
)
from core.posts import Posts
from core.projects import ProjectDesk
from core.quiet import QuietHours
from core.runs.cards import CutCards
from core.runs.desk import RunDesk
from core.runs.flow import RUN_FLOW, RunFlow
from core.runs.live import Live
from core.runs.restarts import Restarts
from core.runs.steps import RunSteps
from core.runs.streams import Streams
from core.signs import Signs
from core.tidying import Tidying
from core.tracing import NoTracer, traced
from core.watch import Watch

NO_SANDBOX = "no sandbox works on the bot's machine; its owner runs `patchbay doctor` there, which says what to do"

SESSIONS = "sessions"
"""The folder in the data folder where agents keep what they remember."""


def build(  # each may be replaced by a test or by the demo
    config: Config,
    sandbox: Sandbox,
    *,
    platforms: Mapping[str, ChatPlatform] | None = None,
    store: Store | None = None,
    engine: Engine | None = None,
    clock: Clock | None = None,
    redactor: Redactor | None = None,
) -> App:
    """The bot, not yet started. What is given replaces what the configuration would make."""
    clock = clock or SystemClock()
    redact = redactor or Redactor(config.secrets())
    store = store or DatabaseStore(config.database_url, config.data)
    engine = LateEngine(engine or DbosEngine(config.database_url, config.data))
    vault = Vault(store, keys_of(config), redact, clock.now)
    if isinstance(store, DatabaseStore):
        store.audit_through(redact)
    circuits = AllCircuits(clock)
    tracer: Tracer = open_tracer(config.tracing.endpoint) if config.tracing.endpoint else NoTracer()
    chats = dict(platforms) if platforms is not None else _platforms(config, circuits)
    forges = _forges(config, ForgeTools(config.data, store, circuits, tracer))
    tally = Tally()
    alerts = Alerts(clock, tally)
    posts = Posts(store, chats, clock, redact, QuietHours(store, clock, config.time_zone), tally)
    posts.watched_by(alerts, tracer)
    budgets = Budgets(store, posts, clock, config.budgets.rules(), config.time_zone)
    reach = upstreams_of(config.agents, config.gateway)
    gateway = LlmGateway(config.data, reach, budgets, circuits, tally, redact, config.gateway)
    agents = _agents(config, sandbox, circuits)
    live = Live(posts, clock, Streams(chats, clock, redact), redact)
    signs = Signs(chats)
    workspaces = GitWorkspaces(config.data, clock, circuits)
    cards = CutCards()
    runs = RunDesk(
        store,
        engine,
        posts,
        live,
        agents,
        clock,
        most_at_once=config.limits.runs,
        default_agent=config.default_agent,
        cut_cards=cards,
    )
    approvals = ApprovalDesk(
        store,
        posts,
        live,
        clock,
        config.approvals.policy(),
        chats,
        free=runs.free,
        redact=redact,
        zone=config.time_zone,
        seconds=(config.approvals.hours or config.limits.answer_hours) * 3600,
    )
    steps = RunSteps(
        store,
        posts,
        agents,
        forges,
        workspaces,
        live,
        signs,
        clock,
        runs.free,
        alerts,
        turn_seconds=config.limits.turn_seconds,
        answer_seconds=config.limits.answer_hours * 3600,
        language=config.language,
        zone=config.time_zone,
        redact=redact,
        meter=tally,
        cut_cards=cards,
        charging=Charged(gateway, budgets),
        approvals=approvals,
        guard=config.guard.policy,
    )
    restarts = Restarts(store, posts, chats, agents, cards, clock, config.time_zone)
    digests = Digests(store, engine, posts, clock)
    roles = Roles(_lists(config.access), store, chats)
    desk = Desk(
        store=store,
        posts=posts,
        runs=runs,
        steps=steps,
        projects=ProjectDesk(store, forges, _usual(config, forges)),
        digests=digests,
        agents=agents,
        forges=forges,
        workspaces=workspaces,
        clock=clock,
        roles=roles,
        platforms=chats,
        approvals=approvals,
        zone=config.time_zone,
        language=config.language,
        troubles=circuits.troubles,
        budgets=budgets,
        secrets=vault,
    )
    pastes = Pastes(vault, redact.find, chats, posts)
    conversation = Conversation(desk, Authority(roles, store, clock), signs, pastes)
    posts.when_opened(conversation.opened)
    inbox = Inbox(store, clock, conversation.hear, conversation.set_aside, tally, alerts, tracer)
    inbox.clean_by(pastes.clean)
    inbox.when_news(News(store, posts, forges, clock).learn)
    least_room = config.limits.free_mb * 1_000_000
    watch = Watch(alerts, circuits, store, lambda: free_bytes(config.data), clock, least_room)
    return App(
        config=config,
        store=store,
        engine=engine,
        platforms=chats,
        sources=_sources(config),
        inbox=inbox,
        posts=posts,
        live=live,
        signs=signs,
        desk=desk,
        flows=_traced({RUN_FLOW: RunFlow(steps, alerts), DIGEST_FLOW: digests.flow}, tracer),
        clock=clock,
        health=Health(store, inbox, posts, tally, clock, chats, watch, circuits),
        owners=Owners(alerts, posts, store, chats, [Listed(*each) for each in config.access.owners], clock),
        watch=watch,
        restarts=restarts,
        tracer=tracer,
        gateway=gateway,
        budgets=budgets,
        vault=vault,
        checkpoints=_checkpoints(config, store, alerts, clock),
        tidying=Tidying(store, engine, workspaces, SessionFolder(config.data / SESSIONS), posts, clock),
    )


def _lists(access: Access) -> Lists:
    people = {
        Role.OWNER: access.owners,
        Role.ADMIN: access.admins,
        Role.DEVELOPER: access.developers,
        Role.REVIEWER: access.reviewers,
        Role.VIEWER: access.viewers,
    }
    return Lists(
        {role: [Listed(*each) for each in listed] for role, listed in people.items()},
        [Listed(*each) for each in access.chats],
    )


def _traced(flows: Mapping[str, FlowFunction], tracer: Tracer) -> Mapping[str, FlowFunction]:
    """As they are, where nothing is traced."""
    return flows if isinstance(tracer, NoTracer) else {name: traced(flow, tracer) for name, flow in flows.items()}


def _platforms(config: Config, circuits: Circuits) -> dict[str, ChatPlatform]:
    tools = PlatformTools(command_words(), config.data, circuits)
    return {name: PLATFORMS[name].build(section, tools) for name, section in config.platforms.items()}


def _forges(config: Config, tools: ForgeTools) -> dict[str, Forge]:
    """The local forge is always there, last: a project needs no repository to begin."""
    sections = {**config.forges}
    sections.pop("local", None)
    forges = {name: FORGES[name].build(section, tools) for name, section in sections.items()}
    return {**forges, "local": FORGES["local"].build(config.forges.get("local", LocalConfig()), tools)}


def _checkpoints(config: Config, store: Store, alerts: Alerts, clock: Clock) -> Checkpoints:
    beside = config.data.absolute().parent
    file = CheckpointFile(config.audit.checkpoints or beside / CHECKPOINTS)

    async def keep(checkpoint: Checkpoint) -> None:
        await file.keep(checkpoint)
        if config.audit.owners:
            alerts.raise_(AlertKind.CHECKPOINT, checkpoint_words(checkpoint), f"{checkpoint.seq}")

    return Checkpoints(store, KeySigner(KeyFile(config.audit.key_file or beside / AUDIT_KEY_FILE)), keep, clock)


def _usual(config: Config, forges: Mapping[str, Forge]) -> RepoRef | None:
    named = getattr(config.forges.get("github"), "repository", "")
    return forges["github"].parse(named) if named else None


def _sources(config: Config) -> list[NewsSource]:
    made = (FORGES[name].news(section) for name, section in config.forges.items())
    return [source for source in made if source is not None]


def _agents(config: Config, sandbox: Sandbox, circuits: Circuits) -> dict[str, Agent]:
    tools = AgentTools(sandbox, config.data / SESSIONS, circuits)
    kinds = {name: AGENTS[str(getattr(section, "type"))] for name, section in config.agents.items()}  # noqa: B009
    keyless = {name: without_keys(section) for name, section in config.agents.items()}
    agents = {name: kinds[name].build(name, section, tools) for name, section in keyless.items()}
    if isinstance(sandbox, NoSandbox):
        return {name: BarredAgent(agent, NO_SANDBOX) for name, agent in agents.items()}
    return agents


def hidden(config: Config) -> Sequence[Path]:
    """What no agent may ever see."""
    return [config.data.absolute(), *(path.absolute() for path in config.files)]
