"""The real games, a check of what they need, and pictures of the football pitch."""
