import gzip
from pathlib import Path

import numpy as np
import pytest

from ptde.envs.ranking import letor, rows
from ptde.envs.ranking.letor import document_ids, files_of, read_letor

GOOD = b"2 qid:7 1:0.5 2:-1e-3 3:4\n0 qid:7 1:1 3:2.5\n1 qid:9 2:8\n"


def write(path: Path, text: bytes, name: str = "some.txt") -> Path:
    file = path / name
    file.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    return file


def read(path: Path, text: bytes, name: str = "some.txt", **options):
    (part,) = read_letor(write(path, text, name), cache=path / "cache", **options)
    return part


@pytest.mark.parametrize("name", ["some.txt", "some.svmlight.gz"])
def test_rows_become_arrays(tmp_path, name):
    part = read(tmp_path, GOOD, name)
    np.testing.assert_allclose(part.features, [[0.5, -1e-3, 4], [1, 0, 2.5], [0, 8, 0]])
    assert part.labels.tolist() == [2, 0, 1]
    assert part.ids.tolist() == ["7", "9"]
    assert part.starts.tolist() == [0, 2, 3]


def test_comments_blank_lines_and_a_missing_last_newline_are_fine(tmp_path):
    text = (
        b"# a file\n\n2 qid:7 1:1 # docid = GX-1 2:9\n\n0 qid:7 1:2 #other\r\n1 qid:8 1:3"
    )
    part = read(tmp_path, text)
    assert part.features[:, 0].tolist() == [1, 2, 3]
    assert document_ids(tmp_path / "some.txt") == ["GX-1", "2", "3"]


def test_a_block_at_once_is_what_its_lines_are(tmp_path):
    draw = np.random.default_rng(0)
    lines = []
    for query in range(30):
        for _ in range(draw.integers(1, 5)):
            ids = np.flatnonzero(draw.random(12) < 0.6) + 1
            words = " ".join(
                f"{i}:{draw.normal() * 10.0 ** draw.integers(-3, 7):.6g}" for i in ids
            )
            lines.append(f"{draw.integers(0, 5)} qid:{query} {words} # c:{query} qid:1")
    block = ("\n".join(lines) + "\n").encode()
    fast = rows.parse_block(block)
    slow = rows.parse_lines(Path("x"), 1, block, 0)
    assert fast is not None
    for a, b in zip(fast, slow, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("block", [2, 40, 4_000_000])
def test_blocks_of_any_size_give_the_same(tmp_path, monkeypatch, block):
    monkeypatch.setattr(letor, "BLOCK", block)
    part = read(tmp_path, GOOD)
    assert part.features.shape == (3, 3)
    assert part.starts.tolist() == [0, 2, 3]


BAD = {
    "a row without qid": (b"1 1:2 2:3", "no qid"),
    "a label that is no integer": (b"1.5 qid:8 1:2", "label is '1.5'"),
    "a negative label": (b"-1 qid:8 1:2", "label is '-1'"),
    "a huge label": (b"31 qid:8 1:2", "above 30"),
    "a missing label": (b"qid:8 1:2 2:3", "label is 'qid:8'"),
    "NaN": (b"1 qid:8 1:nan", "feature 1 is nan, which is not finite"),
    "infinite": (b"1 qid:8 1:1e99", "not finite"),
    "no number": (b"1 qid:8 1:2 2:x", "feature 2 is 'x'"),
    "an empty value": (b"1 qid:8 1: 2:3", "feature 1 is ''"),
    "no colon": (b"1 qid:8 1:2 3", "write id:value"),
    "two colons": (b"1 qid:8 1:2:3 4", "feature 1 is '2:3'"),
    "out of order": (b"1 qid:8 2:1 1:3", "feature 1 stands after feature 2"),
    "a feature twice": (b"1 qid:8 2:1 2:3", "feature 2 stands after feature 2"),
    "feature 0": (b"1 qid:8 0:1", "ids begin at 1"),
    "an id that is no integer": (b"1 qid:8 1.5:1", "a feature's id is '1.5'"),
    "a query again": (b"1 qid:7 1:1", "qid 7 are not contiguous"),
    "a query that is no number": (b"1 qid:x 1:1", "the qid is 'x'"),
    "text for a missing value": (b"1 qid:8 1:null", "feature 1 is 'null'"),
    "NaN beside NULL": (b"1 qid:8 1:NULL 2:nan", "feature 2 is nan, which is not"),
    "above the declared": (b"1 qid:9 4:1", "feature 4 is above the 3 declared"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_row_is_named_by_file_and_line(tmp_path, case):
    row, says = BAD[case]
    with pytest.raises(ValueError, match=r"some\.txt, line 4: ") as error:
        read(tmp_path, GOOD + row + b"\n", features=3)
    assert says in str(error.value)
    assert not any(p.is_dir() for p in (tmp_path / "cache").iterdir())


def test_an_empty_file_and_a_truncated_gzip(tmp_path):
    with pytest.raises(ValueError, match="holds no row"):
        read(tmp_path, b"\n# nothing\n")
    with pytest.raises(ValueError, match="holds no feature"):
        read(tmp_path, b"0 qid:0\n1 qid:0\n")
    file = write(tmp_path, GOOD * 1000, "cut.txt.gz")
    file.write_bytes(file.read_bytes()[:60])
    with pytest.raises(
        ValueError, match=r"cut\.txt\.gz is a damaged gzip file, good to line"
    ):
        read_letor(file, cache=tmp_path / "cache")


def test_a_later_row_may_be_wider(tmp_path, monkeypatch):
    monkeypatch.setattr(letor, "BLOCK", 10)
    assert read(tmp_path, GOOD + b"0 qid:11 40:1\n").features.shape == (4, 40)


def test_what_was_read_is_kept_and_a_damaged_copy_is_not_used(tmp_path, monkeypatch):
    read(tmp_path, GOOD)
    (kept,) = (tmp_path / "cache").iterdir()
    calls = []
    parse = letor.parse_block
    monkeypatch.setattr(letor, "parse_block", lambda b: calls.append(b) or parse(b))
    read(tmp_path, GOOD)
    assert not calls
    (kept / "features.f32").write_bytes(b"short")
    np.testing.assert_allclose(read(tmp_path, GOOD).features[0], [0.5, -1e-3, 4])
    assert len(calls) == 1
    read(tmp_path, GOOD.replace(b"0.5", b"0.25"))
    assert len(calls) == 2


def test_a_folder_is_its_files_and_of_folds_the_first(tmp_path):
    fold = tmp_path / "MSLR" / "Fold1"
    fold.mkdir(parents=True)
    for name in ("train.txt", "vali.txt.gz", "readme.md"):
        write(fold, GOOD, name)
    assert [f.name for f in files_of(tmp_path / "MSLR")] == ["train.txt", "vali.txt.gz"]
    assert len(read_letor(tmp_path / "MSLR", cache=tmp_path / "cache")) == 2
    with pytest.raises(ValueError, match="does not exist"):
        files_of(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="holds no"):
        files_of(tmp_path / "empty")


def test_reading_can_be_watched(tmp_path, monkeypatch):
    monkeypatch.setattr(letor, "BLOCK", 20)
    file, seen = write(tmp_path, GOOD), []
    read_letor(file, cache=tmp_path / "cache", progress=lambda *a: seen.append(a))
    size = file.stat().st_size
    assert [name for name, _, _ in seen] == ["some.txt"] * 2
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)
    assert seen[-1][1:] == (size, size)


def test_a_mark_of_utf8_is_no_part_of_the_first_row(tmp_path):
    assert read(tmp_path, b"\xef\xbb\xbf" + GOOD).labels.tolist() == [2, 0, 1]
    assert document_ids(tmp_path / "some.txt") == ["1", "2", "3"]


def test_long_qids_stay_apart(tmp_path):
    text = b"1 qid:9007199254740992 1:1\n0 qid:9007199254740993 1:2\n"
    more = b"1 qid:123456789012345678901234567890 1:1\n0 qid:0123 1:1\n"
    part = read(tmp_path, text + more)
    assert part.ids.tolist() == [
        "9007199254740992",
        "9007199254740993",
        "123456789012345678901234567890",
        "123",
    ]
    with pytest.raises(ValueError, match=r"line 3: the rows of qid 9007199254740992 are"):
        read(tmp_path, text + b"1 qid:9007199254740992 1:1\n")


@pytest.mark.parametrize("block", [20, 4_000_000])
def test_null_is_no_value(tmp_path, monkeypatch, block):
    monkeypatch.setattr(letor, "BLOCK", block)
    part = read(tmp_path, b"1 qid:1 1:NULL 2:3\n0 qid:1 1:4 2:NULL # NULL nan\n")
    np.testing.assert_array_equal(part.features, [[np.nan, 3], [4, np.nan]])
    assert part.missing == 2
    assert read(tmp_path, GOOD).missing == 0


@pytest.mark.parametrize("features", [0, 2_000_000_000])
def test_a_huge_feature_id_is_refused_before_memory_is_taken(tmp_path, features):
    with pytest.raises(ValueError, match=r"line 4: feature 1999999999 is above 100,000"):
        read(tmp_path, GOOD + b"1 qid:8 1999999999:1\n", features=features)


def test_a_wide_file_is_written_some_rows_at_a_time(tmp_path, monkeypatch):
    whole = read(tmp_path, GOOD).features[:].copy()
    monkeypatch.setattr(letor, "DENSE", 20)
    (part,) = read_letor(tmp_path / "some.txt", cache=tmp_path / "other")
    np.testing.assert_array_equal(part.features, whole)
