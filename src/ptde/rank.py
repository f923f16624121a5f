"""Ranking the documents of a LETOR file with a trained team, in TREC's format."""

from pathlib import Path

import jax
import numpy as np

from ptde.envs.ranking import Queries, Ranking, read_letor
from ptde.envs.ranking.letor import document_ids
from ptde.evaluation import team_policy
from ptde.files import write_whole
from ptde.folder import RunFolder
from ptde.rollout.cache import use_compilation_cache
from ptde.rollout.seeds import Stream, stream_key


def rank_file(
    path: Path | str,
    file: Path | str,
    role: str | None = None,
    out: Path | str | None = None,
    seed: int | None = None,
    features: int = 0,
) -> Path:
    """Writes ``qid Q0 document rank score run`` for every document of a file.

    A document's name is the ``docid`` in its row's comment, else its row's number. Queries
    may have any number of documents: they are dealt at random into lists as long as those
    that the team was trained on, the last of which repeats some documents to be full. A
    decentralised team scores each document from its own features; a teacher reads the whole
    list.

    Args:
        path: the run folder.
        file: a LETOR file, plain or gzip.
        role: finetuned, student, teacher or baseline; None is the last decentralised team,
            if the run has one.
        out: the file to write; None is ``FILE.run`` in the run folder.
        seed: which of the run's seeds; None is its first.
        features: features of a row, if the last may be absent; 0 takes the largest id.

    Raises:
        ValueError: the run's team does not rank, or the file has other features.
    """
    use_compilation_cache()
    folder, file = RunFolder(Path(path), reads_data=False), Path(file)
    role = _role(folder, role)
    env = Ranking.kept(folder.path, folder.run.ranking)
    preparation = env.data.preparation
    queries = _queries(file, features, preparation.features)
    config = folder.run
    policy = team_policy(folder, env, role, config.seed if seed is None else seed)

    key = stream_key(Stream.RANK, seed=0)

    @jax.jit
    def act(policy, features):
        step = jax.vmap(env.show)(features)
        memory = policy.start(len(features), env.spec.n_agents)
        return policy(memory, step, key=key)[1].action

    lists = _deal(queries, config.ranking.docs)
    scores = np.zeros(len(queries.labels))
    for part in np.array_split(lists, max(1, len(lists) // 1024)):
        prepared = preparation(queries.features[part])
        scores[part.reshape(-1)] = np.asarray(act(policy, prepared)).reshape(-1)
    target = Path(out) if out is not None else folder.path / f"{file.name}.run"
    write_whole(target, _trec(queries, scores, document_ids(file), f"ptde-{role}"))
    return target


def _role(folder: RunFolder, role: str | None) -> str:
    """The role that ranks. ValueError if the run has none that could."""
    if folder.run.world != "ranking":
        raise ValueError(
            f"{folder.path} is a team of {folder.run.world}, not one that ranks: "
            "`ptde run --world ranking --data PATH` teaches one"
        )
    role = role or folder.decentralised
    folder.check_has(role)
    return role


def _queries(file: Path, features: int, taught: int) -> Queries:
    """The queries of a file. ValueError if it has not as many features as ``taught``."""
    if not file.is_file():
        raise ValueError(f"{file} is not a file: type the path of a LETOR file")
    (queries,) = read_letor(file, features)
    width = queries.features.shape[1]
    if width != taught:
        raise ValueError(
            f"{file} has {width} features, the team was taught on {taught}. If its rows "
            f"leave out features that are 0, type --features {taught}"
        )
    return queries


def _deal(queries: Queries, docs: int) -> np.ndarray:
    """The rows of the file, dealt into lists of ``docs``: [lists, docs]."""
    draw = np.random.default_rng(0)
    lists = []
    for first, size in zip(queries.starts, queries.sizes, strict=False):
        order = first + draw.permutation(size)
        lists.append(np.resize(order, (-(-size // docs), docs)))
    return np.concatenate(lists)


def _trec(queries: Queries, scores: np.ndarray, names: list[str], run: str) -> str:
    """Lines in rank order. Equal scores are in a drawn order; scores differ by 1e-4."""
    draw = np.random.default_rng(0)
    lines = []
    for q, first, size in zip(queries.ids, queries.starts, queries.sizes, strict=False):
        rows = first + draw.permutation(size)
        rows = rows[np.argsort(-scores[rows], kind="stable")]
        for rank, row in enumerate(rows, 1):
            score = scores[row] - 1e-4 * rank
            lines.append(f"{q} Q0 {names[row]} {rank} {score:.4f} {run}\n")
    return "".join(lines)
