import errno
import gc
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from ptde.jobs import checkpoint
from ptde.jobs.checkpoint import Checkpoints, UnfitCheckpoint


def tree(value=1.0):
    value = float(value)
    return {
        "weights": jnp.full((3, 2), value),
        "count": jnp.array(7, jnp.int32),
        "key": jax.random.key(3),
        "flags": jnp.array([True, False]),
        "empty": jnp.zeros((2, 0)),
    }


def same(a, b):
    raw = lambda t: jax.tree.leaves(checkpoint._raw(t))
    return all(
        x.dtype == y.dtype and np.array_equal(x, y)
        for x, y in zip(raw(a), raw(b), strict=True)
    )


def test_what_is_saved_is_loaded(tmp_path):
    checkpoint.save(tmp_path / "one", tree())
    assert same(checkpoint.load(tmp_path / "one", tree(0.0)), tree())


def test_shapes_are_enough_to_load_it(tmp_path):
    checkpoint.save(tmp_path / "one", tree())
    shapes = jax.eval_shape(tree)
    assert same(checkpoint.load(tmp_path / "one", shapes), tree())


@pytest.mark.parametrize("by", [(None, "x"), ("x",), ()])
def test_what_lies_on_several_devices_is_saved_as_if_it_did_not(tmp_path, by):
    """The first axis or the second is divided, or each device has all of it."""
    mesh = Mesh(np.array(jax.devices()[:2]), ("x",))
    values = np.arange(24.0, dtype=np.float32).reshape(2, 4, 3)
    there = NamedSharding(mesh, PartitionSpec(*by))
    divided = {"w": jax.device_put(values, there)}
    checkpoint.save(tmp_path / "one", {"w": jnp.asarray(values)})
    checkpoint.save(tmp_path / "two", divided)
    one, two = ((tmp_path / name / checkpoint.ARRAYS) for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()
    like = {"w": jax.ShapeDtypeStruct(values.shape, values.dtype, sharding=there)}
    found = checkpoint.load(tmp_path / "one", like)
    assert same(found, divided)
    assert found["w"].sharding == there
    anywhere = checkpoint.load(tmp_path / "one", divided)  # where an array is, is no wish
    assert not anywhere["w"].committed


def test_the_newest_is_used_and_old_ones_go(tmp_path):
    kept = Checkpoints(tmp_path, keep=2)
    for steps in (100, 900, 1000):
        kept.save(steps, tree(steps))
    assert kept.steps() == [900, 1000]
    steps, found = kept.newest(tree())
    assert steps == 1000
    assert same(found, tree(1000))


def damage_by_change(folder: Path):
    file = max(
        (p for p in folder.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size
    )
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 0xFF
    file.write_bytes(data)


def damage_by_loss(folder: Path):
    (folder / checkpoint.ARRAYS).unlink()


def damage_by_cut(folder: Path):
    (folder / checkpoint.DIGEST).write_text("{")


@pytest.mark.parametrize("damage", [damage_by_change, damage_by_loss, damage_by_cut])
def test_a_damaged_newest_is_named_and_the_one_before_used(tmp_path, capsys, damage):
    kept = Checkpoints(tmp_path)
    kept.save(1, tree(1))
    kept.save(2, tree(2))
    damage(tmp_path / "2")
    steps, found = kept.newest(tree())
    assert steps == 1
    assert same(found, tree(1))
    said = capsys.readouterr().err
    assert f"using the one before: {tmp_path / '2'}" in said and "step 0" not in said


def test_a_device_without_room_is_no_damage(tmp_path, monkeypatch):
    kept = Checkpoints(tmp_path)
    kept.save(1, tree(1))

    def full(*_):
        raise RuntimeError("RESOURCE_EXHAUSTED")

    monkeypatch.setattr(jax, "device_put", full)
    with pytest.raises(RuntimeError, match="RESOURCE_EXHAUSTED"):
        kept.newest(tree())


def test_a_checkpoint_is_checked_without_reading_its_arrays(tmp_path, monkeypatch):
    kept = Checkpoints(tmp_path)
    kept.save(1, tree(1))
    kept.save(2, tree(2))
    monkeypatch.setattr(np, "load", lambda *_, **__: pytest.fail("it was read"))
    assert kept.any_whole(jax.eval_shape(tree))
    other = {**tree(), "weights": jnp.zeros((3, 2), jnp.int32)}
    with pytest.raises(UnfitCheckpoint, match=r"float32\[3, 2\], not int32\[3, 2\]"):
        kept.any_whole(other)
    damage_by_change(tmp_path / "2")
    assert kept.any_whole(tree())
    damage_by_loss(tmp_path / "1")
    assert not kept.any_whole(tree())


def test_where_all_are_damaged_the_stage_begins_again_aloud(tmp_path, capsys):
    kept = Checkpoints(tmp_path)
    kept.save(1, tree(1))
    damage_by_loss(tmp_path / "1")
    assert kept.newest(tree()) is None
    said = capsys.readouterr().err
    assert "none is left before it" in said and "begins again at step 0" in said


def test_an_unfinished_write_is_not_a_checkpoint(tmp_path, monkeypatch):
    kept = Checkpoints(tmp_path)
    kept.save(1, tree(1))
    monkeypatch.setattr(
        checkpoint.os, "rename", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
    )
    with pytest.raises(KeyboardInterrupt):
        kept.save(2, tree(2))
    assert kept.steps() == [1]


def test_a_full_disk_is_named_and_nothing_older_is_touched(tmp_path, monkeypatch):
    kept = Checkpoints(tmp_path)
    kept.save(1, tree(1))

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoint.os, "rename", full)
    with pytest.raises(
        OSError, match=r"cannot write it \(No space.*are needed.*make room.*ptde resume"
    ):
        kept.save(2, tree(2))
    assert kept.newest(tree())[0] == 1


def test_another_shape_is_refused_by_name(tmp_path):
    checkpoint.save(tmp_path / "one", tree())
    other = {**tree(), "weights": jnp.zeros((4, 2))}
    with pytest.raises(UnfitCheckpoint, match="'weights' is float32"):
        checkpoint.load(tmp_path / "one", other)


def test_another_kind_of_tree_is_refused(tmp_path):
    checkpoint.save(tmp_path / "one", tree())
    with pytest.raises(UnfitCheckpoint, match="another kind of run"):
        checkpoint.load(tmp_path / "one", {"other": jnp.zeros(1)})


def test_a_sound_one_of_another_version_is_not_passed_over(tmp_path):
    kept = Checkpoints(tmp_path)
    kept.save(1, {**tree(), "cursor": jnp.zeros(3)})
    with pytest.raises(UnfitCheckpoint, match=r"'cursor'.*Nothing was overwritten"):
        kept.newest(tree())
    assert kept.steps() == [1]


def test_size():
    assert checkpoint.size_of({"a": jnp.zeros((10, 3)), "k": jax.random.key(0)}) == 128


def test_saves_leave_no_objects_behind(tmp_path):
    """A long training saves hundreds of times."""
    kept = Checkpoints(tmp_path)

    def objects():
        gc.collect()
        return len(gc.get_objects())

    for steps in range(3):
        kept.save(steps, tree(steps))
    before = objects()
    for steps in range(3, 23):
        kept.save(steps, tree(steps))
    assert objects() - before < 150
