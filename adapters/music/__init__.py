"""Music: notes from MIDI files as symbols, one or several for each note.

A piece travels as one line of text, its notes: see `xdomain.adapters.music.notes`.
"""

from .adapter import Music

__all__ = ["Music"]
