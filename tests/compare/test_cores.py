import psutil

from ptde.compare.cores import cores


def test_no_two_runs_share_a_core(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    there = psutil.Process().cpu_affinity()
    with cores(len(there)) as mine:
        assert mine == there
        with cores(1) as none:
            assert none == []
    with cores(1) as first:
        assert first == there[:1]
    with cores(len(there) + 1) as none:
        assert none == []


def test_who_gets_too_few_leaves_them_to_others(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    there = psutil.Process().cpu_affinity()
    with cores(len(there) + 1), cores(len(there)) as mine:
        assert mine == there
