"""May this person do this here? `Authority.authorise` is asked before anything is dispatched; unknown is denied."""

from core.authority.roles import Listed, Lists, Place, Rights, Roles
from core.model.people import Role

__all__ = ["Listed", "Lists", "Place", "Rights", "Role", "Roles"]
