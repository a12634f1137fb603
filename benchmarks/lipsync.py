"""Measure lip-sync: the generator alone, and a 720p video end to end, against the reference in the same run.

    python -m benchmarks.lipsync --json
    python -m benchmarks.lipsync --json --reference ~/Wav2Lip      # its checkout: its networks and its way to run them
    python -m benchmarks.lipsync --width 0.25 --device cuda

Ours and the reference are processes of their own, so that neither has the other's allocator settings, and take turns
round by round; the least time of each counts, for others use the machine too. Without a checkout the baseline is the
same network unfolded, in PyTorch's default layout, in batches of 128, as the reference runs it. Weights are random:
speed does not depend on them. The floor is what the arithmetic alone takes at the rate of a large matrix product.

End to end is decode, detect, draw, lay in, encode, of a rendered person who sways in a 1280x720 video; every stage is
also timed alone, on one thread. The reference's end to end is put together from its parts, each timed alone, on the
same frames: its detector (random weights, if s3fd.pth is not there) and generator; decoding and encoding are left out.
"""

import argparse
import json
import multiprocessing
import os
import resource
import sys
import tempfile
import time
import wave
from collections.abc import Callable
from fractions import Fraction
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

FPS = Fraction(25)
WIDTH, HEIGHT = 1280, 720
FACE = 300  # pixels of the picture put into the video
PRODUCT = 2048  # edge of the matrices whose product gives the machine's rate
REFERENCE_BATCH = 128
DETECTED = 2  # frames that the reference's detector is timed on: seconds each
PREVIEW = Path(__file__).resolve().parents[1] / "data" / "starters" / "portrait" / "preview.png"


def seconds_of(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def least(work: Callable[[], object], rounds: int) -> float:
    return min(seconds_of(work) for _ in range(rounds + 1))


# -- what is filmed and said -------------------------------------------------------------------------------------------


def scene(number: int, face: np.ndarray) -> np.ndarray:
    """A person who sways before a ground of some detail."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    ground = (np.sin(x / 37) * np.cos(y / 23) * 40 + 120).astype(np.uint8)
    picture = np.repeat(ground[:, :, None], 3, 2)
    left = round(WIDTH / 2 - FACE / 2 + 60 * np.sin(number / 12))
    top = round(HEIGHT / 2 - FACE / 2 + 20 * np.sin(number / 17))
    picture[top : top + FACE, left : left + FACE] = face
    return picture


def film(folder: Path, seconds: float) -> tuple[Path, Path]:
    """Write the video and a sound with pauses."""
    from PIL import Image

    from inference import video

    face = np.array(
        Image.open(PREVIEW).convert("RGB").crop((0, 0, 64, 64)).resize((FACE, FACE), Image.Resampling.LANCZOS)
    )
    clip, said = folder / "face.mp4", folder / "said.wav"
    with video.Writer(clip, WIDTH, HEIGHT, FPS) as writer:
        for number in range(round(seconds * FPS)):
            writer.write(scene(number, face))
    times = np.arange(round(seconds * 16000)) / 16000
    samples = 0.3 * np.sin(2 * np.pi * (150 + 40 * np.sin(times * 3)) * times) * (np.sin(times * 4) > -0.5)
    with wave.open(str(said), "wb") as stream:
        stream.setparams((1, 2, 16000, 0, "NONE", ""))
        stream.writeframes((samples * 32767).astype("<i2").tobytes())
    return clip, said


# -- ours --------------------------------------------------------------------------------------------------------------


def network(width: float) -> Any:
    import torch

    from inference.networks.wav2lip import Generator, Wav2LipConfig

    torch.manual_seed(0)
    return Generator(Wav2LipConfig(width)).eval().requires_grad_(False)


def inputs(batch: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    mel = rng.uniform(-4, 4, (batch, 80, 16)).astype(np.float32)
    return [mel, *rng.integers(0, 256, (2, batch, 96, 96, 3), dtype=np.uint8)]


def ours(words: argparse.Namespace, link: Connection) -> None:
    """Answer with the seconds that each asked-for piece of work took."""
    import torch

    from inference import mouths

    if words.threads:
        torch.set_num_threads(words.threads)
    made = network(words.width)
    drawers = {precision: mouths.torch_drawer(made, precision, words.device) for precision in mouths.PRECISIONS}
    given = inputs(words.batch)
    for what in iter(link.recv, None):
        if what in drawers:
            link.send(seconds_of(lambda what=what: drawers[what](*given)) / words.batch)
        elif what == "end to end":
            link.send(end_to_end(words, drawers[words.precision]))
        elif what == "floor":
            link.send(floor(words, made, given))
        else:
            link.send(stages(words, drawers))


def end_to_end(words: argparse.Namespace, draw: Callable) -> dict[str, float]:
    """Make the video from files to a file, faces found anew."""
    from inference import footage, lipsync, prepared, video, voice
    from inference.soundtrack import Soundtrack

    folder = Path(words.folder)
    started, worked = time.perf_counter(), time.process_time()
    seen, said = footage.load(folder / "face.mp4"), voice.hear(folder / "said.wav")
    found = prepared.prepare(seen, said.frames(seen.fps), cached=False)
    prepared_after = time.perf_counter() - started
    take = lipsync.Take(seen, found, said, draw)
    sound = Soundtrack(said.path)
    with video.Writer(folder / "made.mp4", seen.width, seen.height, seen.fps, sound) as writer:
        for picture in take.pictures():
            writer.write(picture)
    took = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "frames": take.frames,
        "seconds": took,
        "frames_per_second": take.frames / took,
        "core_ms_per_frame": 1e3 * (time.process_time() - worked) / take.frames,
        "frames_per_second_prepared": take.frames / (took - prepared_after),
        "without_face": len(take.missed),
        "peak_rss_mb": peak,
    }


def stages(words: argparse.Namespace, drawers: dict[str, Callable]) -> dict[str, float]:
    """Time each stage alone on some frames: milliseconds of processor time a frame."""
    import torch

    from inference import audio, paste, tracks, video
    from inference.faces import FaceDetector
    from inference.prepared import EVERY, SIZES

    folder, count = Path(words.folder), 50
    torch.set_num_threads(1)
    pictures = list(video.frames(folder / "face.mp4", FPS, count=count))
    detector = FaceDetector(longest=SIZES)
    boxes = [tracks.framing(detector.detect(picture)[0]) for picture in pictures]
    crops = [tracks.crop(picture, box) for picture, box in zip(pictures, boxes, strict=True)]
    rest = np.stack(crops[:1] * words.batch)
    given = inputs(words.batch)

    def write() -> None:
        with video.Writer(folder / "stage.mp4", WIDTH, HEIGHT, FPS) as writer:
            for picture in pictures:
                writer.write(picture)

    def every(work: Callable) -> Callable[[], None]:
        return lambda: [work(*each) for each in zip(pictures, boxes, crops, strict=True)] and None

    work = {
        "decode": (lambda: list(video.frames(folder / "face.mp4", FPS, count=count)), count),
        "detect, one frame of some": (every(lambda picture, *_: detector.detect(picture)), count * EVERY),
        "crop": (every(lambda picture, box, _: tracks.crop(picture, box)), count),
        "lay in": (every(lambda picture, box, crop: paste.paste(picture, box, crop, crop)), count),
        "encode": (write, count),
        "mel, of a frame's sound": (lambda: audio.mel(audio.decode(folder / "said.wav", 0, count / 25)), count),
        **{
            f"draw, {precision}": (lambda draw=draw: draw(given[0], rest, rest), words.batch)
            for precision, draw in drawers.items()
        },
    }
    return {name: round(1e3 * cpu(task, words.rounds) / frames, 3) for name, (task, frames) in work.items()}


def cpu(work: Callable[[], object], rounds: int) -> float:
    """Measure processor time: it does not grow while others hold the cores."""
    best = float("inf")
    for _ in range(rounds + 1):
        started = time.process_time()
        work()
        best = min(best, time.process_time() - started)
    return best


def floor(words: argparse.Namespace, made: Any, given: list[np.ndarray]) -> dict[str, float]:
    """Count the operations of a frame and measure the rate of a matrix product, in float32 and bfloat16."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from inference import mouths

    with FlopCounterMode(display=False) as counter:
        mouths.torch_drawer(made, "exact", "cpu")(*given)
    operations = counter.get_total_flops() / words.batch
    found = {"gflop_per_frame": operations / 1e9}
    for name, kind in (("exact", torch.float32), ("fast", torch.bfloat16 if words.device == "cpu" else torch.float16)):
        a = torch.randn(PRODUCT, PRODUCT, device=words.device).to(kind)

        def product(a: torch.Tensor = a) -> None:
            a @ a
            if words.device == "cuda":
                torch.cuda.synchronize()

        found[f"frames_per_second_{name}"] = 2 * PRODUCT**3 / least(product, words.rounds) / operations
    return found


# -- the reference -----------------------------------------------------------------------------------------------------


def baseline(words: argparse.Namespace, link: Connection) -> None:
    """Run the reference's generator as its inference does, from a checkout or in our own words."""
    import torch

    if words.threads:
        torch.set_num_threads(words.threads)
    made = network(words.width) if words.reference is None else of_checkout(words.reference)
    made = made.to(words.device).eval()
    batch = REFERENCE_BATCH
    mel, target, reference = inputs(batch)

    def draw() -> None:
        """Prepare, infer and paste a batch, in floats of 64 bits and batches of 128, as published."""
        masked = target.copy()
        masked[:, 48:] = 0
        faces = np.concatenate((masked, reference), axis=3) / 255.0
        faces = torch.FloatTensor(np.transpose(faces, (0, 3, 1, 2))).to(words.device)
        with torch.no_grad():
            drawn = made(torch.FloatTensor(mel[:, None]).to(words.device), faces)
        (drawn.cpu().numpy().transpose(0, 2, 3, 1) * 255.0).astype(np.uint8)

    for what in iter(link.recv, None):
        if what == "draw":
            link.send(seconds_of(draw) / batch)
        else:
            link.send(detection(words))


def of_checkout(folder: str) -> Any:
    sys.path.append(folder)  # behind ours: it has an `inference` of its own
    from models import Wav2Lip

    return Wav2Lip()


def detection(words: argparse.Namespace) -> dict[str, Any] | None:
    """Time the reference's detector on frames of the video: its network and what it does with the scores."""
    if words.reference is None:
        return None
    import torch

    from inference import video

    sys.path.append(words.reference)
    from face_detection.detection.sfd.net_s3fd import s3fd

    weights = Path(words.reference) / "face_detection" / "detection" / "sfd" / "s3fd.pth"
    detector = s3fd().eval()
    if weights.is_file():
        detector.load_state_dict(torch.load(weights, weights_only=True))
    detector.to(words.device)
    pictures = np.stack(list(video.frames(Path(words.folder) / "face.mp4", FPS, count=DETECTED)))
    batch = torch.from_numpy(
        pictures[..., ::-1].transpose(0, 3, 1, 2) - np.array([[[[104]], [[117]], [[123]]]])
    ).float()
    with torch.no_grad():
        took = min(seconds_of(lambda: detector(batch.to(words.device))) for _ in range(2)) / DETECTED
    return {"seconds_per_frame": took, "random_weights": not weights.is_file()}


# -- measuring ---------------------------------------------------------------------------------------------------------


def measure(words: argparse.Namespace) -> dict[str, Any]:
    start = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        words.folder = folder
        film(Path(folder), words.seconds)
        links = {}
        for name, worker in (("ours", ours), ("reference", baseline)):
            links[name], theirs = start.Pipe()
            start.Process(target=worker, args=(words, theirs), daemon=True).start()
            theirs.close()  # where the other side dies, the next answer is an error

        def ask(name: str, what: str) -> Any:
            links[name].send(what)
            return links[name].recv()

        rounds: dict[str, list[float]] = {"exact": [], "fast": [], "reference": []}
        for turn in range(words.rounds + 1):
            for kind in rounds:
                took = ask("reference", "draw") if kind == "reference" else ask("ours", kind)
                if turn:
                    rounds[kind].append(took)
        whole = [ask("ours", "end to end") for _ in range(words.takes)]
        found = ask("reference", "detect")
        at_most = ask("ours", "floor")
        alone = ask("ours", "stages")
        for link in links.values():
            link.send(None)
    rate = {kind: 1 / min(took) for kind, took in rounds.items()}
    best = max(whole, key=lambda take: take["frames_per_second"])
    told = {
        "generator": f"width {words.width:g}, 96x96, batch {words.batch} against {REFERENCE_BATCH}",
        "reference": words.reference or "the same network, unfolded, as the reference runs it",
        "device": words.device,
        "threads": words.threads or os.cpu_count(),
        "rounds": words.rounds,
        "generator_frames_per_second": rate,
        "ratio": {kind: rate[kind] / rate["reference"] for kind in ("exact", "fast")},
        "floor": at_most | {"share_of_floor_exact": rate["exact"] / at_most["frames_per_second_exact"]},
        "end_to_end": {"video": f"{WIDTH}x{HEIGHT}", "precision": words.precision} | best,
        "stages_ms_of_one_core": alone,
    }
    if found:
        a_frame = found["seconds_per_frame"] + 1 / rate["reference"]
        told["reference_end_to_end"] = found | {"frames_per_second_at_most": 1 / a_frame}
        told["end_to_end"]["ratio"] = best["frames_per_second"] * a_frame
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=float, default=1.0, help="of the generator: 1 is the published one")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--precision", choices=["exact", "fast"], default="exact", help="of the video")
    parser.add_argument("--seconds", type=float, default=8.0, help="of the video")
    parser.add_argument("--takes", type=int, default=2, help="times that the video is made; the best counts")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--reference", metavar="DIR", help="a checkout of the published code")
    parser.add_argument("--json", action="store_true")
    found = measure(parser.parse_args())
    if found and "--json" in sys.argv:
        print(json.dumps(found, indent=1))
        return
    for kind, rate in found["generator_frames_per_second"].items():
        print(f"{kind:>9}: {rate:7.1f} faces/s")
    whole = found["end_to_end"]
    print(f"    ratio: {found['ratio']['exact']:.2f} exact, {found['ratio']['fast']:.2f} fast")
    print(f"    video: {whole['frames_per_second']:.1f} frames/s of {whole['video']}, {whole['peak_rss_mb']:.0f} MB")
    print("   stages: " + ", ".join(f"{name} {ms:g} ms" for name, ms in found["stages_ms_of_one_core"].items()))


if __name__ == "__main__":
    main()
