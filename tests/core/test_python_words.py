"""What the command line calls an option is called by its keyword in Python's messages."""

import pytest
from command_line import told as xdomain_command

import xdomain
from xdomain.core.errors import DataError, RecipeError
from xdomain.core.python_words import in_python


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("--set split.valid=0.1 --set split.test=0.1", 'overrides=["split.valid=0.1", "split.test=0.1"]'),
        ("shorter (--set train.max_length=N --set train.too_long=truncate)",
         'shorter (overrides=["train.max_length=N", "train.too_long=truncate"])'),
        ("--set split.limit={train: 40, valid: 9}, or", 'overrides=["split.limit={train: 40, valid: 9}"], or'),
        ("--set train.learning_rate=1e-4.", 'overrides=["train.learning_rate=1e-4"].'),
        ("--column group=NAME (columns.group in a recipe)", 'columns={"group": "NAME"} (columns.group in a recipe)'),
        ("--mapping random, or --domain dna", 'mapping="random", or domain="dna"'),
        ("--overwrite replaces it, --out DIR", 'overwrite=True replaces it, out="DIR"'),
        ("it takes at least --seeds 3.", "it takes at least seeds=3."),
        ("--minutes 2.5; a lower --learning-rate", "minutes=2.5; a lower learning_rate"),
        ("`xdomain run … --out DIR` -- or so", "`xdomain run … --out DIR` -- or so"),
    ],
)  # fmt: skip
def test_options_become_keywords(typed, said):
    assert in_python(typed) == said


def test_an_error_has_keywords_in_python_and_options_on_the_command_line(capsys, tmp_path):
    file = tmp_path / "x.csv"
    file.write_text("sequence,label\n" + "ACGT,a\nACGG,b\n" * 10 + "ACGJ,a\n")
    with pytest.raises(DataError, match=r'overrides=\["adapter\.options\.unknown=') as caught:
        xdomain.run(data=file, domain="dna", baseline="kmer", out=tmp_path / "run")
    assert "--set" not in str(caught.value)
    code, _, err = xdomain_command(
        capsys, "run", file, "--domain", "dna", "--baseline", "kmer", "--out", tmp_path / "2"
    )
    assert code == 2 and "--set adapter.options.unknown=" in err
    with pytest.raises(RecipeError, match='to fix it: domain="'):
        xdomain.run(data=file, out=tmp_path / "3")
