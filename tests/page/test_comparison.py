"""The page of a comparison's folder that somebody else wrote."""

import pytest

from ptde.algos.finetune import FinetuneConfig
from ptde.config import Run
from ptde.folder import RunFolder
from ptde.methods import run_of
from ptde.page import write_page
from ptde.page.comparison import _methods, _ranking


@pytest.mark.parametrize("name", ["diagnosis.json", "ranking-letor.md"])
def test_a_link_that_leads_out_is_refused(tmp_path, name):
    RunFolder.create(Run(world="probe"), tmp_path / "out" / "a" / "qmix" / "0", "run")
    (tmp_path / "secret").write_text("{}")
    (tmp_path / "out" / name).symlink_to(tmp_path / "secret")
    with pytest.raises(ValueError, match=f"{name} is a link that leads out of"):
        write_page(tmp_path / "out")


def test_a_maps_name_is_no_path_to_its_table(tmp_path):
    out = tmp_path / "out"
    (out / "ranking-..").mkdir(parents=True)
    (tmp_path / "secret.md").write_text("| secret |")
    (out / "ranking-letor.md").write_text("| NDCG |")
    assert "NDCG" in _ranking(out, ["letor"])
    assert _ranking(out, ["../../../secret"]) == ""


def test_a_table_that_is_no_text_is_named(tmp_path):
    (tmp_path / "ranking-letor.md").write_bytes(b"| \xff |")
    assert f"{tmp_path}/ranking-letor.md cannot be shown" in _ranking(tmp_path, ["letor"])


@pytest.mark.parametrize("share", [0.0, 0.1])
def test_the_whole_recipes_row_is_there_with_and_without_stage_3(share, tmp_path):
    base = Run(world="probe", finetune=FinetuneConfig(share=share))
    place = tmp_path / "personal" / "qmix_ptde" / "0"
    folder = RunFolder.create(run_of("qmix_ptde", base), place, "run")
    rows = ["qmix_ptde_teacher", "qmix_ptde_student", "qmix_ptde"]
    assert _methods(folder) == rows
