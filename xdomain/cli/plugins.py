"""Commands that domains add, each loaded at first use."""

from __future__ import annotations

from typing import Any

import typer.main
from typer.core import TyperGroup

from xdomain.core.entry_points import entry_points

GROUP = "xdomain.commands"
"""Group of entry points, each of which gives a `typer.Typer`; its name is that of the command."""


class WithPlugins(TyperGroup):
    """A group of commands to which entry points add further ones."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The names of all commands in the click context `ctx`, those of domains last."""
        own = super().list_commands(ctx)
        return [*own, *(name for name in sorted(entry_points(GROUP)) if name not in own)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command `cmd_name` in the click context `ctx`, or None if there is none."""
        if cmd_name not in self.commands:
            offered = entry_points(GROUP)
            for name in [cmd_name] if cmd_name in offered else offered:  # load all for a misspelt name, to suggest one
                command = typer.main.get_group(offered[name].load())
                command.name = name
                self.add_command(command, name)
        return super().get_command(ctx, cmd_name)
