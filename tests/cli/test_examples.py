"""The help of each command ends with examples, which parse, stay whole in a narrow terminal, and are on the site."""

import shlex

import pytest
import typer
from command_line import told as xdomain

from xdomain.cli.main import app
from xdomain.core.examples import commands_in, examples

GROUP = typer.main.get_command(app)


def leaves(name, command):
    context = command.make_context(name, [], resilient_parsing=True)
    if below := getattr(command, "list_commands", None):
        for each in below(context):
            yield from leaves(f"{name} {each}", command.get_command(context, each))
    else:
        yield name, command


COMMANDS = dict(leaves("xdomain", GROUP))


def lines_of(command):
    text = commands_in(command.epilog).replace("\\\n", "")
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_ends_with_examples_that_parse(name):
    command = COMMANDS[name]
    lines = lines_of(command)
    assert 2 <= len(lines) <= 4
    for line in lines:
        words = shlex.split(line)
        words = words[: words.index(">")] if ">" in words else words
        depth = len(name.split())
        assert words[:depth] == name.split()
        command.make_context(name, words[depth:])  # raises for an option, a choice or a number that is not taken


def test_an_example_with_an_unknown_option_does_not_parse():
    with pytest.raises(Exception, match="--sed"):
        COMMANDS["xdomain run"].make_context("xdomain run", ["toy/dna-pair", "--sed", "1"])


@pytest.mark.parametrize("name", COMMANDS)
def test_lines_fit_a_terminal_of_80_columns(name):
    assert max(map(len, commands_in(COMMANDS[name].epilog).splitlines())) <= 75


def test_lines_stay_whole_in_a_narrow_terminal(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    code, out, _ = xdomain(capsys, "run", "--help")
    assert code == 0
    at = out.index("Examples:")
    shown = "\n".join(line[4:] for line in out[at:].splitlines()[1:])
    assert shown.strip() == commands_in(COMMANDS["xdomain run"].epilog).strip()


def test_what_made_an_epilog_is_found_in_it():
    text = "# Why\nxdomain ls\n\n# Why else\nxdomain ls \\\n  --json"
    assert commands_in(examples(text)) == text
    assert commands_in("Another ending.") == commands_in(None) == ""
