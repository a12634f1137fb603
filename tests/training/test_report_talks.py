"""What the page says about the talks."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.report import __main__ as report
from training.report import changes, talks


def mean(value: float | None, n: int = 6) -> dict:
    ends = None if value is None else [round(0.9 * value, 4), round(1.1 * value, 4)]
    return {"value": value, "interval_95": ends, "n": n, "speakers": 3}


def share(value: float | None, n: int) -> dict:
    return {"share": value, "interval_95": [0.8, 1.0], "n": n, "speakers": 3, "within": 1, "errors": []}


def mouths(name: str, lse_d: float, **more) -> dict:
    return {"name": name, "about": f"about {name}", "lse_d": mean(lse_d), "l1": mean(0.0123, 360), **more}


def expert(name: str, auc: float) -> dict:
    sweep = [None, *np.abs(np.arange(-14, 15) / 10).tolist(), None]
    return {
        "name": name, "auc": mean(auc, 500), "auc_clips": mean(1.0), "accuracy": mean(auc),
        "found_as_filmed": share(1.0, 6),
        "found_planted": share(None, 0), "found_shifted_again": share(0.5, 6), "sweep": sweep,
    }  # fmt: skip


def write(data: Path) -> None:
    metrics = data / "metrics/talks"
    (metrics / "strips").mkdir(parents=True)
    lips = {
        "measured": True, "interval": "95 %: 1000 bootstrap draws of speakers", "heard_by": "the exported expert",
        "region": "of L1, PSNR and SSIM: the lower half", "data": {"clips": 6, "speakers": 3, "frames": 360},
        "mouth": {
            "known": True, "about": "darkness", "correlation": 0.968, "closed_told_from_open": 0.97, "frames": 360,
        },
        "rows": [
            mouths("this run", 0.8, opening_correlation=mean(0.75), closed_on_bilabials=mean(0.5, 20)),
            mouths("ground truth", 0.4, opening_correlation=mean(0.97), closed_on_bilabials=mean(1.0, 20)),
            mouths("this run, told silence", 1.0),
        ],
    }  # fmt: skip
    (metrics / "lipsync.json").write_text(json.dumps(lips))
    sync = {"measured": True, "rows": [expert("this run", 0.97), expert("untrained", 0.5)]}
    (metrics / "sync.json").write_text(json.dumps(sync))
    rows = {"this run": (200, 0, 0), "ground truth": (0, 200, 0)}
    for number, colour in enumerate(rows.values()):
        Image.new("RGB", (4 * 96, 96), colour).save(metrics / f"strips/0-{number}.png")
    mel = np.repeat(np.arange(192, dtype=np.uint8)[None], 80, axis=0)
    Image.fromarray(mel).save(metrics / "strips/0-mel.png")
    strip = {
        "clip": "s/1", "speaker": "s", "text": "안녕 <하세요>", "first": 10, "every": 5, "mel": "0-mel.png",
        "truth": [0.0] * 10 + [1.0] * 50, "rows": {row: f"0-{number}.png" for number, row in enumerate(rows)},
        "openings": {"this run": [0.5] * 60, "ground truth": [1.3] * 60},
    }  # fmt: skip
    (metrics / "strips/strips.json").write_text(json.dumps([strip]))


def write_run(data: Path) -> None:
    run = data / "runs/syncnet"
    run.mkdir(parents=True)
    about = {
        "steps": 1200, "seconds": 90, "device": "cpu", "command": "python -m training.train run=syncnet",
        "started_from": {"kind": "starter", "name": "syncnet", "sha256": "ab" * 32},
        "network": {"width": 0.25, "edge": 96},
        "data": {"fingerprint": "f00d", "train": 30, "train_speakers": 6, "val": 10, "test": 10},
    }  # fmt: skip
    (run / "run.json").write_text(json.dumps(about))
    (run / "history.csv").write_text("step,loss,held_out_loss,held_out_auc\n0,0.7,0.7,\n1200,0.3,,0.9\n")


@pytest.fixture
def data(tmp_path) -> Path:
    write(tmp_path)
    write_run(tmp_path)
    return tmp_path


def shown(data: Path) -> str:
    return report.page([], "demo", "demo", talks.talking(data, "world=demo"))


def test_every_figure_stands_with_its_interval_and_its_n(data):
    found = talks.talking(data, "world=demo").mouths
    assert found.headings == ["LSE-D", "opening follows the truth", "shut on ㅁ ㅂ ㅃ ㅍ", "L1"]
    ours = found.rows[0]
    assert [(cell.value, cell.interval, cell.n) for cell in ours.cells] == [
        ("0.80", "0.72 to 0.88", "N 6"), ("0.75", "0.68 to 0.82", "N 6"),
        ("50%", "45% to 55%", "N 20"), ("0.0123", "0.0111 to 0.0135", "N 360"),
    ]  # fmt: skip
    assert found.command == "python -m training.evaluate run=wav2lip corpus=talks world=demo"
    assert found.source in shown(data)


def test_what_a_row_has_not_stays_empty_and_ours_are_told_from_the_others(data):
    rows = {row.name: row for row in talks.talking(data, "").mouths.rows}
    assert [cell.value for cell in rows["this run, told silence"].cells] == ["1.00", "", "", "0.0123"]
    assert [name for name, row in rows.items() if row.ours] == ["this run"]


def test_shares_of_clips_that_there_are_none_of_make_no_column(data):
    found = talks.talking(data, "").experts
    assert found.headings == [
        "accuracy",
        "AUC of windows",
        "AUC of clips",
        "offsets found as filmed",
        "found when shifted again",
    ]
    assert [cell.value for cell in found.rows[0].cells] == ["97.0%", "0.970", "1.000", "100%", "50%"]


def test_the_proxy_is_called_one_and_says_how_good_it_is(data):
    assert "The opening is a proxy: darkness. On the true frames it correlates with the exact opening by 0.97" in shown(
        data
    )


def test_a_strip_spans_the_same_time_in_pictures_sound_and_curves(data):
    strip = talks.talking(data, "").strips[0]
    assert strip.frames == 20
    assert [label for label, _ in strip.rows] == ["generated", "true"]
    assert [label for label, _ in strip.openings] == ["true", "generated"]
    assert strip.openings[0][1].startswith("M0 0L1 0L")  # wide open from frame 10 on
    assert strip.openings[1][1].count("L") == 19
    assert all(0 <= float(y) <= 1 for y in re.findall(r" ([\d.]+)", strip.openings[1][1]))


def test_the_page_begins_with_mouths_and_writes_text_as_text(data):
    page = shown(data)
    assert page.index("Watch them talk") < page.index('<section class="details" id="talks">')
    assert "안녕 &lt;하세요&gt;" in page
    assert not re.findall(r"(?:src|href)=\"(?!data:|#)[^\"]*\"", page)


def test_the_figures_of_syncnets_own_weights_have_a_table_of_their_own(data):
    path = data / "metrics/talks/lipsync.json"
    figures = json.loads(path.read_text())
    for row in figures["rows"]:
        row["syncnet_v2_lse_d"] = mean(7.5)
    path.write_text(json.dumps(figures))
    found = talks.talking(data, "")
    assert found.published.headings == ["LSE-D"]
    assert found.mouths.headings.count("LSE-D") == 1
    assert [row.cells[0].value for row in found.published.rows] == ["7.50"] * 3
    assert "By SyncNet's own weights" in shown(data).replace("&#39;", "'")


def test_a_training_tells_what_it_began_with_and_draws_its_curves(data):
    one = talks.talking(data, "").learned[0]
    assert dict(one.facts)["trained for"] == "1200 steps in 90 s on cpu"
    assert dict(one.facts)["started from"] == "the starter syncnet (abababababab)"
    assert [chart.title for chart in one.charts] == ["Loss", "AUC"]
    assert "1200 steps" in shown(data)


def test_the_sweep_is_drawn_over_the_shift_and_passes_over_what_is_unknown(data):
    chart = talks.talking(data, "").sweep
    assert [line.name for line in chart.lines] == ["this run", "untrained"]
    assert chart.lines[0].path.count("L") == 28
    assert [label for _, label in chart.x_ticks] == ["-20", "-10", "0", "10", "20"]


def test_what_was_not_measured_says_why(data):
    path = data / "metrics/talks/lipsync.json"
    path.write_text(json.dumps({"measured": False, "why": "nobody is held out", "rows": []}))
    assert "The mouths were not measured: nobody is held out" in shown(data)


def test_where_nothing_was_measured_there_is_nothing_to_tell(tmp_path):
    assert talks.talking(tmp_path, "") is None
    (tmp_path / "metrics/talks/strips").mkdir(parents=True)
    assert talks.talking(tmp_path, "") is None


def test_two_runs_are_compared_by_what_both_have(data):
    now = report.figures([], talks.talking(data, ""))
    assert now == {"talks": {"talks": {"auc": 0.97, "lse_d": 0.8, "opening": 0.75}}}
    found = changes.changes({"talks": {"auc": 0.9, "lse_d": 0.7, "opening": None}}, now["talks"])
    assert [(change.label, change.verdict) for change in found] == [
        ("AUC of the expert", "better"), ("LSE-D of the mouths, by the expert", "worse"),
    ]  # fmt: skip
