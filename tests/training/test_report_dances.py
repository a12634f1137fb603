"""What the page says about the dances."""

import base64
import dataclasses
import io
import json
import re
import wave
from pathlib import Path

import av
import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from inference import bundle
from inference.networks.dance import DanceConfig, Denoiser
from preprocessing import dancepacks
from preprocessing.dancepacks import Dances, Reject
from tests.training.dance import swinging
from training import finished
from training.dance import data as windows
from training.dance import describing, exhibits
from training.report import __main__ as report
from training.report import dances, films, scored, tables
from training.report.settings import Films, Settings

ROOT = Path(__file__).resolve().parents[2]
ASKED = yaml.safe_load((ROOT / "conf/training/report.yaml").read_text())["report"]
SETTINGS = Settings(**ASKED | {"films": {"count": 1, "seconds": 1.0}, "dances": 2, "sources": 1})
SHAPE = DanceConfig(width=32, depth=1, heads=2, listening=1, window=32, genres=2)


def mean(value: float | None, n: int | list[int] = 8) -> dict:
    ends = None if value is None else [round(0.9 * value, 4), round(1.1 * value, 4)]
    return {"value": value, "interval_95": ends, "n": n, "songs": 2}


def danced(name: str, f1: float, **more: float | None) -> dict:
    found = {"fid_k": mean(204.0, [16, 54]), "fid_k_floor": 38.6, "div_k": {**mean(8.5, 16), "interval_95": None}}
    beats = {"f1": mean(f1), **{figure: mean(value) for figure, value in more.items()}}
    return {"name": name, "about": f"about {name}", "beats": beats, "features": {"corrected": found}}


def difference(row: str, figure: str, value: float, ends: list[float] | None, songs: int = 4) -> dict:
    return {"row": row, "figure": figure, "value": value, "interval_95": ends, "n": songs, "songs": songs}


MEASURED = {
    "measured": True, "sampled": {"seeds": [0, 1], "steps": 10, "guidance": 2.0, "genre": "none"},
    "data": {"split": "test", "dances": 4, "songs": 2, "seconds": 20.0}, "window_seconds": 5.0,
    "interval": "95 %: 100 draws", "beats": "known exactly", "tracked": {"within_ms": 70, "f1": 0.942, "songs": 12},
    "rows": [
        danced("this run", 0.5, late_ms=-24.3), danced("this run, feet locked", 0.45), danced("ground truth", 0.76),
        danced("this run, music shuffled", 0.3, late_ms=None), danced("noise", 123_456.0),
    ],
    "differences": [
        difference("this run, music shuffled", "beats.f1", 0.2, [0.1, 0.3]),
        difference("this run, music shuffled", "feet.skate_cm_s", 0.0, [0.0, 0.0]),
        difference("ground truth", "beats.f1", -0.26, [-0.3, -0.2]),
        difference("ground truth", "feet.skate_cm_s", 3.0, [-1.0, 7.0]),
        difference("noise", "feet.skate_cm_s", -90.0, [-95.0, -80.0]),
        difference("noise", "beats.f1", 0.1, None, songs=1),
    ],
}  # fmt: skip


def write_run(folder: Path) -> None:
    (folder / "samples").mkdir(parents=True)
    about = {
        "run": "dance", "corpus": "dances", "world": "demo", "profile": "tiny", "steps": 1200, "seconds": 90,
        "device": "cpu", "command": "python -m training.train run=dance", "network": dataclasses.asdict(SHAPE),
        "data": {"fingerprint": "f00d", "train": 4, "train_songs": 4, "val": 0, "val_songs": 0, "test": 2},
        "genres": ["lock", "pop"], "started_from": None, "settings": {}, "licence": "Apache-2.0", "commercial": True,
        "finished": "2026-01-01T00:00:00+00:00",
    }  # fmt: skip
    (folder / "run.json").write_text(json.dumps(about))
    (folder / "history.csv").write_text("step,loss,held_out_loss,held_out_cm\n0,0.7,0.7,25.4\n1200,0.3,,11\n")
    names = ["step-0000000.png", "step-0001200.png"]
    (folder / "samples/samples.json").write_text(json.dumps({"rows": ["danced", "true"], "samples": names}))
    for name, colour in zip(names, ((200, 0, 0), (0, 200, 0)), strict=True):
        Image.new("RGB", (80, 20), colour).save(folder / "samples" / name)


def write_bundle(folder: Path, run: Path, pack: Dances) -> None:
    torch.manual_seed(0)
    network = Denoiser(SHAPE)
    windows.measure(network, pack, windows.danced(pack, "train", 32), False)
    trained = describing.Trained(network.eval(), finished.about(run / "run.json", describing.Run, ""), "0" * 64)
    manifest = describing.describe("dance", "1.0", False, trained, pack, Path("nowhere"))
    golden = exhibits.answered(network, exhibits.Drawn(count=1, seed=1))
    preview = io.BytesIO()
    Image.new("RGB", (40, 20), (0, 0, 200)).save(preview, "PNG")
    tensors = {bundle.MODEL: network.state_dict(), bundle.GOLDEN: golden}
    bundle.write(folder, manifest, tensors, {"preview.png": preview.getvalue()})


def write_song(file: Path, seconds: int) -> None:
    file.parent.mkdir(parents=True)
    with wave.open(str(file), "wb") as sound:
        sound.setparams((1, 2, 16_000, 0, "NONE", ""))
        sound.writeframes(np.zeros(16_000 * seconds, np.int16).tobytes())


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """A pack, a run, its measures and its bundle."""
    data = tmp_path_factory.mktemp("dances")
    swinging.write_pack(data / "processed/dances", frames=90)
    write_run(data / "runs/dance")
    (data / "metrics/dances").mkdir(parents=True)
    (data / "metrics/dances/dance.json").write_text(json.dumps(MEASURED))
    write_bundle(data / "exported/dance", data / "runs/dance", dancepacks.read(data / "processed/dances"))
    return data


@pytest.fixture(scope="module")
def dancing(data) -> dances.Dancing:
    return dances.dancing(data, "world=demo", SETTINGS)


def shown(dancing: dances.Dancing) -> str:
    return report.page([], "demo", "demo", dancing=dancing)


def test_every_figure_stands_with_its_interval_its_n_and_what_is_better(dancing):
    title, _, found = dancing.tables[0]
    assert (title, found.headings) == ("On the beat", ["F1", "late, ms"])
    assert [column.better for column in found.columns] == ["more is better", "as the truth"]
    assert found.rows[0].cells == [
        tables.Cell("0.500", "0.450 to 0.550", "N 8"), tables.Cell("-24", "-22 to -27", "N 8"),
    ]  # fmt: skip
    assert found.command == "python -m training.evaluate run=dance corpus=dances world=demo"
    assert found.source in shown(dancing)


def test_a_distance_stands_with_its_floor_and_what_has_no_interval_says_so(dancing):
    _, _, found = dancing.tables[1]
    assert found.headings == ["FID_k", "Div_k"]
    assert found.rows[0].cells[0] == tables.Cell("204.0", "183.6 to 224.4", "N 16 against 54, floor 38.6")
    assert found.rows[0].cells[1].interval == ""
    assert found.columns[1].reading.endswith("It has no interval.")


def test_what_a_row_has_not_stays_empty_and_ours_are_told_from_the_others(dancing):
    rows = {row.name: row for row in dancing.tables[0][2].rows}
    assert [cell.value for cell in rows["this run, music shuffled"].cells] == ["0.300", ""]
    assert [name for name, row in rows.items() if row.ours] == ["this run", "this run, feet locked"]


def test_a_very_large_figure_is_written_by_its_power_of_ten(dancing):
    assert dancing.tables[0][2].rows[-1].cells[0] == tables.Cell("1.2e+05", "1.1e+05 to 1.4e+05", "N 8")


@pytest.mark.parametrize(
    ("ends", "more", "said"),
    [
        ([0.1, 0.3], 1, "yes"), ([0.1, 0.3], -1, "no, worse"), ([-0.3, -0.1], -1, "yes"),
        ([-0.3, -0.1], 1, "no, worse"), ([-0.1, 0.3], 1, "not known"), ([0.0, 0.3], 1, "not known"),
        ([0.0, 0.0], 1, "the same"), (None, 1, "not known"),
    ],
)  # fmt: skip
def test_better_is_answered_only_where_the_whole_interval_says_so(ends, more, said):
    assert scored.answer({"interval_95": ends}, more)[0] == said


def test_each_row_is_answered_by_each_figure_that_has_a_better_side(dancing):
    rows = {row.name: row.cells for row in dancing.better.rows}
    assert list(rows) == ["ground truth", "this run, music shuffled", "noise"]
    assert rows["ground truth"][0] == tables.Cell("no, worse", "-0.260 (-0.300 to -0.200)", "N 4 songs", "worse")
    assert [cells[2].value for cells in rows.values()] == ["not known", "the same", "yes"]
    assert rows["noise"][0] == tables.Cell("not known", "+0.100", "N 1 song")


def test_a_sentence_says_whether_the_song_is_heard(dancing):
    assert dancing.hears == (
        "On the beats of its own songs F1 is 0.200 more than on those of other songs "
        "(95 % +0.100 to +0.300, N 4 songs): yes."
    )
    assert f"<b>Does it hear the song?</b> {dancing.hears}" in shown(dancing)


def test_the_figures_say_of_which_dances_seeds_and_songs_they_are(dancing):
    said = " ".join(dancing.about)
    assert "4 dances (20 s) to 2 songs that no training heard, each danced with the seeds 0, 1" in said
    assert "Over 2 they are little more than their range" in said
    assert "finds F1 0.94 within 70 ms (N 12 songs)" in said


def test_the_pack_is_counted_by_genre_and_part_and_what_is_too_much_is_one_row(dancing):
    assert dict(dancing.pack.headline) == {
        "dances": "6", "songs": "6", "of dance": "18 s", "genres": "2", "dancers": "unknown", "left out": "0",
    }  # fmt: skip
    assert [(row["genre"], row["dances"], row["parts"]) for row in dancing.pack.genres] == [
        ("lock", 3, [2, 0, 1]), ("and 1 more", 3, [2, 0, 1]),
    ]  # fmt: skip
    assert dancing.pack.genres[0]["tempo"] == "90 to 150"
    assert "4 to train on (N 4 songs), 0 to validate (N 0 songs), 2 to test (N 2 songs)" in dancing.pack.parts
    assert "Nothing was left out." in shown(dancing)


def test_what_was_left_out_says_why_as_text(data, monkeypatch):
    hostile = '<img src=x onerror="alert(1)">'
    monkeypatch.setattr(
        dancepacks, "rejects", lambda folder: [Reject("a", "too-short", hostile), Reject("b", "no", "")]
    )
    page = shown(dances.dancing(data, "", SETTINGS))
    assert page.count("too-short") == 1
    assert hostile not in page


def test_true_dances_are_shown_a_genre_a_row(dancing):
    assert [strip.said for strip in dancing.pack.strips] == [
        "lock to song0 (150 beats a minute), 1 s", "pop to song1 (129 beats a minute), 1 s",
    ]  # fmt: skip
    pictures = [decoded(strip.picture) for strip in dancing.pack.strips]
    assert [picture.size for picture in pictures] == [(8 * 160, 160)] * 2
    assert np.abs(np.subtract(*map(np.asarray, pictures), dtype=int)).max() > 100


def test_a_training_shows_its_curves_and_its_latest_sheet_last(dancing):
    one = dancing.learned[0]
    assert dict(one.facts)["trained for"] == "1200 steps in 90 s on cpu"
    assert dict(one.facts)["dances"] == "4 to 4 songs trained on, 0 to 0 to validate"
    assert [chart.title for chart in one.charts] == ["Loss", "Error of the joints, cm"]
    assert [sample["steps"] for sample in one.samples] == [0, 1200]
    assert decoded(one.samples[-1]["picture"]).getpixel((0, 0))[1] > 150
    assert "<output>1200 steps</output>" in shown(dancing)


@pytest.mark.parametrize(("demo", "streams"), [(True, {"video", "audio"}), (False, {"video"})])
def test_a_film_has_its_song_where_that_is_anyones_to_give(data, tmp_path, demo, streams):
    made, pack = bundle.load(data / "exported/dance"), dancepacks.read(data / "processed/dances")
    made.manifest["demo"] = demo
    write_song(tmp_path / "music" / pack.song(pack.of("test")[0]).source, seconds=3)
    (film,) = films.filmed(made, pack, tmp_path, Films(count=1, seconds=1.0))
    with av.open(io.BytesIO(base64.b64decode(film.video.partition(",")[2]))) as opened:
        assert {stream.type for stream in opened.streams} == streams
        assert sum(1 for _ in opened.decode(video=0)) == film.frames == 30
        assert opened.duration / av.time_base == pytest.approx(1, abs=0.1)
    assert film.beats == [0, 20]
    assert [label for label, _ in film.speeds] == ["network", "true"]


def test_the_page_begins_with_dancers_and_loads_nothing(dancing):
    page = shown(dancing)
    assert page.index("Watch them dance") < page.index('<section class="details" id="dances">')
    assert "dramatis dance song.mp3 --bundle dance --out dance.mp4" in page
    assert "without its sound" in page
    assert not re.findall(r"(?:src|href)=\"(?!data:|#)[^\"]*\"", page)


def test_the_bundle_shows_its_card_and_its_preview(dancing):
    card = dict(dancing.exported.card)
    assert card["licence"] == "weights Apache-2.0; code Apache-2.0; trained on not stated (6)"
    assert (card["runs"], card["a toy"]) == ("weights in float32", "yes, of the rendered demo world")
    assert decoded(dancing.exported.preview).getpixel((0, 0))[2] > 150


def test_what_has_not_been_made_is_named_in_a_line_each(tmp_path):
    swinging.write_pack(tmp_path / "processed/dances", frames=40)
    page = shown(dances.dancing(tmp_path, "", SETTINGS))
    for line in (
        "not measured yet",
        "No network was trained on the dances yet",
        "No bundle of dances was exported yet",
    ):
        assert page.count(line) == 1
    assert "Watch them dance" not in page


def test_what_could_not_be_measured_says_why(tmp_path):
    (tmp_path / "metrics/dances").mkdir(parents=True)
    nothing = {"measured": False, "why": "none of the 3 dances is held out", "rows": [], "differences": []}
    (tmp_path / "metrics/dances/dance.json").write_text(json.dumps(nothing))
    page = shown(dances.dancing(tmp_path, "", SETTINGS))
    assert "The dances were not measured: none of the 3 dances is held out" in page
    assert "No dances were prepared yet" in page


def test_where_there_are_no_dances_there_is_nothing_to_tell(tmp_path):
    assert dances.dancing(tmp_path, "", SETTINGS) is None
    assert 'id="dances"' not in report.page([], "demo", "demo")


def test_two_runs_are_compared_by_what_both_have(dancing):
    now = report.figures([], dancing=dancing)
    assert now == {"dances": {"dances": {"f1_over_chance": None, "skate": None, "fid_k": 204.0}}}
    before = {"dances": {"dances": {"f1_over_chance": 0.1, "skate": 1.0, "fid_k": 200.0}}}
    after = report.branched("dances", dancing, before, now)
    assert [(change.label, change.verdict) for change in after.changes] == [("FID_k of the dances", "worse")]
    assert "▲ +4" in shown(after)


def decoded(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).convert("RGB")
