"""The built-in tasks: a YAML file each, in a folder a domain, beside the readers of that domain's odd file formats."""

from .dna import files as dna
from .music import files as music
from .music import toys as toy_music
from .protein import files as protein
from .speech import files as speech
from .speech import nmsqa_units, simulated_qa
from .text import files as text
from .toy import sequences, spans

_MODULES = (dna, music, toy_music, protein, speech, nmsqa_units, simulated_qa, text, sequences, spans)
READERS = {name: reader for module in _MODULES for name, reader in module.READERS.items()}
