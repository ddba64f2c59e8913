"""Made-up sequences of integers: what a model may learn from structure alone, before it sees a language."""

from .corpus import Synthetic

__all__ = ["Synthetic"]
