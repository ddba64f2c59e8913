"""What is chosen in the form means the same as the command that it becomes; and it names no files of others."""

import logging
import os
import re
import threading
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from xdomain.app.messages import in_form, told
from xdomain.app.request import Request, to_predict
from xdomain.app.workplace import Workplace, new_path
from xdomain.cli.main import main
from xdomain.core.errors import UserError
from xdomain.core.progress import log
from xdomain.core.recipe import dump_recipe

MULTILABEL = "".join(f"ACGT{'ACGT'[i % 4]},{'x;y' if i % 3 else 'y'},n{i}\n" for i in range(60))
CHOICES = [
    Request(source="upload", upload="kept.csv", domain="dna"),
    Request(
        source="here", here="mine.csv", domain="dna", problem="classification", split="cluster",
        roles={"label": "is:batch", "id": "none", "sequence": "is:dna"},
        further="train.epochs=3\n\n train.learning_rate=1e-3",
    ),
    Request(source="here", here="mine.csv", domain="protein", roles={"group": "is:batch", "label": "is:activity"}),
    Request(source="here", here="several.csv", domain="dna", problem="multilabel", drop_incomplete=True),
    Request(source="here", here="only.fasta", domain="dna", negatives=True),
    Request(source="upload", upload="seqs.fasta", domain="dna", labels="labels.csv"),
    Request(source="upload", upload="kept.csv", domain="dna", valid="valid.csv", test="test.csv"),
    Request(source="here", here="mine.csv", domain="dna", test="test.csv", roles={"label": ["guess"]}),
    Request(source="here", here="places.bed", domain="dna", genome="genome.fa"),
    Request(source="here", here="numbers.csv", domain="dna", roles={"label": ["is:activity", "is:half, life"]}),
    Request(source="here", here="numbers.csv", domain="dna", roles={"label": ["guess", "is:activity", "is:pH"]}),
    Request(source="example", example="toy/dna-motif-order", domain="protein", further="split.limit.train=50"),
]  # fmt: skip


@pytest.fixture
def place(tmp_path, data_file, home, monkeypatch):
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "mine.csv").write_bytes(data_file.read_bytes())
    (folder / "several.csv").write_text("sequence,labels,name\n" + MULTILABEL)
    fasta = "".join(f">n{i}\nACGT{'ACGT'[i % 4]}{'ACGT'[i % 3]}TTG\n" for i in range(40))
    (folder / "only.fasta").write_text(fasta)
    sent = tmp_path / "sent"
    sent.mkdir()
    (sent / "kept.csv").write_bytes(data_file.read_bytes())
    (sent / "seqs.fasta").write_text(fasta)
    (sent / "labels.csv").write_text("id,label\n" + "".join(f"n{i},{'ab'[i % 2]}\n" for i in range(40)))
    for name in ("valid", "test"):
        lines = data_file.read_text().splitlines()
        (sent / f"{name}.csv").write_text("\n".join([lines[0], *(f"{name}{line}" for line in lines[1:21])]))
    (sent / "genome.fa").write_text(">chr1\n" + "ACGTTGCAAC" * 60 + "\n")
    (folder / "places.bed").write_text("".join(f"chr1\t{i}\t{i + 12}\t{'ab'[i % 2]}\n" for i in range(60)))
    numbers = "".join(
        f"{'ACGT' * 5}{'ACGT'[i % 4]}{'ACGT'[i // 4 % 4]},{i / 7:.3f},{i / 3:.3f},{i / 9:.2f}\n" for i in range(60)
    )
    (folder / "numbers.csv").write_text('sequence,activity,"half, life",pH\n' + numbers)
    monkeypatch.chdir(folder)
    return Workplace(folder.resolve())


def sent(request, tmp_path):
    """The `request`, whose uploads lie where a browser's would."""
    uploads = ("upload", "valid", "test", "labels", "genome")
    files = {name: str(tmp_path / "sent" / file) for name in uploads if (file := getattr(request, name))}
    return Request(**{**vars(request), **files})


@pytest.mark.parametrize("request_", CHOICES, ids=lambda one: f"{one.upload or one.here or one.example} {one.problem}")
def test_the_command_of_a_request_means_the_same(request_, place, tmp_path, monkeypatch):
    chosen = sent(request_, tmp_path)
    taken = []

    def compare(recipe, arms, **_):
        taken.append((dump_recipe(recipe), arms))
        raise SystemExit(0)

    monkeypatch.setattr("xdomain.study.compare.compare", compare)
    with pytest.raises(SystemExit):
        main(["compare", *chosen.arguments(place)])
    assert taken == [(dump_recipe(chosen.recipe(place)), None)]


def test_files_by_split_genomes_and_several_labels_reach_the_recipe(place, tmp_path):
    split, genome, several = (sent(CHOICES[i], tmp_path).recipe(place) for i in (6, 8, 9))
    assert {name: place.folder / path for name, path in split.source.files.items()} == {
        name: place.folder / "uploads" / f"{file}.csv"
        for name, file in (("train", "kept"), ("valid", "valid"), ("test", "test"))
    }
    assert split.split.rule == "given"
    (table,) = genome.source.files.values()
    assert [line.split(",")[-1] for line in Path(table).read_text().split()[:2]] == ['"sequence"', '"ACGTTGCAACAC"']
    assert sent(CHOICES[8], tmp_path).column_names(place) == ["chrom", "start", "end", "name", "sequence"]
    with pytest.raises(UserError) as refused:
        replace(CHOICES[8], genome=None).recipe(place)
    assert in_form(refused.value.block()).endswith("the field “Genome”")
    assert (several.problem, several.columns.label) == ("multioutput", ["activity", "half, life"])


def test_a_correction_changes_the_recipe_and_the_rest_is_guessed_anew(place):
    first = Request(source="here", here="mine.csv", domain="dna").recipe(place)
    assert (first.columns.label, first.columns.id, first.problem) == ("activity", "name", "classification")
    again = Request(source="here", here="mine.csv", domain="dna", roles={"label": "is:batch"}).recipe(place)
    assert (again.columns.label, again.columns.id) == ("batch", "name")
    assert Request(source="here", here="mine.csv").column_names(place) == ["name", "dna", "activity", "batch"]


def test_a_table_without_a_header_gets_one_by_an_option(place):
    rows = (
        f"{'EI' if i % 2 else 'IE'},donor-{i},{'ACGTTGCA' * 4}{'ACGT'[i % 4]}{'ACGT'[i // 4 % 4]}" for i in range(60)
    )
    (place.folder / "bare.csv").write_text("\n".join(rows))
    bare = Request(source="here", here="bare.csv", domain="dna")
    with pytest.raises(UserError) as refused:
        bare.recipe(place)
    option = re.search("“(reader_options[^”]*)” in the field “Other options”", in_form(refused.value.block()))
    named = Request(source="here", here="bare.csv", domain="dna", further=option[1])
    assert named.column_names(place) == option[1].partition("=")[2].split(",")
    assert named.recipe(place).columns.sequence == "sequence"


@pytest.mark.parametrize(
    "change",
    ["source.files.data=/etc/passwd", "run.backbone=/etc", "adapter.options.merges=/etc/passwd", "name=x/y",
     "adapter.options={merges: /etc/passwd}", "train.report_to=wandb", "columns.label=x", "adapter={name: dna}"],
)  # fmt: skip
def test_other_options_name_no_files_and_send_nothing(change, place):
    with pytest.raises(UserError, match="Other options"):
        Request(source="here", here="mine.csv", domain="dna", further=change).recipe(place)


@pytest.mark.parametrize("name", ["../sent/kept.csv", "/etc/passwd", "link.csv", ".hidden.csv", ""])
def test_only_files_of_the_folder_are_read(name, place, tmp_path):
    (place.folder / "link.csv").symlink_to(tmp_path / "sent" / "kept.csv")
    (place.folder / ".hidden.csv").write_text("x")
    with pytest.raises(UserError, match=r"unknown data file|no data"):
        Request(source="here", here=name, domain="dna").recipe(place)


def test_a_table_that_names_sound_files_elsewhere_is_refused(place, tmp_path):
    (tmp_path / "secret.wav").write_bytes(b"RIFF")
    for name in (str(tmp_path / "secret.wav"), "../../secret.wav"):
        (tmp_path / "sent" / "sounds.csv").write_text(f"sequence,label\n{name},a\n")
        request = Request(source="upload", upload=str(tmp_path / "sent" / "sounds.csv"), domain="speech")
        with pytest.raises(UserError, match="lies elsewhere"):
            request.recipe(place)


def test_an_upload_is_kept_once_and_never_replaces_another(place, tmp_path):
    first = place.keep(tmp_path / "sent" / "kept.csv")
    assert place.keep(tmp_path / "sent" / "kept.csv") == first
    (tmp_path / "sent" / "kept.csv").write_text("sequence,label\nACGT,x\n")
    other = place.keep(tmp_path / "sent" / "kept.csv")
    assert (first.name, other.name) == ("kept.csv", "kept-2.csv")
    assert sorted(path.name for path in (place.folder / "uploads").iterdir()) == ["kept-2.csv", "kept.csv"]
    assert "uploads/kept-2.csv" in place.data_files()
    assert new_path(first).name == "kept-3.csv"


def test_pasted_sequences_become_a_file(place, tmp_path):
    one = to_predict(place, tmp_path, "ACGT\n\n  TT, TT \n", None)
    assert one.read_text() == 'sequence\nACGT\n"TT, TT"\n'
    assert to_predict(place, tmp_path, "AC\tGT\r\nTT\tAA", None).read_text() == "sequence,sequence_b\nAC,GT\nTT,AA\n"
    fasta = to_predict(place, tmp_path, "\n>a\nACGT\n", None)
    assert (fasta.suffix, fasta.read_text()) == (".fasta", "\n>a\nACGT\n")
    for wrong in ("A\tC\tG", "A\tC\nG", " \n"):
        with pytest.raises(UserError, match="one a line"):
            to_predict(place, tmp_path, wrong, None)
    with pytest.raises(UserError, match="one of the two"):
        to_predict(place, tmp_path, "ACGT", str(tmp_path / "sent" / "kept.csv"))


def test_a_recipe_is_no_data(place, tmp_path):
    (tmp_path / "sent" / "mine.yaml").write_text("source: {files: {data: /etc/passwd}}")
    with pytest.raises(UserError, match=r"mine\.yaml is a recipe"):
        Request(source="upload", upload=str(tmp_path / "sent" / "mine.yaml"), domain="dna").recipe(place)


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("label: column 'x', by its name (overrule with --column label=NAME)", "label: column 'x', by its name"),
        ("to fix it: --column label=NAME", "to fix it: the field “Label”"),
        ("--column split= for a random one", "“none” in the field “Split column” for a random one"),
        ("use it: --column fold=my_fold)", "use it: “my_fold” in the field “Folds”)"),
        ("--set adapter.options.unknown=count", "“adapter.options.unknown=count” in the field “Other options”"),
        ("(--set train.epochs=N); more", "(“train.epochs=N” in the field “Other options”); more"),
        ("--set reader_options.names=a,b.", "“reader_options.names=a,b” in the field “Other options”."),
        ("or --baseline cnn", "or “cnn” under “Compare”"),
        ("--column label='own score' or", "“own score” in the field “Label” or"),
        ("at least --seeds 3.", "at least 3 in the field “Seeds”."),
        ("try --problem regression", "try “regression” in the field “Problem”"),
    ],
)  # fmt: skip
def test_messages_speak_of_fields_not_of_options(message, shown):
    assert in_form(message) == shown


def test_messages_of_one_visitor_are_not_told_to_another(request):
    request.addfinalizer(partial(log.setLevel, log.level))
    log.setLevel(logging.INFO)
    with told() as mine:
        other = threading.Thread(target=log.info, args=("of another",))
        other.start()
        other.join()
        log.info("mine")
    log.info("later")
    assert [record.getMessage() for record in mine] == ["mine"]


def test_the_newest_comes_first(place):
    for age, name in enumerate(("several.csv", "only.fasta", "mine.csv")):
        os.utime(place.folder / name, (1e9 - age, 1e9 - age))
    listed = [name for name in place.data_files() if name in ("several.csv", "only.fasta", "mine.csv")]
    assert listed == ["several.csv", "only.fasta", "mine.csv"]
