"""Where an encoder comes from: a finished run, or a backbone with a mapping of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xdomain.core.choices import Pooling
from xdomain.core.errors import BackboneError, RecipeError
from xdomain.core.progress import log
from xdomain.core.recipe import Recipe, recipe_from
from xdomain.core.run_dir import MODEL, RECIPE, is_run, refuse_for_run
from xdomain.core.sequences import Adapter
from xdomain.inference.embedding.encoder import Data, Embeddings, Encoder, encoder_of
from xdomain.inference.predictor import finished_run
from xdomain.model.backbone import Backbone, load_backbone
from xdomain.model.checkpoints import locate_backbone
from xdomain.model.initialise import EncoderArm, build_model
from xdomain.model.token_mapping import TokenMapping
from xdomain.model.vocabulary import Vocabulary
from xdomain.training.preparation import bare_adapter_of
from xdomain.training.saved_encoder import saved_model
from xdomain.training.train_encoder import mappings_of

UNTRAINED = ("learned", "search")
"""Mappings that training makes, so that a backbone by itself has none."""


def open_encoder(
    source: str | Path,
    *,
    domain: str | None = None,
    mapping: str | None = None,
    mapping_table: Mapping[str, str] | None = None,
    mapping_seed: int | None = None,
    overrides: Sequence[str] = (),
) -> Encoder:
    """Read the encoder of a finished run, or a backbone that is taken as it is.

    Parameters
    ----------
    source
        A run folder; or the folder, shipped name or hub id of a backbone.
    domain
        With a backbone: what the records are, ``dna``, ``protein``, ….
    mapping, mapping_table, mapping_seed
        With a backbone: which wordpiece stands for which symbol, as for `xdomain.run`; by default ``random`` with
        seed 0, so that the vectors are those that a run of the same seed starts from.
    overrides
        With a backbone: changes to the recipe of such a run, ``adapter.options.tokens=kmer``.

    Raises
    ------
    RecipeError
        A backbone without its domain, or options for a backbone with a run.
    BackboneError
        `source` is neither a finished run nor a backbone.
    """
    if is_run(source):
        refuse_for_run(source, domain=domain, mapping=mapping, mapping_table=mapping_table, mapping_seed=mapping_seed,
                       overrides=overrides or None)  # fmt: skip
        saved, adapter, values = finished_run(Path(source))
        return encoder_of(saved, adapter, tuple(values["classes"]), bool(values["paired"]), what="embed")
    read = read_backbone(source, domain, mapping, mapping_table, mapping_seed, overrides)
    # The head is not read: `EncoderArm()` makes the encoder below it that of the checkpoint.
    model = build_model(read.backbone, EncoderArm(), problem=read.recipe.problem, classes=("a", "b"), seed=0)
    saved = saved_model(read.recipe, model, read.backbone.tokenizer, read.mapping)
    return encoder_of(saved, read.adapter, (), paired=False, what="embed")


@dataclass(frozen=True, eq=False)
class BackboneAsIs:
    """A backbone that is taken as it is, with what a run that starts from it would read records by.

    Parameters
    ----------
    recipe
        Of such a run.
    backbone
        The checkpoint.
    adapter
        Encodes the records.
    mapping
        The row of each symbol.
    """

    recipe: Recipe
    backbone: Backbone
    adapter: Adapter
    mapping: TokenMapping


def read_backbone(
    source: str | Path,
    domain: str | None,
    mapping: str | None = None,
    mapping_table: Mapping[str, str] | None = None,
    mapping_seed: int | None = None,
    overrides: Sequence[str] = (),
) -> BackboneAsIs:
    """Read a backbone with its mapping, and log which.

    Parameters
    ----------
    source, domain, mapping, mapping_table, mapping_seed, overrides
        As for `open_encoder`.

    Raises
    ------
    RecipeError
        The domain is missing, or the mapping is one that training makes.
    BackboneError
        `source` is no backbone, or is the model of a run.
    """
    if Path(source).name == MODEL and (Path(source).parent / RECIPE).is_file():
        raise BackboneError(f"{source} is the model of a run", expected=f"the run: {Path(source).parent}")
    locate_backbone(str(source))
    if domain is None:
        raise RecipeError(
            f"{source} is a backbone: what are the records?", expected="the domain", fix="--domain dna, or protein, …"
        )
    recipe = _recipe(str(source), domain, mapping, mapping_table, mapping_seed, overrides)
    kind = recipe.run.mapping.partition(":")[0]
    if kind in UNTRAINED:
        raise RecipeError(f"mapping {kind} for a backbone", expected="one that no training makes, such as random")
    adapter = bare_adapter_of(recipe)
    backbone = load_backbone(str(source))
    (drawn,) = mappings_of(recipe, Vocabulary.of(backbone.tokenizer), adapter)
    options = recipe.run
    log.info(
        f"{backbone.name} as it is, not fine-tuned; mapping {options.mapping} with mapping seed "
        f"{options.mapping_seed}, as a run has it"
    )
    return BackboneAsIs(recipe, backbone, adapter, drawn)


def embed(source: str | Path, data: Data, *, layer: int = -1, pooling: Pooling = "mean", **options: Any) -> Embeddings:
    """Compute the embeddings of records: `open_encoder` and `Encoder.embed` in one.

    Parameters
    ----------
    source
        A run folder; or the folder, shipped name or hub id of a backbone, with ``domain=…``.
    data, layer, pooling
        As for `Encoder.embed`.
    options
        As for `open_encoder`.

    Raises
    ------
    UserError
        As for the two.
    """
    return open_encoder(source, **options).embed(data, layer=layer, pooling=pooling)


def _recipe(
    name: str,
    domain: str,
    mapping: str | None,
    mapping_table: Mapping[str, str] | None,
    mapping_seed: int | None,
    overrides: Sequence[str],
) -> Recipe:
    """The recipe of a run that starts from the backbone called `name`."""
    run = {"backbone": name, "mapping": mapping, "mapping_table": mapping_table, "mapping_seed": mapping_seed}
    return recipe_from(
        {
            "name": f"{domain}/embed",
            "title": name,
            "source": {"files": {}},
            "adapter": {"name": domain},
            "problem": "classification",
            "run": {key: value for key, value in run.items() if value is not None},
        },
        where="embed",
        overrides=overrides,
    )
