"""The gateway to language models: it alone has their keys, and counts what they cost."""

from __future__ import annotations

from adapters.gateway.build import upstreams_of, without_keys
from adapters.gateway.config import GatewayConfig
from adapters.gateway.gateway import LlmGateway
from adapters.gateway.inside import forwarded
from adapters.gateway.upstreams import Api, Upstream, upstream

__all__ = ["Api", "GatewayConfig", "LlmGateway", "Upstream", "forwarded", "upstream", "upstreams_of", "without_keys"]
