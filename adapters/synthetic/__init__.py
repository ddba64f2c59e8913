"""Made-up sequences of integers: what a model may learn from structure alone, before it sees a language."""

from .adapter import Synthetic

__all__ = ["Synthetic"]
