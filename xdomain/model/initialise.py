"""Initialise a model: which parts of a checkpoint it starts with, and which head it gets."""

from __future__ import annotations

import hashlib
from collections.abc import Container
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from xdomain.core.choices import OF_VALUES, PARTS, Attention, Decoder, Init, Problem, Tune
from xdomain.core.errors import RecipeError, unknown
from xdomain.core.recipe_sections import Run
from xdomain.model.parameter_groups import parameter_group

if TYPE_CHECKING:  # naming an arm does without torch
    from torch import Tensor
    from transformers import PreTrainedModel

    from xdomain.model.backbone import Backbone

HIDDEN_DROPOUT = (
    "hidden_dropout_prob", "hidden_dropout", "dropout", "mlp_dropout", "embedding_dropout", "classifier_dropout_prob",
    "resid_pdrop", "embd_pdrop",
)  # fmt: skip


@dataclass(frozen=True)
class EncoderArm:
    """Where a model starts and what is trained.

    Parameters
    ----------
    init
        pretrained: as in the checkpoint; scratch: drawn at random; reembed: as in the checkpoint, but for the word
        rows; shuffled: the elements of each tensor permuted, which keeps the statistics and destroys the structure;
        rescaled: each tensor drawn from a normal distribution with its own mean and standard deviation; aligned: as in
        the checkpoint, but for the rows of the symbols, see `xdomain.training.aligned_rows`.
    transfer
        The parts that come over from the checkpoint; the rest is as in a scratch model of the same seed.
    tune
        What is trained: full, head, mix, norms, lora or bottleneck, see `xdomain.model.tuning.freeze_for`.
    """

    init: str = "pretrained"
    transfer: tuple[str, ...] = PARTS
    tune: str = "full"

    def __post_init__(self) -> None:
        for kind, value, known in (("init", self.init, get_args(Init)), ("tune", self.tune, get_args(Tune))):
            if value not in known:
                raise unknown(kind, value, known)
        for part in self.transfer:
            if part not in PARTS:
                raise unknown("part to transfer", part, PARTS)
        if self.init == "scratch" and set(self.transfer) != set(PARTS):
            raise RecipeError("init scratch transfers nothing, yet parts to transfer were named",
                              fix="leave --transfer out, or --init pretrained")  # fmt: skip

    @classmethod
    def of(cls, options: Run) -> EncoderArm:
        """The arm that the `options` of a recipe name."""
        return cls(options.init, tuple(options.transfer), options.tune)

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts that really come over: `transfer` less what `init` leaves out, in the order of `PARTS`."""
        if self.init == "scratch":
            return ()
        left_out = {"words"} if self.init == "reembed" else set[str]()
        return tuple(part for part in PARTS if part in self.transfer and part not in left_out)

    @property
    def label(self) -> str:
        """The arm in a word, fit for a file name: ``pretrained``, ``scratch+head``."""
        partial = set(self.transfer) != set(PARTS)
        some = f"[{','.join(p for p in PARTS if p in self.transfer)}]" if partial else ""
        return f"{self.init}{some}" + (f"+{self.tune}" if self.tune != "full" else "")


def build_model(
    backbone: Backbone,
    arm: EncoderArm,
    *,
    problem: Problem,
    classes: tuple[str, ...],
    seed: int,
    attention_dropout: float = 0.0,
    hidden_dropout: float = 0.1,
    attention: Attention = "own",
    decoder: Decoder = "fresh",
) -> PreTrainedModel:
    """Build a stock `transformers` model that starts as `arm` says; nothing is frozen yet.

    First a whole scratch model is drawn under `seed`, then the tensors of the transferred parts are replaced.
    Therefore the head, and whatever does not come over, is the same for every arm of one seed. The global random
    state is left as it was.

    Parameters
    ----------
    backbone
        The checkpoint, whose configuration the model gets.
    arm
        Which parts come over, and what happens to them; `EncoderArm.tune` is not looked at.
    problem
        Decides the head: see `xdomain.model.families.auto_class_for`.
    classes
        Their names, or those of labels or targets, in the order of the logits; ignored for regression, profiles, span
        and sequence.
    seed
        Of the scratch model and of what shuffled and rescaled draw, 0 or more.
    attention_dropout
        Of attention weights, in [0, 1).
    hidden_dropout
        Everywhere else, in [0, 1).
    attention
        own: as the family has it; bidirectional: every token of a decoder attends to all others.
    decoder
        For sequence with an encoder: where the decoder beside it starts, see `xdomain.core.train_options.Train`.

    Raises
    ------
    BackboneError
        The family has no head for `problem`, or is no decoder whose attention could be changed.
    """
    import torch

    from xdomain.model.backbone import quiet_loading
    from xdomain.model.families import auto_class_for, check_head, make_bidirectional, max_positions
    from xdomain.model.sequence_model import bodies_of, fresh_sequence_model

    check_head(backbone.name, backbone.config, problem)
    config = _head_config(backbone, problem, classes, attention_dropout, hidden_dropout)
    if attention == "bidirectional":
        make_bidirectional(backbone.name, config)
    with torch.random.fork_rng(devices=[]), quiet_loading():
        torch.manual_seed(seed)
        model: PreTrainedModel
        if problem == "sequence":
            rates = {"attention_dropout": attention_dropout, "hidden_dropout": hidden_dropout}
            model = fresh_sequence_model(config, decoder, max_positions(config), **rates)
        else:
            model = auto_class_for(problem).from_config(config, dtype=torch.float32)
    with torch.no_grad():
        for body in bodies_of(model, warm=decoder == "warm"):
            base = body.state_dict()
            for name in _moving(backbone, arm, base):
                base[name].copy_(_started(backbone.tensors[name], arm.init, seed, name))
    return model


def transferred(
    backbone: Backbone, arm: EncoderArm, model: PreTrainedModel, *, decoder: Decoder = "fresh"
) -> dict[str, int]:
    """Count the tensors of `model` that started from `backbone`, and their values, for the result.

    Parameters
    ----------
    backbone, arm
        What `model` was built from.
    model
        As `build_model` returns it, or the same after training. Tensors of `backbone` that it lacks do not count.
    decoder
        As for `build_model`. Tensors from which both the encoder and the decoder started count twice.

    Returns
    -------
    dict
        ``tensors_from_checkpoint`` and ``values_from_checkpoint``: those that were copied as they are. The inits
        shuffled and rescaled copy none, and have ``tensors_shuffled`` and ``values_shuffled``, or
        ``tensors_rescaled`` and ``values_rescaled``, as well.
    """
    from xdomain.model.sequence_model import bodies_of

    bodies = bodies_of(model, warm=decoder == "warm")
    names = [name for body in bodies for name in _moving(backbone, arm, body.state_dict())]
    tensors, values = len(names), sum(backbone.tensors[name].numel() for name in names)
    if arm.init not in ("shuffled", "rescaled"):
        return {"tensors_from_checkpoint": tensors, "values_from_checkpoint": values}
    return {
        "tensors_from_checkpoint": 0,
        "values_from_checkpoint": 0,
        f"tensors_{arm.init}": tensors,
        f"values_{arm.init}": values,
    }


def _moving(backbone: Backbone, arm: EncoderArm, base: Container[str]) -> list[str]:
    """The tensors that come over and that `base`, the model's, has: a token classifier has no pooler."""
    floats = [name for name, tensor in backbone.tensors.items() if tensor.is_floating_point()]
    return [name for name in floats if name in base and parameter_group(name) in arm.parts]


def _started(tensor: Tensor, init: str, seed: int, name: str) -> Tensor:
    if init in ("pretrained", "reembed", "aligned"):
        return tensor
    import torch

    digest = hashlib.sha256(name.encode()).digest()
    rng = np.random.Generator(np.random.PCG64([seed, *digest[:8]]))
    if init == "shuffled":
        return tensor.flatten()[torch.from_numpy(rng.permutation(tensor.numel()))].view_as(tensor)
    drawn = torch.from_numpy(rng.standard_normal(tensor.numel()).astype(np.float32)).view_as(tensor)
    return drawn * tensor.std(correction=0) + tensor.mean()


def _head_config(
    backbone: Backbone, problem: Problem, classes: tuple[str, ...], attention_dropout: float, hidden_dropout: float
) -> Any:
    config: Any = type(backbone.config).from_dict(backbone.config.to_dict())
    for name in ("attention_probs_dropout_prob", "attention_dropout", "attn_pdrop"):
        if hasattr(config, name):
            setattr(config, name, attention_dropout)
    for name in HIDDEN_DROPOUT:
        if hasattr(config, name):
            setattr(config, name, hidden_dropout)
    config.use_cache = False  # of no use but to write text
    if problem == "sequence":
        return config
    if problem in OF_VALUES:
        config.problem_type = "regression"
    if problem in ("regression", "profile"):
        config.num_labels = 1
        return config
    if problem == "span":
        config.num_labels = 2  # logits of the first and of the last position
        return config
    if problem == "multilabel":
        config.problem_type = "multi_label_classification"
    config.id2label = dict(enumerate(classes))
    config.label2id = {name: i for i, name in enumerate(classes)}
    return config
