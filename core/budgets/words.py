"""What is said of money and tokens: standings, the warning, and the card that asks whether more may be spent."""

from __future__ import annotations

from core.model.chat import Button, Post, Style
from core.model.spend import MICROS, BudgetKind, Offer, Standing, Sums

_OF = {
    BudgetKind.RUN: "this run",
    BudgetKind.PERSON: "who asked, for today",
    BudgetKind.CHAT: "this chat, for today",
    BudgetKind.PROJECT: "project {subject}, for this month",
    BudgetKind.ALL: "the whole bot, for this month",
}


def whose(standing: Standing) -> str:
    return _OF[standing.budget.kind].format(subject=standing.budget.subject)


def used_up(standing: Standing) -> str:
    return f"The budget of {whose(standing)} is used up: {spent_of(standing)}."


def spent_of(standing: Standing) -> str:
    """`$4.20 of $5.00 · 12.3k of 50.0k tokens`, without limits where there are none."""
    sums = standing.spent
    parts = []
    if standing.micros is not None or sums.micros or not sums.tokens:
        parts.append(dollars(sums.micros) + ("" if standing.micros is None else f" of {dollars(standing.micros)}"))
    if standing.tokens is not None or sums.tokens:
        most = "" if standing.tokens is None else f" of {count(standing.tokens)}"
        parts.append(f"{count(sums.tokens)}{most} tokens")
    return " · ".join(parts) + doubts(sums)


def doubts(sums: Sums) -> str:
    """What of it is not certain."""
    parts = [f"{sums.estimated} of {sums.calls} calls estimated"] if sums.estimated else []
    parts += [f"{sums.unpriced} of unknown price"] if sums.unpriced else []
    return f" ({', '.join(parts)})" if parts else ""


def more_words(offer: Offer) -> str:
    parts = [dollars(offer.micros)] if offer.micros else []
    parts += [f"{count(offer.tokens)} tokens"] if offer.tokens else []
    return " and ".join(parts)


def warning_post(standing: Standing) -> Post:
    return Post(
        f"💰 **{standing.share:.0%} of the budget of {whose(standing)} is spent**: {spent_of(standing)}. "
        "When it is used up I stop and ask; /budget shows how things stand."
    )


def over_post(title: str, agent: str, words: str, offer: Offer, allow: str, stop: Button) -> Post:
    """`allow` is what the button says to the bot."""
    text = (
        f"💰 **{title}** · {agent}\n\n{words}\n\nShall it go on? An admin or an owner may allow more. What was changed "
        "is safe in the bot's workspace; without an answer the run ends."
    )
    return Post(text, ((Button(f"Allow {more_words(offer)} more"[:40], allow, Style.PRIMARY), stop),))


def dollars(micros: int) -> str:
    amount = micros / MICROS
    return f"${amount:.4f}" if 0 < amount < 0.1 else f"${amount:,.2f}"


def count(tokens: int) -> str:
    if tokens < 1_000:
        return str(tokens)
    return f"{tokens / 1e3:.1f}k" if tokens < 1_000_000 else f"{tokens / 1e6:.2f}M"
