"""The model card of a pre-trained checkpoint: data, tokens seen, how well it predicts, the command."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xdomain.core.run_dir import write_text

OBJECTIVES = {
    "mlm": "masked-language modelling",
    "mlm+nsp": "masked-language modelling and next-sentence prediction",
    "mlm+sop": "masked-language modelling and sentence-order prediction",
}
FAMILIES = {
    "albert": "ALBERT", "bert": "BERT", "distilbert": "DistilBERT", "electra": "ELECTRA", "modernbert": "ModernBERT",
    "roberta": "RoBERTa",
}  # fmt: skip
HEADS = {"mlm": "AutoModelForMaskedLM"}


def write_pretraining_card(folder: Path, summary: Mapping[str, Any]) -> None:
    """Write ``README.md`` into `folder`, from `summary`, the values of ``pretraining.json``."""
    write_text(folder / "README.md", "\n".join([*_front(summary), *_body(summary)]))


def _front(summary: Mapping[str, Any]) -> list[str]:
    """The front matter, which the hub reads."""
    licence = [f"license: {summary['licence']}"] if summary["licence"] else []
    return ["---", "library_name: transformers", "pipeline_tag: fill-mask", *licence, "---", ""]


def _body(summary: Mapping[str, Any]) -> list[str]:
    family = FAMILIES.get(summary["family"], summary["family"])
    lengths = " → ".join(map(str, summary["lengths"]))
    return [
        f"# {family}, {summary['layers']} layers × {summary['width']}",
        "",
        f"{summary['parameters']:,} parameters, {summary['heads']} heads, {summary['positions']} positions up to "
        f"{max(summary['lengths'])}, stored in fp16. Made with xdomain by {OBJECTIVES[summary['objective']]}: "
        f"{summary['mask_rate']:.0%} of the positions chosen, of which 80 % became [MASK], 10 % another token.",
        "",
        *_start(summary),
        f"{summary['tokens_seen']:,} tokens seen in {summary['steps']:,} steps, at {lengths} positions in turn.",
        "",
        *_scores(summary["validation"]),
        "On held-out pieces with 15 % masked; ![training](history.png)",
        "",
        "## Data",
        "",
        *_data(summary["data"]),
        f"Licence of this checkpoint: {summary['licence'] or 'not stated'}.",
        "",
        "## Command",
        "",
        "```sh",
        summary["command"],
        "```",
        "",
        "## Use",
        "",
        "```python",
        f"from transformers import AutoTokenizer, {HEADS.get(summary['objective'], 'AutoModelForPreTraining')}",
        'tokenizer = AutoTokenizer.from_pretrained("this folder")',
        f'model = {HEADS.get(summary["objective"], "AutoModelForPreTraining")}.from_pretrained("this folder")',
        "```",
        "",
        *_for_xdomain(summary),
        f"Trained on {summary['device']} in {summary['dtype']}, with "
        + ", ".join(f"{name} {version}" for name, version in summary["versions"].items())
        + (f", commit {summary['git']}" if summary["git"] else "")
        + ".",
        "",
    ]


def _start(summary: Mapping[str, Any]) -> list[str]:
    if summary["start"] is None:
        return []
    return [f"It went on from {summary['start']} (sha256 of the weights `{summary['start_sha256']}`).", ""]


def _for_xdomain(summary: Mapping[str, Any]) -> list[str]:
    """The vocabulary that a later mapping is onto, and the command of a run that uses it."""
    mapping, adapter = summary["mapping"], summary["adapter"]
    vocabulary = f"{summary['vocabulary']:,} rows, sha256 `{summary['vocabulary_sha256']}`"
    onto = "--mapping random"
    if mapping is None:
        told = f"The vocabulary that mappings are onto: {vocabulary}."
    elif summary["start"] is None:
        onto = "--mapping own"
        told = f"The vocabulary: special tokens, then the symbols of the domain {adapter['name']}; {vocabulary}."
    else:
        onto = f"--mapping {mapping['strategy']} --mapping-seed {mapping['seed']}"
        told = (
            f"The vocabulary is that of {summary['start']}: {vocabulary}. The symbols of the domain {adapter['name']} "
            f"have the rows in `mapping.json` (sha256 `{mapping['sha256']}`). This gives them to a run:"
        )
    domain = adapter["name"] if adapter else "dna"
    changes = [f"--set adapter.options.{name}={value}" for name, value in (adapter or {}).get("options", {}).items()]
    words = ["xdomain run --data FILE --domain", domain, "--backbone THIS-FOLDER", onto, *changes]
    return [told, "", "```sh", " ".join(words), "```", ""]


def _scores(validation: Mapping[str, Mapping[str, float]]) -> list[str]:
    columns = list(next(iter(validation.values())))
    lines = ["| positions | " + " | ".join(name.replace("_", " ") for name in columns) + " |"]
    lines += ["|---|" + "---|" * len(columns)]
    lines += [
        f"| {length} | " + " | ".join(f"{score[name]:.3f}" for name in columns) + " |"
        for length, score in validation.items()
    ]
    return [*lines, ""]


def _data(data: Mapping[str, Any]) -> list[str]:
    train, valid = data["train"], data["validation"]
    if "files" not in train:
        options = [f"- {name}: {value}" for name, value in train.items()]
        return ["Made up as it was needed, by xdomain's generator:", "", *options, ""]
    lines = ["| file | bytes | sha256 |", "|---|---|---|"]
    lines += [f"| {file['name']} | {file['bytes']:,} | `{file['sha256']}` |" for file in train["files"]]
    sizes = f"{train['tokens']:,} tokens to train on ({train['part']}), {valid['tokens']:,} held out ({valid['part']})."
    return [*lines, "", sizes, ""]
