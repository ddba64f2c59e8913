"""The built-in tasks: a YAML file each, grouped by domain, and the readers of odd file formats."""

from . import dna_files, protein_files, text_files, toys

READERS = {**dna_files.READERS, **protein_files.READERS, **text_files.READERS, **toys.READERS}
