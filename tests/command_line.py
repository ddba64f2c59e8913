"""The command line, called within the process of the tests."""

import pytest

from xdomain.cli.main import main


def told(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[object, str, str]:
    """Exit code, stdout, stderr of a command."""
    try:
        main([str(one) for one in arguments])
        code: object = 0
    except SystemExit as stop:
        code = stop.code or 0
    captured = capsys.readouterr()
    return code, captured.out, captured.err
