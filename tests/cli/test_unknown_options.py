"""An option that a command does not have is told to stand where it belongs, if a recipe has it."""

import pytest
from command_line import told as xdomain


@pytest.mark.parametrize(
    ("command", "option", "said"),
    [
        ("run", "--epochs=3", "(Possible options: --set train.epochs=VALUE)"),
        ("compare", "--batch-size=3", "(Possible options: --set train.batch_size=VALUE)"),
        ("run", "--lr=3", "(Possible options: --set train.learning_rate=VALUE)"),
        ("run", "--label=activity", "(Possible options: --column label=NAME)"),
        ("evaluate", "--label=activity", "(Possible options: --column label=NAME)"),
        ("run", "--tunes=full", "--tune)"),
        ("evaluate", "--epochs=3", "No such option: --epochs\n"),  # which reads records, and trains nothing
    ],
)
def test_it_is_told_where_it_stands(capsys, command, option, said):
    code, _, err = xdomain(capsys, command, "mine.csv", option)
    assert code == 2 and said in err
