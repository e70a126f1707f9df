"""What a run may not publish unasked: the tree that would be published is judged path by path. Pure."""

from core.guard.judge import Finding, judge
from core.guard.policy import GuardAction, GuardPolicy
from core.guard.rules import GuardClass
from core.guard.spot import holder

__all__ = ["Finding", "GuardAction", "GuardClass", "GuardPolicy", "holder", "judge"]
