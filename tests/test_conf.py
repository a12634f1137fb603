"""Every YAML composes, and DVC tracks exactly what a stage reads."""

from itertools import product
from pathlib import Path

import pytest
import yaml
from hydra import compose, initialize_config_dir

ROOT = Path(__file__).resolve().parents[1]
CONF = ROOT / "conf"
PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
CORPORA = yaml.safe_load((ROOT / "params.yaml").read_text())["corpora"]
WORLDS = [file.stem for file in sorted((CONF / "world").glob("*.yaml"))]
OF_A_TRAINING = {"run", "trainer", "wandb", "max_kimg", "init"}  # which, where, watched by whom, and by hand
BY_HAND = {"dance_gan", "evaluate_dance_gan"}  # trained to compare with, and no part of `dvc repro`
PROFILES = [file.stem for file in sorted((CONF / "profile").glob("*.yaml"))]


def config_of(stage: str) -> str:
    """`python -m scraping.demo ...` is configured by scraping/demo."""
    return PIPELINE[stage]["cmd"].split()[2].replace(".", "/")


def composed(stage: str, *overrides: str):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose(config_of(stage), overrides=list(overrides), return_hydra_config=True)


def overrides_of(stage: str, **values: str) -> list[str]:
    """Give the stage's own command line its values, as DVC does."""
    words = PIPELINE[stage]["cmd"].split()[3:]
    for name, value in values.items():
        words = [word.replace(f"${{item.{name}}}", value).replace(f"${{{name}}}", value) for word in words]
    return words


@pytest.mark.parametrize(("stage", "corpus", "world", "profile"), list(product(PIPELINE, CORPORA, WORLDS, PROFILES)))
def test_every_stage_composes_and_holds_its_settings_under_its_own_name(stage, corpus, world, profile):
    config = composed(stage, *overrides_of(stage, corpus=corpus, world=world, profile=profile))
    assert set(config) - {"hydra", "corpus", "world", "profile"} - OF_A_TRAINING - BY_HAND <= set(PIPELINE)
    assert config[stage]
    assert config.profile == profile


@pytest.mark.parametrize("stage", PIPELINE)
def test_dvc_tracks_what_a_stage_reads_whole_and_of_shared_yamls_its_own_key(stage):
    config = composed(stage, *overrides_of(stage, corpus="portrait", world="demo", profile="tiny"))
    groups = {name: choice for name, choice in config.hydra.runtime.choices.items() if choice and "/" not in name}
    speaking = {group for group, choice in groups.items() if stage in loaded(CONF / group / f"{choice}.yaml")}
    tracked = {name: keys for entry in PIPELINE[stage]["params"] for name, keys in entry.items()}
    assert tracked.pop(f"conf/{config_of(stage)}.yaml") is None
    assert {name.split("/")[1]: keys for name, keys in tracked.items()} == {group: [stage] for group in speaking}


@pytest.mark.parametrize("group", ["corpus", "profile", "world"])
def test_the_options_of_a_group_speak_to_the_same_stages(group):
    """DVC names the YAML by its option: a key that only some options have would be a missing parameter in others."""
    options = CORPORA if group == "corpus" else [file.stem for file in (CONF / group).glob("*.yaml")]
    spoken = {frozenset(set(loaded(CONF / group / f"{option}.yaml")) & set(PIPELINE)) for option in options}
    assert len(spoken) == 1


@pytest.mark.parametrize("profile", PROFILES)
def test_a_card_names_the_seeds_that_were_rendered(profile):
    people = composed("demo", "corpus=portrait", f"profile={profile}").demo
    told = composed("export", "corpus=portrait", f"profile={profile}").export.people
    assert told == f"{people.people} people from seed {people.first_seed} on"


@pytest.mark.parametrize("file", sorted(CONF.rglob("*.yaml")), ids=lambda file: str(file.relative_to(CONF)))
def test_no_parameter_has_a_name_that_dvc_forgets(file):
    """DVC's run cache drops the keys `size` and `nfiles` at any depth and then restores stale outputs."""
    assert not {"size", "nfiles"} & set(keys_of(yaml.safe_load(file.read_text())))


def loaded(file: Path) -> dict:
    return yaml.safe_load(file.read_text())


def keys_of(node) -> list[str]:
    if isinstance(node, dict):
        return [key for name, value in node.items() for key in [name, *keys_of(value)]]
    return [key for value in node for key in keys_of(value)] if isinstance(node, list) else []
