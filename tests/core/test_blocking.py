"""The core never blocks the loop."""

from __future__ import annotations

from blockbuster import blockbuster_ctx

from tests.whole import WholeBot


async def test_the_main_way_never_blocks(bot: WholeBot) -> None:
    bot.workspaces.changes = {"login.py": "pass"}
    with blockbuster_ctx("core"):
        for line in (
            "/create_project DEMO Demo Project",
            "/create_task DEMO Implement login feature",
            "/execute DEMO-1",
            "And the tests",
            "/status",
            "/history",
            "/diff",
            "/pr",
            "/settings",
        ):
            await bot.ask(line)

        assert "Settings" in bot.platform.posts[-1].text
