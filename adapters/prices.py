"""What tokens cost, by the price list that is installed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PricedTokens:
    """`input` counts all that was read, the cached too."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0


def price(usage: PricedTokens, model: str, *, provider: str | None = None, api_url: str | None = None) -> float | None:
    """US dollars by the price list that is installed; None when it does not know the model."""
    import genai_prices  # noqa: PLC0415 - imported when used

    counted = genai_prices.Usage(
        input_tokens=usage.input,
        output_tokens=usage.output,
        cache_read_tokens=usage.cache_read,
        cache_write_tokens=usage.cache_write,
    )
    try:
        if provider is not None:
            return float(genai_prices.calc_price(counted, model, provider_id=provider).total_price)
        return float(genai_prices.calc_price(counted, model, provider_api_url=api_url).total_price)
    except (LookupError, ValueError):
        return None
