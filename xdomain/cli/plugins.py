"""The commands that domains bring along, each loaded when it is first needed."""

from __future__ import annotations

from typing import Any

import typer.main
from typer.core import TyperGroup

from xdomain.core.entry_points import entry_points

GROUP = "xdomain.commands"
"""Entry points to a `typer.Typer` each; the name is that of the command."""


class WithPlugins(TyperGroup):
    """A group of commands that finds further ones through entry points."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The names of all commands, those of domains last."""
        own = super().list_commands(ctx)
        return [*own, *(name for name in sorted(entry_points(GROUP)) if name not in own)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of that name, or None."""
        if cmd_name not in self.commands:
            offered = entry_points(GROUP)
            for name in [cmd_name] if cmd_name in offered else offered:  # any of them may be meant by a misspelt name
                command = typer.main.get_group(offered[name].load())
                command.name = name
                self.add_command(command, name)
        return super().get_command(ctx, cmd_name)
