"""Export: the decentralised team of a run as a folder that needs neither ptde nor JAX."""

from ptde.export.layers import NETWORKS, STUDENTS, Layers
from ptde.export.write import FORMATS, awaited, export_run, export_team

__all__ = [
    "FORMATS",
    "NETWORKS",
    "STUDENTS",
    "Layers",
    "awaited",
    "export_run",
    "export_team",
]
