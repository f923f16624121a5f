"""Run folders whose finished networks nobody taught."""

import json

import jax
import jax.numpy as jnp
import numpy as np

import ptde.export.write as write
from ptde.distill.config import DistillConfig
from ptde.folder import RunFolder
from ptde.info import InfoSizes
from ptde.jobs import checkpoint

PLAIN = {"info": "none", "info_config": InfoSizes(), "student": DistillConfig()}


def made_folder(monkeypatch, path, run, *roles):
    """A run folder whose finished networks nobody taught: random numbers."""
    path.parent.mkdir(exist_ok=True)
    folder = RunFolder.create(run, path, "run")
    shapes = {}
    load = lambda path, like: shapes.setdefault(path.parts[-2], like)
    draw = np.random.default_rng(0)
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "load", load)
        for role in roles:
            folder.model(role, write._world(folder))
    for role in roles:
        fill = lambda x: jnp.asarray(draw.normal(size=x.shape), x.dtype)
        folder.finish(role, jax.tree.map(fill, shapes[role]))
    return folder


def described(place):
    return json.loads((place / "team.json").read_text())
