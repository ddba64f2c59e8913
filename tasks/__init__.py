"""The built-in tasks: a YAML file each, grouped by domain, and the readers of odd file formats."""

from . import (
    dna_files,
    music_files,
    music_toys,
    nmsqa_units,
    protein_files,
    simulated_qa,
    speech_files,
    text_files,
    toy_spans,
    toys,
)

READERS = {
    **dna_files.READERS,
    **music_files.READERS,
    **music_toys.READERS,
    **nmsqa_units.READERS,
    **protein_files.READERS,
    **simulated_qa.READERS,
    **speech_files.READERS,
    **text_files.READERS,
    **toy_spans.READERS,
    **toys.READERS,
}
