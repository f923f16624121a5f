"""Rollouts of teams in worlds: collection, tests, and the iterations of training."""
