"""Distillation: students, what they minimise, and whose battles they learn from."""
