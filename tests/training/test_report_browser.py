"""The report page and the plots in a browser that reaches no host."""

import dataclasses
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

from training.report import __main__ as report
from training.report import plots
from training.report.cast import Cast
from training.report.cleaning import Cleaning
from training.report.pictures import inline
from training.report.talks import Strip, Talking
from training.report.trained import Training

PICTURE = inline(np.zeros((8, 8, 3), np.uint8))


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for flag in ("headless", "no-sandbox", "disable-gpu", "host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"):
        options.add_argument(f"--{flag}")
    driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def page(browser, tmp_path_factory) -> webdriver.Chrome:
    """A page of one corpus with four people and three grids of samples, and of talks, whose section has no command."""
    people = [{"seed": seed, "picture": PICTURE} for seed in (1, 2, 3, 4)]
    command = {"generate": "dramatis generate --bundle portrait --seeds 1-4 --out a.png", "mix": "", "edit": ""}
    cast = Cast(**blank(Cast) | {"people": people, "width": 8, "height": 8, "commands": command})
    samples = [{"kimg": str(kimg), "psi": 1, "picture": PICTURE} for kimg in (0, 5, 10)]
    training = Training(**blank(Training) | {"samples": samples})
    corpus = report.Corpus("portrait", "portraits", Cleaning(**blank(Cleaning)), cast, training, None)
    file = tmp_path_factory.mktemp("page") / "index.html"
    strip = Strip("안녕", "s", [("true", PICTURE)], PICTURE, 5, [])
    talking = Talking(**blank(Talking) | {"strips": [strip], "mouths": None, "published": None, "experts": None})
    file.write_text(report.page([corpus], "demo", "tiny", talking))
    browser.get(file.as_uri())
    return browser


def test_people_that_are_chosen_go_into_the_command(page):
    people, command = (
        page.find_elements(By.CSS_SELECTOR, ".wall button"),
        page.find_element(By.CSS_SELECTOR, ".meet code"),
    )
    people[1].click()
    people[3].click()
    assert command.text == "dramatis generate --bundle portrait --seeds 2,4 --out a.png"
    people[1].click()
    people[3].click()
    assert "--seeds 1-4 " in command.text


def test_the_slider_goes_through_the_samples(page):
    shown = "return [...document.querySelectorAll('.scrubber figure')].filter(f => !f.hidden).map(f => f.innerText)"
    assert page.execute_script(shown) == ["10 kimg, truncation 1"]
    page.execute_script("const range = document.querySelector('.scrubber input'); range.value = 1; range.oninput()")
    assert page.execute_script(shown) == ["5 kimg, truncation 1"]


def test_the_page_is_as_wide_as_a_phone(page):
    page.set_window_size(500, 800)
    assert page.execute_script("return document.documentElement.scrollWidth <= innerWidth")


@pytest.fixture(scope="module")
def plotted(tmp_path_factory) -> Path:
    """The page that `dvc plots show` writes of one plot into our frame."""
    folder = tmp_path_factory.mktemp("plots")
    (folder / "frame.html").write_text(plots.frame())
    (folder / "history.csv").write_text("kimg,loss_g\n0,1.5\n1,1.2\n")
    (folder / "dvc.yaml").write_text("plots:\n- history.csv: {x: kimg, y: loss_g}\n")
    (folder / ".dvc").mkdir()
    (folder / ".dvc/config").write_text("[core]\nno_scm = true\n[plots]\nhtml_template = ../frame.html\n")
    command = [sys.executable, "-m", "dvc", "plots", "show", "-o", "out"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder / "out/index.html"


def test_the_plots_of_dvc_are_drawn(plotted, browser):
    browser.get(plotted.as_uri())
    browser.implicitly_wait(20)
    drawn = browser.find_element(By.CSS_SELECTOR, "#history_csv canvas, #history_csv svg.marks")
    assert drawn.size["height"] > 100


def test_the_plots_of_dvc_load_no_script(plotted):
    assert "<script src=" not in plotted.read_text()


def blank(kind: type) -> dict:
    """Fill a part of the page with nothing."""
    return {field.name: [] for field in dataclasses.fields(kind)}
