"""Clusters of similar sequences, which a split must not part."""

from __future__ import annotations

import re
import shutil

import numpy as np
import pyarrow as pa

from xdomain.core.progress import log
from xdomain.core.recipe_sections import Split
from xdomain.data.splits.drawing import Indices
from xdomain.data.splits.kmer_clusters import kmer_clusters
from xdomain.data.splits.members import joined, members_of
from xdomain.data.splits.mmseqs import PROGRAM, mmseqs_clusters

LETTERS = re.compile(r"[A-Z*]+")


def clustered(table: pa.Table, split: Split) -> pa.Table:
    """Put the clusters of similar sequences into the column ``group`` of a validated `table`, if `split` asks for them.

    A group that the table has already is joined with the clusters of its records, so that neither is parted.

    Raises
    ------
    DataError
        As `clusters_of`.
    """
    if split.rule != "cluster":
        return table
    found = clusters_of(table, split.identity)
    if "group" in table.column_names:
        groups = np.unique(np.asarray(table.column("group").to_pylist(), np.str_), return_inverse=True)[1]
        both = np.column_stack([found, groups + found.max() + 1])
        found = joined(both, int(both.max()) + 1)[found]
        table = table.drop_columns(["group"])
    return table.append_column("group", pa.array([f"cluster {number + 1}" for number in found.tolist()], pa.string()))


def clusters_of(table: pa.Table, identity: float) -> Indices:
    """Cluster the sequences of a table, and say how and with what outcome.

    By MMseqs2 where that program is installed and sequences are written in letters; otherwise by shared k-mers.

    Parameters
    ----------
    table
        A validated raw table.
    identity
        The share of identical symbols from which on two sequences belong together, above 0, at most 1.

    Returns
    -------
    ndarray
        Shape (n,): the number of each record's cluster. The clusters of both members of a pair are joined.

    Raises
    ------
    DataError
        MMseqs2 failed.
    """
    texts, members = members_of(table)
    if shutil.which(PROGRAM) and all(LETTERS.fullmatch(text) for text in texts):
        clusters, how = mmseqs_clusters(texts, identity)
    else:
        clusters, how = kmer_clusters(texts, identity)
    paired = members.shape[1] > 1
    found = clusters[members[:, 0]]
    if paired:
        found = joined(clusters[members], len(texts))[found]
    sizes = np.unique(found, return_counts=True)[1]
    log.info(
        f"split.rule cluster: {len(np.unique(clusters)):,} clusters of {len(texts):,} sequences by {how}"
        + f", {len(sizes):,} once pairs join them" * paired
        + f"; the largest has {sizes.max():,} of {len(found):,} records"
    )
    if paired and sizes.max() > len(found) / 2:
        log.warning("most pairs hang together; --set split.rule=entity parts them by their members")
    return found
