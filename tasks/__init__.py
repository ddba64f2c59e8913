"""The built-in tasks: a YAML file each, grouped by domain, and the readers of odd file formats."""

from . import (
    dna_files,
    music_files,
    music_toys,
    protein_files,
    text_files,
    toy_spans,
    toys,
)

READERS = {
    **dna_files.READERS,
    **music_files.READERS,
    **music_toys.READERS,
    **protein_files.READERS,
    **text_files.READERS,
    **toy_spans.READERS,
    **toys.READERS,
}
