"""Comparisons of methods x maps x seeds: plans, their runs, tables and curves."""
