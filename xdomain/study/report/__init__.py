"""The report of a study: its texts, blocks and figures, rendered as Markdown and as HTML."""
