"""Commands that domains add, each loaded at first use; and where an option belongs that a command does not have."""

from __future__ import annotations

from typing import Any

import typer.main
from typer.core import TyperGroup

from xdomain.core.entry_points import entry_points

GROUP = "xdomain.commands"
"""Group of entry points, each of which gives a `typer.Typer`; its name is that of the command."""
SHORT = {"lr": "learning_rate"}
"""Names that other programs give to keys of a recipe."""


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

    def invoke(self, ctx: Any) -> Any:
        """Run the command of the click context `ctx`; an unknown option that a recipe has is told to stand there."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            fault: Any = error  # of click, whose classes typer does not export
            if hasattr(fault, "option_name") and hasattr(fault, "possibilities") and fault.ctx:
                taken = {option for one in fault.ctx.command.params for option in one.opts}
                fault.possibilities = _in_a_recipe(fault.option_name, taken) or fault.possibilities
            raise


def _in_a_recipe(option: str, taken: set[str]) -> list[str]:
    """How to give `option`, such as ``--epochs``, to a command that has the options `taken`; empty if unknown."""
    from xdomain.core.keywords import recipe_key
    from xdomain.core.recipe_sections import Columns

    name = option.lstrip("-").replace("-", "_")
    name = SHORT.get(name, name)
    if "--column" in taken and name in Columns.model_fields:
        return [f"--column {name}=NAME"]
    if "--set" in taken and "--seed" in taken and (key := recipe_key(name)):
        return [f"--set {key}=VALUE"]
    return []
