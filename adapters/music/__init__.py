"""Music: notes out of MIDI files as symbols, one a note or several.

A piece travels as one line of text, its notes: see `xdomain.adapters.music.notes`.
"""

from .adapter import Music

__all__ = ["Music"]
