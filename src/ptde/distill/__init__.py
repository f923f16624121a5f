"""Distillation: students, the losses they minimise, and the options of both."""
