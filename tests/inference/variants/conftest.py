"""A genome, and runs that score its variants."""

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import xdomain

QUICK = ("train.max_steps=2", "train.precision=fp32")


@pytest.fixture(scope="session")
def contigs():
    rng = np.random.default_rng(0)
    return {name: "".join(rng.choice(list("ACGT"), n)) for name, n in (("chr1", 300), ("chr2", 40), ("tiny", 12))}


@pytest.fixture
def genome(contigs, tmp_path):
    """Lines of 50 bases, and one contig in lower case."""
    path = tmp_path / "genome.fa"
    lines = []
    for name, bases in contigs.items():
        shown = bases.lower() if name == "chr2" else bases
        lines += [f">{name} of a test", *(shown[i : i + 50] for i in range(0, len(shown), 50))]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="session")
def sequences():
    """Of 20 to 40 nt; the median is 30."""
    rng = np.random.default_rng(1)
    return ["".join(rng.choice(list("ACGT"), n)) for n in [20, 40] * 20 + [30] * 21]


def trained(sequences, labels, tiny_bert, out, **arm):
    options = {"overrides": QUICK, "backbone": str(tiny_bert)} | arm
    folder = xdomain.run(data=(sequences, labels), domain="dna", out=out, **options).folder
    place = folder / "model" / "model.safetensors"
    weights = {name: one * (8 if one.ndim > 1 else 1) for name, one in load_file(place).items()}
    save_file(weights, place, {"format": "pt"})  # answers differ by the base
    return folder


@pytest.fixture(scope="session")
def run(sequences, tiny_bert, tmp_path_factory):
    """Two classes, of which ``yes`` is the positive one."""
    labels = ["yes" if one.count("A") > len(one) / 4 else "no" for one in sequences]
    return trained(sequences, labels, tiny_bert, tmp_path_factory.mktemp("variants") / "run")


@pytest.fixture(scope="session")
def regression(sequences, tiny_bert, tmp_path_factory):
    values = [one.count("A") / 7 + 0.123 * len(one) for one in sequences]
    return trained(sequences, values, tiny_bert, tmp_path_factory.mktemp("variants") / "values")


@pytest.fixture(scope="session")
def counts(sequences, tmp_path_factory):
    """A baseline of three classes."""
    labels = ["abc"[one.count("A") % 3] for one in sequences]
    out = tmp_path_factory.mktemp("variants") / "counts"
    return xdomain.run(data=(sequences, labels), domain="dna", baseline="kmer", out=out).folder


HEAD = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"


@pytest.fixture
def vcf(tmp_path):
    """Write rows (chrom, pos, ref, alt) as VCF."""

    def write(*rows, name="v.vcf"):
        path = tmp_path / name
        lines = "".join(f"{c}\t{p}\tv{i}\t{ref}\t{alt}\t.\t.\t.\n" for i, (c, p, ref, alt) in enumerate(rows))
        path.write_text(HEAD + lines)
        return path

    return write
