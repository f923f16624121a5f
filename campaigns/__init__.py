"""Campaigns: what is too long for the tests, and must hold all the same.

Each is a program with a seed and an ``--n``, which prints its progress and writes a result
in JSON: ``python -m campaigns.kills --n 10``. ``make campaign`` runs all of them; a short
sample of each is in ``tests/campaigns``, figures are in ``docs/reliability.md``.
"""
