"""How much is trained and would have to be stored, counted by hand for a BERT of 2 layers x 32 with 396 rows."""

import pytest
import torch

from xdomain.core.sequences import Alphabet
from xdomain.model.backbone import load_backbone
from xdomain.model.initialise import EncoderArm, build_model
from xdomain.model.make_mapping import make_mapping
from xdomain.model.reprogramming import insert_mixture
from xdomain.model.tuning import freeze_for, merge_adapters, trainable
from xdomain.model.vocabulary import Vocabulary, slice_vocabulary

HEAD = (32 * 32 + 32) + (32 * 3 + 3)  # pooler and three classes
NORMS = 5 * 2 * 32  # of the embeddings, two a layer
PLACES = (64 + 2) * 32  # positions and segments
LAYER = 4 * (32 * 32 + 32) + (32 * 64 + 64) + (64 * 32 + 32)
LORA = 2 * 4 * (8 * 32 + 32 * 8)  # query, key, value and output of each layer, rank 8
BOTTLENECK = 2 * ((32 * 32 + 32) + 32 * 32)
BODY = 396 * 32 + PLACES + NORMS + 2 * LAYER
TRAINED = {
    "full": BODY + HEAD,
    "head": HEAD,
    "mix": HEAD + 3 + 1,
    "norms": HEAD + NORMS + PLACES + 396 * 32,
    "lora": HEAD + LORA,
    "bottleneck": HEAD + NORMS + BOTTLENECK,
}
BESIDE = {"mix": 4, "lora": LORA, "bottleneck": BOTTLENECK}
USED = 9
SYMBOLS = Alphabet(("A", "C", "G", "T", "N"), "nt", "N")


@pytest.fixture(scope="module")
def backbone(tiny_bert):
    return load_backbone(str(tiny_bert))


def built(backbone):
    return build_model(backbone, EncoderArm(), problem="classification", classes=("a", "b", "c"), seed=0)


@pytest.mark.parametrize("tune", TRAINED)
def test_what_is_trained_by_hand(backbone, tune):
    model = freeze_for(built(backbone), tune)
    unused = (396 - USED) * 32 if tune in ("full", "norms") else 0
    assert trainable(model, USED) == {
        "all": BODY + HEAD + BESIDE.get(tune, 0),
        "trained": TRAINED[tune],
        "bytes_per_task": 4 * (TRAINED[tune] - unused),
    }


@pytest.mark.parametrize("tune", TRAINED)
def test_a_sliced_table_stores_as_much_as_a_whole_one(backbone, tune):
    cut = built(backbone)
    slice_vocabulary(cut, range(USED))
    whole = freeze_for(built(backbone), tune)
    assert trainable(freeze_for(cut, tune), USED)["bytes_per_task"] == trainable(whole, USED)["bytes_per_task"]


@pytest.mark.parametrize("tune", TRAINED)
def test_of_a_learned_mapping_the_rows_are_stored_and_not_the_weights(backbone, tune):
    vocabulary = Vocabulary.of(backbone.tokenizer)
    model = built(backbone)
    mapping = make_mapping(SYMBOLS, vocabulary, strategy="learned")
    words = model.get_parameter("bert.embeddings.word_embeddings.weight")
    insert_mixture(model, mapping, vocabulary, words, None, sparse=False)
    found = trainable(freeze_for(model, tune), USED)
    weights, unused = 5 * len(vocabulary.ordinary), (396 - USED) * 32
    assert found["trained"] == TRAINED[tune] + weights
    own = -unused if tune in ("full", "norms") else 5 * 32
    assert found["bytes_per_task"] == 4 * (TRAINED[tune] + own)


def test_a_merged_model_is_a_stock_one_again(backbone):
    pytest.importorskip("peft")
    assert trainable(merge_adapters(freeze_for(built(backbone), "lora")))["all"] == BODY + HEAD


@pytest.mark.parametrize("tune", ["lora", "bottleneck"])
def test_what_is_drawn_hangs_on_the_seed_alone(backbone, tune):
    def drawn(state, seed):
        torch.manual_seed(state)
        before = torch.random.get_rng_state()
        model = freeze_for(built(backbone), tune, seed=seed)
        assert torch.equal(before, torch.random.get_rng_state())
        names = ("lora_A", "extra.weight")
        return torch.cat([p.flatten() for n, p in model.named_parameters() if any(name in n for name in names)])

    assert torch.equal(drawn(1, seed=0), drawn(2, seed=0))
    assert not torch.equal(drawn(1, seed=0), drawn(1, seed=1))
