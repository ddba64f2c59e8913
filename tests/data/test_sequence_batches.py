"""Batches to learn writing from, written out by hand."""

import numpy as np
import pyarrow as pa
import pytest

from xdomain.core.errors import DataError
from xdomain.core.plugins import make_adapter
from xdomain.core.train_options import Train
from xdomain.data.collate import LengthGrouped, SpecialTokenLayout
from xdomain.data.dataset import encode_examples
from xdomain.data.sequence_batches import SequenceCollator, fit_sequences, frame_of

LAYOUT = SpecialTokenLayout(start=(1,), middle=(2,), end=(3,), pad=0, second_type=1)
DNA, PROTEIN = make_adapter("dna", {}), make_adapter("protein", {})
ROWS = np.array([10, 11, 12, 13, 14, *range(20, 42)])  # A C G T N, then the residues in alphabetical order


def examples_of(sequences, peptides):
    table = pa.table({"id": [str(i) for i in range(len(sequences))], "sequence": sequences, "label": peptides})
    return encode_examples(table, DNA, "sequence", np.full(len(sequences), "train"), target=PROTEIN)


def collator(examples, *, prefix, **options):
    windows = fit_sequences(examples, LAYOUT, 12, Train(**options), longest=2, prefix=prefix)
    return SequenceCollator(examples, None, ROWS, LAYOUT, windows, prefix=prefix)


PAIRS = examples_of(["ACG", "T"], ["A", "CD"])


def test_a_decoder_beside_an_encoder_is_fed_what_it_is_to_write():
    batch = {name: value.tolist() for name, value in collator(PAIRS, prefix=False)([0, 1]).items()}
    assert batch == {
        "input_ids": [[1, 10, 11, 12, 3], [1, 13, 3, 0, 0]],
        "attention_mask": [[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]],
        "decoder_input_ids": [[1, 20, 0], [1, 21, 22]],
        "labels": [[20, 3, -100], [21, 22, 3]],
    }


def test_a_decoder_alone_learns_what_follows_the_separator():
    batch = {name: value.tolist() for name, value in collator(PAIRS, prefix=True)([0, 1]).items()}
    assert batch == {
        "input_ids": [[1, 10, 11, 12, 2, 20, 3], [1, 13, 2, 21, 22, 3, 0]],
        "attention_mask": [[1] * 7, [1] * 6 + [0]],
        "labels": [[-100, -100, -100, -100, 20, 3, -100], [-100, -100, 21, 22, 3, -100, -100]],
    }


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [(False, [[1, 10, 11, 12, 3], [1, 13, 3, 0, 0]]), (True, [[1, 10, 11, 12, 2], [0, 0, 1, 13, 2]])],
)
def test_prompts_end_where_outputs_begin(prefix, expected):
    assert collator(PAIRS, prefix=prefix).prompts([0, 1])["input_ids"].tolist() == expected


def test_batches_hold_records_of_several_lengths():
    examples = examples_of(["A", "CGCGCG"] * 40, ["K"] * 80)
    collate = collator(examples, prefix=True)
    order = list(LengthGrouped(collate.grouping(), 8, 0, lambda: 0))
    batches = [{len(examples.symbols[r]) for r in order[i : i + 8]} for i in range(0, 80, 8)]
    assert all(lengths == {1, 6} for lengths in batches)
    grouped = list(LengthGrouped(collate.costs(), 8, 0, lambda: 0))
    assert {len(examples.symbols[r]) for r in grouped[:8]} in ({1}, {6})


def test_a_record_that_fills_up_a_batch_has_no_labels():
    labels = collator(PAIRS, prefix=False)([1, ~0])["labels"].tolist()
    assert labels == [[21, 22, 3], [-100] * 3]


def test_inputs_leave_room_for_the_output():
    long = examples_of(["A" * 9], ["CD"])
    assert collator(long, prefix=False).windows.truncated == 0
    with pytest.raises(DataError, match="9 symbols, more than the 7 that fit"):  # 12 less [CLS], [SEP] and C D [SEP]
        collator(long, prefix=True)
    cut = collator(long, prefix=True, too_long="truncate")
    assert cut.windows.truncated == 1
    assert cut([0])["input_ids"].tolist() == [[1, *[10] * 7, 2, 21, 22, 3]]
    with pytest.raises(DataError, match="outputs of up to 2 symbols do not fit in 2 positions"):
        collator(long, prefix=False, max_length=2)


def test_frames_are_found_where_a_tokenizer_puts_none():
    assert frame_of(LAYOUT) == (1, 3)
    assert frame_of(SpecialTokenLayout((), (7,), (), 0, None)) == (7, 7)  # as GPT-2
    assert frame_of(SpecialTokenLayout((5,), (7,), (), 0, None)) == (5, 7)  # as Llama
