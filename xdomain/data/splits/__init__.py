"""Which records train, choose and judge."""
