"""What counts in a world."""

from ptde.report.measure import column, counted, counted_in


def test_returns_count_where_nobody_wins():
    assert counted("win rate", [0.0, 0.0]) == "return"
    assert counted("win rate", []) == "return"
    assert counted("win rate", [0.0, 0.1]) == "win rate"
    assert counted("return", [0.0]) == "return"
    assert counted("NDCG@10", [0.0]) == "NDCG@10"
    assert [column(name) for name in ("win rate", "NDCG@10", "return")] == [
        "win_rate",
        "win_rate",
        "return",
    ]


def test_one_episode_that_was_won_is_enough():
    tests = {"teacher": [{"win_rate": [0.0, 0.0]}, {"win_rate": [0.0, 0.1]}], "student": []}
    lost = {"teacher": {"win_rate": 0.0}}
    assert counted_in("win rate", tests, lost) == "win rate"
    assert counted_in("win rate", {"teacher": tests["teacher"][:1]}, lost) == "return"
    assert counted_in("win rate", {}, {"teacher": {"win_rate": 0.5}}) == "win rate"
