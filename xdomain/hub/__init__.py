"""A finished run on the Hugging Face hub: what is shared of it, and how it gets there."""
