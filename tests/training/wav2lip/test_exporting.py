"""A bundle of lips says what the run, the talks and the metrics say; both back ends make the same of its weights."""

import hashlib
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from PIL import Image
from safetensors.torch import load_file, save, save_file

from inference import bundle
from inference.errors import UserError
from inference.graph import Graph
from inference.networks.wav2lip import Generator, SyncNet, Wav2LipConfig, to_uint8
from preprocessing import talkpacks
from preprocessing.talkpacks import Clip, Content
from training import export, provenance, shipping, train, translating
from training.wav2lip import describing, exhibits, starting

ROOT = Path(__file__).resolve().parents[3]
WIDTH = 0.02
NETWORKS = {"syncnet": ("expert", SyncNet), "wav2lip": ("generator", Generator)}
PACKS = {"syncnet": "interim", "wav2lip": "processed"}
NAMES = {"syncnet": "syncnet", "wav2lip": "lipsync"}
TAUGHT = {"kind": "bundle", "name": "syncnet", "sha256": "e" * 64, "licence": "Apache-2.0", "commercial": True}
METRICS = {
    "measured": True,
    "steps": 40,
    "rows": [
        {
            "name": "this run",
            "auc": {"value": 0.9871, "interval_95": [0.97, 0.99], "n": 900, "speakers": 12},
            "lse": {"distance": {"value": 0.61, "interval_95": None, "n": 9, "speakers": 2}},
            "found_planted": {"share": 1.0, "interval_95": [0.8, 1.0], "n": 16, "speakers": 9, "errors": [0, 1]},
            "sweep": [0.1] * 31,
        }
    ],
}


def write_talks(folder: Path, consent: str | None = None, licence: str = "CC0-1.0") -> None:
    """Write three clips of 30 frames, one for each part."""
    draws = np.random.default_rng(4)
    clips, contents = [], []
    for number, split in enumerate(talkpacks.SPLITS):
        about = {"id": f"{split}-1", "speaker": split, "split": split, "source": "a.mp4", "sha256": "0" * 64}
        about |= {"text": None, "start": 0.0, "frames": 30, "columns": 97, "speech": 0.9, "commercial": False}
        clips.append(Clip(**about, licence=licence, consent=consent, box=(0, 0, 96, 96)))
        still = np.kron(draws.integers(0, 256, (1, 6, 6, 3), np.uint8), np.ones((1, 16, 16, 1), np.uint8))
        frames = np.repeat(still, 30, axis=0)
        frames[:, 48:] += np.arange(30, dtype=np.uint8)[:, None, None, None] * (number + 1)
        mel = draws.uniform(-4, 4, (80, 97)).astype(np.float32)
        contents.append(Content(frames, mel, np.zeros((30, 4), np.float32)))
    shutil.rmtree(folder, ignore_errors=True)
    talkpacks.write(folder, clips, contents, [], "feed" * 4)


def write_run(root: Path, run: str, width: float = WIDTH, **changes: object) -> dict[str, torch.Tensor]:
    """Write what a training leaves behind."""
    torch.manual_seed(2)
    network, build = NETWORKS[run]
    state = build(Wav2LipConfig(width)).state_dict()
    folder = root / "runs" / run
    folder.mkdir(parents=True, exist_ok=True)
    save_file(state, folder / f"{network}.safetensors")
    about = {"schema": 1, "run": run, "corpus": "talks", "world": "demo", "profile": "tiny", "steps": 700}
    about |= {"network": {"width": width, "edge": 96}, "seconds": 95.0, "device": "cpu", "torch": "2.15"}
    about |= {"data": {"fingerprint": "feed" * 4}, "started_from": None, "settings": {"seed": 7}, "git": None}
    about |= {"command": "python -m training.train", "licence": "Apache-2.0", "commercial": True}
    about |= {"mel": {"padding": "reflect", "lead": -1 if run == "wav2lip" else 0}}
    about |= {"expert": TAUGHT} if run == "wav2lip" else {}
    (folder / "run.json").write_text(json.dumps(about | changes))
    return state


@pytest.fixture
def data(tmp_path, monkeypatch) -> Path:
    """The data folder after trainings of an expert and of a generator."""
    monkeypatch.chdir(tmp_path)
    for run in NETWORKS:
        write_talks(tmp_path / "data" / PACKS[run] / "talks")
        write_run(tmp_path / "data", run)
    return tmp_path / "data"


def exported(run: str, *overrides: str) -> bundle.Bundle:
    words = ["corpus=talks", "profile=tiny", f"run={run}", "wandb.mode=disabled", *overrides]
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose("training/export", words)
    export.main(config)
    settings = config[f"export_{run}"]
    place = "starters" if settings.starter else "exported"
    made = settings.name or (NAMES[run] if config.init is None else None)
    return bundle.load(Path("data", place, made) if made else next(Path("data", place).iterdir()))


def without_graph(run: str, *overrides: str) -> bundle.Bundle:
    """Export but for the ONNX file, which takes seconds to write."""
    return exported(run, f"export_{run}.onnx=false", *overrides)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> dict[str, bundle.Bundle]:
    """A bundle of each run with its ONNX file, which takes seconds to write."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for run in NETWORKS:
            write_talks(folder / "data" / PACKS[run] / "talks")
            write_run(folder / "data", run)
            exported(run)
    return {run: bundle.load(folder / "data/exported" / NAMES[run]) for run in NETWORKS}


@pytest.mark.parametrize("batch", [1, 3, 16])
@pytest.mark.parametrize("run", NETWORKS)
def test_both_back_ends_make_the_same_of_any_batch(whole, run, batch):
    network, graph = whole[run].network(), Graph(whole[run])
    inputs = [torch.rand(batch, *shape) for shape in graph.inputs.values()]
    made = network(*inputs)
    for one, other in zip(graph(*(each.numpy() for each in inputs)), made if run == "syncnet" else [made], strict=True):
        assert np.abs(one - other.numpy()).max() < 1e-4
        if run == "wav2lip":
            assert np.abs(to_uint8(torch.from_numpy(one)).astype(int) - to_uint8(other)).max() <= 1


@pytest.mark.parametrize("run", NETWORKS)
def test_a_bundle_states_how_far_its_graph_is_from_torch_and_on_what(whole, run):
    stated = whole[run].manifest["parity"]
    assert (stated["n"], stated["batches"], stated["on"]) == (48, [1, 3, 16], "moments of 1 clips held out")
    assert stated["max_abs"] < 1e-4
    assert stated.get("levels", 0) <= 1
    assert "onnxruntime is within" in whole[run].read("README.md").decode()


def test_the_same_network_is_the_same_graph_which_names_no_file_of_this_machine(whole):
    written = whole["syncnet"].read(bundle.ONNX)
    assert translating.write(whole["syncnet"].network(), whole["syncnet"]) == written
    assert not [word for word in (str(ROOT), "site-packages", ".py") if word.encode() in written]


@pytest.mark.parametrize("run", NETWORKS)
def test_the_same_run_gives_the_same_bytes(data, run, monkeypatch):
    monkeypatch.setattr(provenance, "revision", lambda: None)  # the working tree may be worked on
    first = {file.name: file.read_bytes() for file in without_graph(run).folder.iterdir()}
    shutil.rmtree("data/exported")
    shutil.rmtree(".work")
    assert {file.name: file.read_bytes() for file in without_graph(run).folder.iterdir()} == first
    assert set(first) == {"bundle.json", "model.safetensors", "golden.safetensors", "preview.png", "README.md"}


@pytest.mark.parametrize("run", NETWORKS)
def test_a_bundle_holds_the_weights_of_the_run_and_is_called_by_its_task(data, run):
    made = without_graph(run)
    trained = load_file(data / "runs" / run / f"{NETWORKS[run][0]}.safetensors")
    assert made.name == NAMES[run]
    assert all(torch.equal(value, trained[name]) for name, value in made.tensors(bundle.MODEL).items())
    assert made.manifest["network"] == {"kind": run, "width": WIDTH, "edge": 96}
    assert made.check() == 0


def test_a_generator_names_its_expert_and_how_it_was_taught_to_listen(data):
    about = without_graph("wav2lip").manifest
    assert about["expert"] == {"name": "syncnet", "sha256": "e" * 64}
    assert {key: about["mel"][key] for key in ("padding", "lead")} == {"padding": "reflect", "lead": -1}
    assert about["provenance"]["talks"]["test"] == {"clips": 1, "speakers": 1}
    assert (about["provenance"]["steps"], about["demo"], about["commercial"]) == (700, True, True)


def test_licences_and_consent_are_those_of_the_talks_and_of_the_run(data):
    write_talks(data / "processed/talks", consent="signed", licence="AI-Hub")
    bound = {"licence": "as the talks allow: AI-Hub; as the file wav2lip.pth allows: not stated", "commercial": False}
    started = {"kind": "file", "name": "wav2lip.pth", "sha256": "a" * 64, "licence": "not stated", "commercial": False}
    write_run(data, "wav2lip", started_from=started, **bound)
    made = without_graph("wav2lip")
    assert made.manifest["licences"] == {"weights": bound["licence"], "code": "Apache-2.0", "data": {"AI-Hub": 3}}
    assert (made.manifest["commercial"], made.manifest["consent"]) == (False, {"signed": 3})
    card = made.read("README.md").decode()
    assert "| started from | the file wav2lip.pth (aaaaaaaaaaaa) |" in card
    assert "Commercial use: no" in card
    assert "| signed | 3 |" in card


def test_only_who_agreed_is_shown_in_a_preview_and_whose_the_talks_are_is_said(data):
    write_run(data, "wav2lip", world="real")
    assert "preview.png" not in without_graph("wav2lip", "world=real").manifest["files"]
    write_talks(data / "processed/talks", consent="signed")
    (data / "raw/talks").mkdir(parents=True)
    (data / "raw/talks/NOTICE").write_text("spoken by a friend")
    made = without_graph("wav2lip", "world=real")
    assert "preview.png" in made.manifest["files"]
    assert made.read("NOTICE") == b"spoken by a friend"
    assert "Whose the talks are: [NOTICE](NOTICE)." in made.read("README.md").decode()


def test_the_preview_of_a_generator_shows_the_truth_over_what_was_drawn(data):
    made = without_graph("wav2lip")
    with Image.open(io.BytesIO(made.read("preview.png"))) as picture:
        shown = np.asarray(picture)
    talks = talkpacks.read(data / "processed/talks")
    (clip,) = talks.of("test")
    assert shown.shape == (2 * 96, 8 * 96, 3)
    assert np.array_equal(shown[:96, :96], talks.frames(clip, int(0.5 * 30 / 8), 1)[0])
    assert not np.array_equal(shown[96:, :96], shown[:96, :96])


def test_the_preview_of_an_expert_is_brightest_where_it_hears_a_clip(data):
    made = without_graph("syncnet")
    with Image.open(io.BytesIO(made.read("preview.png"))) as picture:
        shown = np.asarray(picture)
    assert shown.shape == (exhibits.TILE, 31 * exhibits.TILE, 3)
    assert (shown.min(), shown.max()) == (0, 255)


def test_the_card_says_every_figure_with_its_n(data):
    (data / "metrics/talks").mkdir(parents=True)
    (data / "metrics/talks/sync.json").write_text(json.dumps(METRICS))
    made = without_graph("syncnet")
    card = made.read("README.md").decode()
    assert "| auc | 0.9871 (0.97 to 0.99) | 900 / 12 |" in card
    assert "| lse distance | 0.61 | 9 / 2 |" in card
    assert "| found planted | 1 (0.8 to 1) | 16 / 9 |" in card
    assert set(made.manifest["metrics"]["rows"][0]["figures"]) == {"auc", "lse distance", "found_planted"}


def test_the_card_says_what_it_is_a_toy_of_how_to_use_it_and_from_where_on_it_hears(data):
    card = without_graph("wav2lip").read("README.md").decode()
    for said in (
        "**A toy.**",
        "dramatis lipsync --bundle lipsync --face portrait.png",
        "heard from 1 frame before the picture on",
        "Not measured: python -m training.evaluate run=wav2lip has not run on it",
        "It holds no ONNX file.",
        "| test | 1 | 1 |",
        "| took | 95 s on cpu, torch 2.15 |",
        "eSpeak NG (GPL-3.0)",
    ):
        assert said in card


def test_a_starter_is_halved_holds_no_graph_and_its_golden_answers_are_of_the_halved_weights(data):
    made = exported("wav2lip", "export_wav2lip.starter=true")
    stored = load_file(made.folder / bundle.MODEL)
    assert stored["output_block.1.weight"].dtype == torch.float16
    assert stored["output_block.0.conv_block.1.running_var"].dtype == torch.float32
    assert (made.manifest["precision"], made.check()) == ("float16", 0)
    with pytest.raises(UserError, match=r"holds no model\.onnx, as starters do not"):
        Graph(made)


def test_a_starter_brings_the_discriminator_of_a_run_that_has_one(data):
    state = {"binary_pred.0.weight": torch.rand(1, 8, 1, 1)}
    save_file(state, data / "runs/wav2lip/discriminator.safetensors")
    made = exported("wav2lip", "export_wav2lip.starter=true")
    assert torch.equal(
        load_file(made.folder / bundle.DISCRIMINATOR)["binary_pred.0.weight"], state["binary_pred.0.weight"].half()
    )
    assert bundle.DISCRIMINATOR not in without_graph("wav2lip").manifest["files"]


def test_a_starter_of_more_bytes_than_git_keeps_is_refused(data, monkeypatch):
    monkeypatch.setattr(shipping, "STARTER_BYTES", 20_000)
    with pytest.raises(UserError, match=r"a starter has at most 0\.02 MB"):
        exported("wav2lip", "export_wav2lip.starter=true")
    assert not Path("data/starters").exists()


def brought(path: Path, run: str, width: float = WIDTH, **more: object) -> Path:
    """A checkpoint as the published trainings write them."""
    torch.manual_seed(9)
    state = {f"module.{name}": value for name, value in NETWORKS[run][1](Wav2LipConfig(width)).state_dict().items()}
    torch.save({"state_dict": state, "optimizer": None, "global_step": 3, "global_epoch": 1} | more, path)
    return path


@pytest.mark.parametrize("run", NETWORKS)
def test_weights_that_a_user_brings_become_a_bundle_that_is_not_for_commerce(data, run):
    shutil.rmtree(data)
    file = brought(Path("my weights (v2).pth"), run)
    made = without_graph(run, f"init='{file}'")
    assert made.name == "my-weights--v2"
    assert made.manifest["commercial"] is False
    assert made.manifest["licences"]["weights"].startswith("research and personal use only")
    assert made.manifest["mel"]["lead"] == (-1 if run == "wav2lip" else 0)
    assert made.manifest["provenance"]["read_from"]["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert made.check() == 0
    card = made.read("README.md").decode()
    assert "Not ours: the weights are those of the file" in card
    assert "A toy" not in card


def test_what_is_brought_for_another_run_or_runs_code_is_refused_in_one_line(data):
    expert = brought(Path("lipsync_expert.pth"), "syncnet")
    with pytest.raises(
        UserError, match=r"holds a sync expert of .*, expected a generator of .* in 352 entries"
    ) as caught:
        without_graph("wav2lip", f"init={expert}")
    assert "\n" not in str(caught.value)
    torch.save({"state_dict": {"a": torch.nn.Linear(2, 2)}}, "foreign.pth")
    with pytest.raises(UserError, match="could run code"):
        without_graph("wav2lip", "init=foreign.pth")
    assert not Path("data/exported").exists()


def test_what_does_not_belong_to_the_run_is_refused_in_one_line(data):
    with pytest.raises(UserError, match="trained in world=demo, not in real"):
        without_graph("wav2lip", "world=real")
    write_run(data, "wav2lip", data={"fingerprint": "other"})
    with pytest.raises(UserError, match="not the pack that the generator was trained on"):
        without_graph("wav2lip")
    shutil.rmtree(data / "processed")
    with pytest.raises(UserError, match=r"run python -m preprocessing\.sync corpus=talks first"):
        without_graph("wav2lip")


def test_a_run_that_is_absent_incomplete_or_failed_is_refused_in_one_line(data):
    file = data / "runs/syncnet/expert.safetensors"
    state = load_file(file)
    broken = state | {"audio_encoder.0.conv_block.0.bias": state["audio_encoder.0.conv_block.0.bias"] * torch.nan}
    file.write_bytes(save(broken))
    with pytest.raises(UserError, match=r"audio_encoder\.0\.conv_block\.0\.bias holds values that are not finite"):
        without_graph("syncnet")
    del broken["audio_encoder.0.conv_block.0.bias"]
    file.write_bytes(save(broken))
    with pytest.raises(UserError, match=r"not of its run\.json: 1 missing"):
        without_graph("syncnet")
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(UserError, match="no whole run"):
        without_graph("syncnet")
    (data / "runs/syncnet/run.json").write_text('{"corpus": "talks"}')
    with pytest.raises(UserError, match="world: field required"):
        without_graph("syncnet")
    shutil.rmtree(data / "runs")
    with pytest.raises(UserError, match=r"run python -m training\.train run=syncnet corpus=talks first"):
        without_graph("syncnet")


def trained(run: str, *overrides: str) -> dict:
    """Train two steps; gives what the run says of itself."""
    few = [f"{run}.width={WIDTH}", f"{run}.steps=2", f"{run}.batch=2", f"{run}.held_out={{count: 2, batch: 2}}"]
    words = [f"run={run}", "corpus=talks", "profile=tiny", "trainer=cpu", "trainer.threads=1", "wandb.mode=disabled"]
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose("training/train", [*words, *few, *overrides])
    train.main(config)
    return json.loads(Path("data/runs", config[run].name, "run.json").read_text())


def test_what_is_trained_is_exported_teaches_and_is_trained_on(tmp_path, monkeypatch, drawn_talks):
    monkeypatch.chdir(tmp_path)
    for place in PACKS.values():
        shutil.copytree(drawn_talks, tmp_path / "data" / place / "talks")
    trained("syncnet")
    expert = without_graph("syncnet")
    trained("wav2lip", "wav2lip.expert=data/exported/syncnet")
    made = without_graph("wav2lip")
    assert made.manifest["expert"] == {"name": "syncnet", "sha256": expert.manifest["files"][bundle.MODEL]}
    again = trained("wav2lip", "wav2lip.name=again", "wav2lip.start=data/exported/lipsync")
    assert again["started_from"]["sha256"] == made.manifest["files"][bundle.MODEL]
    assert again["started_from"]["licence"] == made.manifest["licences"]["weights"] == "Apache-2.0"


def test_golden_inputs_are_drawn_alike_each_time_and_differ_among_themselves():
    settings = exhibits.Drawn(count=2, seed=1)
    (mel, pictures), (again, _) = exhibits.drawn(settings), exhibits.drawn(settings)
    assert torch.equal(mel, again)
    assert (mel.shape, pictures.shape) == ((2, 80, 16), (2, 5, 96, 96, 3))
    assert -4 <= mel.min() < mel.max() <= 4
    assert not torch.equal(pictures[:, 0], pictures[:, 1])
    assert not torch.equal(pictures[0], pictures[1])


@pytest.mark.parametrize(("width", "run"), [(1.0, "wav2lip"), (0.25, "syncnet"), (0.25, "wav2lip")])
def test_the_width_of_a_network_is_read_off_its_weights(width, run):
    with torch.device("meta"):
        state = NETWORKS[run][1](Wav2LipConfig(width)).state_dict()
    assert starting.width_of(state, describing.KINDS[run].task) == width
    assert starting.width_of({}, describing.KINDS[run].task) == 1.0
