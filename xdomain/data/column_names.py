"""Names of columns that tell what they hold."""

from __future__ import annotations

import re

SEQUENCE = [
    "sequence", "sequences", "seq", "dna", "rna", "protein", "peptide", "text", "sentence", "dna_sequence",
    "protein_sequence", "aa_sequence", "aa_seq", "sequence_a", "sequence_1", "sequence1", "seq_a", "seq_1", "seq1",
    "protein_a", "protein_1", "protein1", "text_a", "text_1", "text1", "sentence1", "sentence_1", "sentence_a",
    "premise", "question1", "question", "units", "audio", "wav", "midi", "file", "path", "input", "primary",
    "mutated_sequence", "peptide_sequence", "amino_acid_sequence",
]  # fmt: skip
SEQUENCE_B = [
    "sequence_b", "sequence_2", "sequence2", "seq_b", "seq_2", "seq2", "protein_b", "protein_2", "protein2", "text_b",
    "text_2", "text2", "sentence2", "sentence_2", "sentence_b", "hypothesis", "question2", "passage", "context",
]  # fmt: skip
LABEL = ["label", "labels", "class", "target", "y", "score", "value", "fitness", "category", "activity"]
TAGS = ["tags", "tag", "labels", "label", "structure", "secondary_structure", "ss3", "ss8", "pos_tags",
        "dssp3", "dssp8", "q3", "q8", "sst3", "sst8"]  # fmt: skip
PROFILE = ["values", "profile", "signal", "plddt", "bfactor", "b_factor", "bfactors", "b_factors", "track"]
"""Of a number for each symbol."""
ID = ["id", "ids", "identifier", "accession", "seq_id", "sequence_id"]
PERHAPS_ID = [
    "entry", "uniprot_id", "uniprot", "uniprotkb", "protein_id", "peptide_id", "gene_id", "transcript_id", "region_id",
    "record_id", "sample_id", "accession_number", "accession_no", "accession_nr", "entry_name", "region_name",
    "sequence_name", "seq_name", "name",
    "gene_name", "gene", "locus_tag",
]  # fmt: skip
"""Of ids only where all cells differ and none is empty."""
SPLIT = ["split", "splits", "set", "subset", "partition", "data_split", "dataset_split", "train_test_split"]
START = ["start", "answer_start", "start_position"]
END = ["end", "answer_end", "end_position"]
ANSWER = ["answer", "answer_text", "answers_text", "answers"]
GROUP = ["group", "groups", "cluster"]
NO_LABELS = {
    "os", "ox", "gn", "pe", "sv", "length", "len", "number", "index", "unnamed: 0", "row name", "start", "end",
    "strand", "chromstart", "chromend", "description", "molecule", "accession", "version",
}  # fmt: skip
"""Columns that describe a record, in lower case: a label only where a person says so. The first five are UniProt's."""
LIKE_SPLITS = ["fold", "folds", "cv_fold", "is_train", "dataset", "usage", "phase", "stage"]
HEADERS = {
    *SEQUENCE, *SEQUENCE_B, *LABEL, *TAGS, *PROFILE, *ID, *SPLIT, *START, *END, *ANSWER, *GROUP, *LIKE_SPLITS,
} - {"y", "file", "path", "group", "activity"}  # fmt: skip
"""Names that say of a row that it is a header."""


def plain(name: str) -> str:
    """The `name` of a column as the lists have it: in lower case, words joined by ``_``, without a leading ``#``
    or a full stop at the end.
    """
    return re.sub(r"[\s.\-]+", "_", name.strip().removeprefix("#").strip().lower()).rstrip("_")
