"""Other interfaces as a ``ProcessEnv``, and a check of any world."""
