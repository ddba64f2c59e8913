import numpy as np
import pytest

from xdomain.core.choices import Problem
from xdomain.core.errors import DataError
from xdomain.core.sequences import Ragged
from xdomain.core.train_options import Train
from xdomain.data.collate import Collator, Indices, LengthGrouped, SpecialTokenLayout, fit_windows
from xdomain.data.dataset import Examples

BERT = SpecialTokenLayout(start=(2,), middle=(3,), end=(3,), pad=0, second_type=1)
ROBERTA = SpecialTokenLayout(start=(0,), middle=(2, 2), end=(2,), pad=1, second_type=None)
ROWS = np.array([10, 11, 12, 13])


def examples(sequences, labels, second=None, problem: Problem = "classification"):
    return Examples(
        problem, tuple(f"r{i}" for i in range(len(sequences))), Ragged.from_lists(sequences),
        Ragged.from_lists(second) if second else None, np.array(labels), ("a", "b"), np.full(len(sequences), "train"),
    )  # fmt: skip


def collator(data, layout=BERT, positions=8, **train):
    return Collator(data, data.labels, ROWS, layout, fit_windows(data, layout, positions, Train(**train)))


def test_a_batch_by_hand():
    batch = collator(examples([[0, 1], [2, 3, 0]], [0, 1]))([0, 1])
    assert batch["input_ids"].tolist() == [[2, 10, 11, 3, 0], [2, 12, 13, 10, 3]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 1, 0], [1, 1, 1, 1, 1]]
    assert batch["token_type_ids"].tolist() == [[0] * 5, [0] * 5]
    assert batch["labels"].tolist() == [0, 1]
    assert batch["windows"].tolist() == [1, 1]


def test_a_long_record_comes_in_windows():
    batch = collator(examples([[0, 1, 2, 3, 0, 1, 2]], [1]), positions=5)([0])
    assert batch["input_ids"].tolist() == [[2, 10, 11, 12, 3], [2, 13, 10, 11, 3], [2, 12, 3, 0, 0]]
    assert batch["windows"].tolist() == [3]


def test_pairs_have_their_segments():
    data = examples([[0], [0, 1]], [0, 1], second=[[2, 3], [3]], problem="pair")
    batch = collator(data)([0, 1])
    assert batch["input_ids"].tolist() == [[2, 10, 3, 12, 13, 3], [2, 10, 11, 3, 13, 3]]
    assert batch["token_type_ids"].tolist() == [[0, 0, 0, 1, 1, 1], [0, 0, 0, 0, 1, 1]]


def test_pairs_as_roberta_frames_them():
    data = examples([[0]], [0], second=[[2, 3]], problem="pair")
    batch = collator(data, ROBERTA)([0])
    assert batch["input_ids"].tolist() == [[0, 10, 2, 2, 12, 13, 2]]
    assert "token_type_ids" not in batch


def test_a_pair_that_does_not_fit_is_an_error_or_cut_at_its_longer_half():
    data = examples([[0] * 6], [0], second=[[1, 2]], problem="pair")
    with pytest.raises(DataError, match=r"'r0' is a pair of 6 and 2 symbols, which do not fit in 5"):
        collator(data)
    cut = collator(data, too_long="truncate")
    assert cut([0])["input_ids"].tolist() == [[2, 10, 10, 10, 3, 11, 12, 3]]
    assert cut.windows.truncated == 1


def test_tags_are_scored_once_under_overlap():
    data = examples([[0, 1, 2, 3, 0, 1]], [0, 1, 0, 1, 0, 1], problem="tagging")
    batch = collator(data, positions=6, window_overlap=2)([0])
    assert batch["owned"].sum() == 6
    assert batch["labels"].tolist() == [[-100, 0, 1, 0, -100, -100], [-100, -100, 1, 0, 1, -100]]
    assert batch["labels"][batch["owned"]].tolist() == [0, 1, 0, 1, 0, 1]


def test_a_last_batch_is_filled_up_by_a_record_without_labels():
    lengths = np.arange(1, 12)
    plain, filled = (list(LengthGrouped(lengths, 4, 0, lambda: 0, fill=fill)) for fill in (False, True))
    assert filled == [*plain, ~plain[-1]]
    assert len(LengthGrouped(lengths, 4, 0, lambda: 0, fill=True)) == 12
    assert [Indices(np.array([7, 8, 9]))[place] for place in (1, ~1)] == [8, ~8]
    collate = collator(examples([[0, 1, 2, 3, 0, 1, 2], [1]], [1, 0]), positions=5)
    assert collate([0, ~0])["labels"].tolist() == [1, -100]
    assert collate([0, ~0])["input_ids"].tolist() == collate([0, 0])["input_ids"].tolist()
    tagging = collator(examples([[0, 1, 2, 3], [1]], [0, 1, 0, 1, 1], problem="tagging"), positions=5)
    assert (tagging([~0, 1])["labels"] != -100).sum(1).tolist() == [0, 0, 1]


def test_order_is_a_function_of_seed_and_epoch_alone():
    lengths = np.random.default_rng(0).integers(1, 100, 1000)
    one, again = (list(LengthGrouped(lengths, 8, 5, lambda: 3)) for _ in range(2))
    assert one == again
    assert sorted(one) == list(range(1000))
    assert one != list(LengthGrouped(lengths, 8, 5, lambda: 4))
    assert one != list(LengthGrouped(lengths, 8, 6, lambda: 3))


def test_grouping_by_length_cuts_padding():
    lengths = np.random.default_rng(0).integers(1, 100, 2000)

    def padding(order):
        batches = [lengths[order[i : i + 16]] for i in range(0, len(order), 16)]
        return 1 - lengths.sum() / sum(b.max() * len(b) for b in batches)

    grouped = np.array(list(LengthGrouped(lengths, 16, 0, lambda: 0)))
    assert padding(grouped) < 0.08 < padding(np.random.default_rng(1).permutation(2000))
