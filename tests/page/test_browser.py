"""Pages in Chromium: nothing on the console, and every control does what it says."""

import base64

import numpy as np
import pytest
from tests.page.browser import PHONE, browser, look
from tests.page.conftest import untaught
from tests.page.test_page import data_of

from ptde.algos import ValueConfig
from ptde.config import Run
from ptde.distill.config import DistillConfig
from ptde.info import InfoSizes
from ptde.jobs.record import Record
from ptde.page import write_page
from ptde.page.document import MOST_BYTES, Section, render
from ptde.page.run import charts_here, scenes_here
from ptde.page.scenes import pack
from ptde.processes.games.football import ACTION_NAMES

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("chromium")]


@pytest.fixture(scope="session")
def chromium():
    return browser()


@pytest.fixture(scope="session")
def fought(tmp_path_factory):
    """The page of a run of SMAX: teacher, student and baseline, two battles each."""
    config = Run(
        map="3m",
        hidden=8,
        envs=2,
        baseline=True,
        info_config=InfoSizes(z=4, hyper_hidden=4),
        value=ValueConfig(buffer=8, batch=4),
        student=DistillConfig(network="mlp", objective="z", data="teacher", share=0.0),
    )
    folder = untaught(config, tmp_path_factory.mktemp("browser") / "run")
    (folder.path / "teacher").mkdir(exist_ok=True)
    row = {"steps": 100, "joint_steps": 100, "win_rate": [0.25], "return": [1.0]}
    Record(folder.path / "teacher" / "record.jsonl").append(row)
    return write_page(folder.path)


def test_the_page_of_a_run_draws_its_curves_and_zooms(finished):
    said = look(
        write_page(finished),
        """
        const range = () => document.querySelector(".chart .u-over").clientWidth;
        const card = document.querySelector(".chart");
        const buttons = [...card.querySelectorAll("button")].map((b) => b.textContent);
        card.querySelectorAll("button")[0].click();
        card.querySelectorAll("button")[1].click();
        card.querySelectorAll("button")[2].click();
        const inked = [...document.querySelectorAll(".chart canvas")].map((canvas) => {
          const { width, height } = canvas;
          const all = canvas.getContext("2d").getImageData(0, 0, width, height).data;
          return new Set(new Uint32Array(all.buffer)).size;
        });
        const names = [...card.querySelectorAll(".u-legend .u-label")]
          .map((label) => label.textContent);
        return { buttons, inked, names, wide: range() };
        """,
    )
    assert said["buttons"] == ["+", "\N{MINUS SIGN}", "reset"]
    assert len(said["inked"]) == 4
    assert min(said["inked"]) > 20  # colours: a chart that is empty has a few
    assert [name.split(",")[0] for name in said["names"]] == [
        "joint steps",
        "teacher",
        "student",
        "finetuned",
        "baseline",
    ]
    assert said["wide"] > 200


def test_battles_begin_alike_and_are_small_enough(fought):
    assert fought.stat().st_size < MOST_BYTES
    first, second = data_of(fought.read_text())["scenes"]
    assert [side["role"] for side in first["sides"]] == ["teacher", "student", "baseline"]

    def start(side):
        codes = np.frombuffer(base64.b64decode(side["x"]["data"]), "<u2")
        return side["x"]["low"] + codes[: side["x"]["shape"][1]] * side["x"]["step"]

    teacher, *others = [start(side) for side in first["sides"]]
    for other in others:  # the first moment of the game has passed
        np.testing.assert_allclose(other, teacher, atol=0.4)
    assert np.abs(start(second["sides"][0]) - teacher).max() > 0.01


def test_a_battle_plays_pauses_and_steps(fought):
    said = look(
        fought,
        """
        const time = () => document.querySelector("#player .time").textContent;
        const pictures = () => [...document.querySelectorAll("#player canvas")]
          .map((canvas) => canvas.toDataURL());
        const pressed = (text) => [...document.querySelectorAll("#player button")]
          .find((b) => b.textContent === text).getAttribute("aria-pressed");
        const told = { start: time(), first: pictures() };
        click("step ▶");
        told.stepped = time();
        told.moved = pictures().map((x, i) => x !== told.first[i]);
        click("◀ step");
        told.back = time();
        told.same = pictures().every((x, i) => x === told.first[i]);
        click("sight");
        told.unseen = pictures().every((x, i) => x !== told.first[i]);
        click("sight");
        const values = document.querySelector("#player .values").textContent;
        click("agent 2");
        told.chosen = [pressed("agent 1"), pressed("agent 2")];
        told.others = document.querySelector("#player .values").textContent !== values;
        const slider = document.querySelector("#player input[type=range]");
        slider.value = slider.max;
        slider.dispatchEvent(new Event("input"));
        told.end = time();
        click("▶ play");
        told.playing = pressed("❚❚ pause");
        click("❚❚ pause");
        told.paused = pressed("▶ play");
        const which = document.querySelector("#player select");
        which.value = "1";
        which.dispatchEvent(new Event("change"));
        told.second = pictures().every((x, i) => x !== told.first[i]);
        told.titles = [...document.querySelectorAll(".side h3")].map((x) => x.textContent);
        told.bars = document.querySelectorAll(".side:first-child .values .row").length;
        told.marks = [...document.querySelectorAll(".side")]
          .map((side) => side.querySelectorAll(".bar b").length > 0);
        return told;
        """,
    )
    assert said["start"].startswith("0.0 s of ")
    assert said["stepped"].startswith("0.5 s")
    assert any(said["moved"])
    assert said["back"] == said["start"]
    assert said["same"]
    assert said["unseen"]
    assert said["chosen"] == ["false", "true"]
    assert said["others"]
    end, _, length = said["end"].partition(" of ")
    assert end == length
    assert (said["playing"], said["paused"]) == ("true", "false")
    assert said["second"]
    assert said["titles"] == ["QMIX_GIP (teacher)", "QMIX_KD (student)", "QMIX (baseline)"]
    assert said["bars"] > 1
    assert said["marks"] == [True, True, False]  # the baseline has no z


def test_a_page_fits_a_phone(fought, tmp_path):
    frame = tmp_path / "frame.html"
    inner = fought.read_text().replace("&", "&amp;").replace('"', "&quot;")
    frame.write_text(
        "<!doctype html><html><head></head><body>"
        f'<iframe width="{PHONE}" height="900" srcdoc="{inner}"></iframe></body></html>'
    )
    said = look(
        frame,
        """
        const page = document.querySelector("iframe").contentDocument;
        const canvas = page.querySelector("#player canvas");
        return {
          wide: page.documentElement.scrollWidth,
          canvas: canvas.clientWidth,
          below: new Set([...page.querySelectorAll(".side")].map((x) => x.offsetLeft)).size,
        };
        """,
    )
    assert said["wide"] <= PHONE
    assert 250 < said["canvas"] <= PHONE
    assert said["below"] == 1


def shown(tmp_path, scene):
    """A page with nothing but a scene."""
    sections = [Section("battles", "To be watched", scenes_here(True, ""))]
    assert charts_here(False) == ""
    page = tmp_path / "scene.html"
    page.write_text(render("A scene", [], sections, {"charts": [], "scenes": [scene]}))
    return page


def side(**more):
    return {"name": "QMIX", "role": "teacher", "colour": "#0072B2", "end": "", **more}


def test_documents_are_shown_in_the_order_of_their_scores(tmp_path):
    values = np.zeros((1, 3, 10))
    values[0, [0, 1, 2], [2, 9, 5]] = 1.0
    without = values.copy()
    without[0, 1, 3] = 2.0  # z made document 2 score 9 and not 3
    team = side(scores=[2, 9, 5], steps=1, values=pack(values), without=pack(without))
    scene = {"kind": "ranking", "title": "list 1 of 1", "labels": [0, 2, 1]}
    scene |= {"actions": [f"score {u}" for u in range(10)], "sides": [team]}
    said = look(
        shown(tmp_path, scene),
        """
        document.querySelectorAll("ol.ranked button")[0].click();
        return {
          list: [...document.querySelectorAll(".ranked li")].map((x) => x.innerText),
          labels: [...document.querySelectorAll(".ranked .label")].map((x) => x.innerText),
          chosen: document.querySelector(".values .chosen").innerText,
          told: document.querySelector(".values .changed").innerText,
        };
        """,
    )
    assert [x.split("document ")[1][0] for x in said["list"]] == ["2", "3", "1"]
    assert said["labels"] == ["2", "1", "0"]
    assert "score 9" in said["chosen"]
    assert said["told"] == "z changed this choice: score 3 without it"


def test_a_game_of_football_is_seen_from_above(tmp_path):
    draw, steps, players, agents = np.random.default_rng(0), 12, 6, 3
    places = draw.uniform(-0.4, 0.4, (steps + 1, players, 2))
    team = side(
        steps=steps,
        x=pack(places[..., 0], fine=True),
        y=pack(places[..., 1], fine=True),
        ball=pack(draw.uniform(0, 0.4, (steps + 1, 3)), fine=True),
        controlled=pack(np.tile(np.arange(1, 4), (steps + 1, 1))),
        values=pack(draw.normal(size=(steps, agents, len(ACTION_NAMES)))),
        without=None,
    )
    scene = {"kind": "pitch", "title": "game 1", "left": 4, "actions": list(ACTION_NAMES)}
    said = look(
        shown(tmp_path, scene | {"sides": [team]}),
        """
        const canvas = document.querySelector("#player canvas");
        const first = canvas.toDataURL(), box = canvas.getBoundingClientRect();
        const time = document.querySelector("#player .time").textContent;
        click("step ▶");
        const moved = canvas.toDataURL() !== first;
        const at = { clientX: box.left + box.width / 2, clientY: box.top + 9 };
        canvas.dispatchEvent(new MouseEvent("click", at));
        return { time, moved, ratio: box.width / box.height };
        """,
    )
    assert said["time"] == f"step 0 of step {steps}"
    assert said["moved"]
    assert said["ratio"] == pytest.approx(2.16, rel=0.02)
