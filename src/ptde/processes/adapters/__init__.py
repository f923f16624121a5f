"""Adapters of other libraries' interfaces to ``ProcessEnv``, and a check of any world."""
