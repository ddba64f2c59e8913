"""Speech as discrete units: from sound to units, and units as symbols."""

from .adapter import Speech

__all__ = ["Speech"]
