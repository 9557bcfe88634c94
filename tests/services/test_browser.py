"""The record seen in headless Chromium: `make ui` after a small run of the real workflow."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import yaml
from mlflow import MlflowClient
from playwright.sync_api import Browser, Page, expect, sync_playwright
from services.conftest import free_port

from graphprune.tracking.server import answers
from graphprune.tracking.view import FILTER, ORDER, path

EXPERIMENT = "seen"
PARENT = "digits/mlp/seed0"
# what the browser would fetch from the network by itself stays off
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-component-update",
    "--disable-background-networking",
    "--disable-sync",
]
# the panel that opens by itself on the first visit
NO_ASSISTANT = """
localStorage.setItem('mlflow.assistant.panelOpen_v1', 'false');
localStorage.setItem('mlflow.assistant.fab.autoOpenedOnFirstLoad_v1', 'true');
"""
WAIT = 90_000


@pytest.fixture(scope="module")
def config(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The configuration of a finished small run."""
    folder = tmp_path_factory.mktemp("seen")
    settings = {
        "experiment": EXPERIMENT,
        "results": str(folder / "results"),
        "networks": [{"dataset": "digits", "model": "mlp"}],
        "seeds": [0],
        "compressions": [2, 8],
        "train": {"epochs": 8},
        "finetune": {"epochs": 2},
        "methods": {"magnitude": {}, "random": {}},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(settings))
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(root / "Snakefile")]
    command += ["--directory", str(folder), "--configfile", str(folder / "config.yaml")]
    environment = {**os.environ, "MLFLOW_TRACKING_URI": ""}
    done = subprocess.run(
        [*command, "--cores", "2"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder / "config.yaml"


@pytest.fixture(scope="module")
def client(config: Path) -> MlflowClient:
    return MlflowClient(f"sqlite:///{config.parent}/results/mlflow.db")


@pytest.fixture(scope="module")
def experiment(client: MlflowClient) -> str:
    return client.get_experiment_by_name(EXPERIMENT).experiment_id


@pytest.fixture(scope="module")
def address(root: Path, config: Path) -> Iterator[str]:
    """Where `make ui` answers."""
    port = free_port()
    log = (config.parent / "ui.log").open("w")
    process = subprocess.Popen(
        ["make", "ui", f"CONFIG={config}", f"PORT={port}"],
        cwd=root, start_new_session=True, stdout=log, stderr=log,
        env={key: value for key, value in os.environ.items() if key != "MLFLOW_TRACKING_URI"},
    )  # fmt: skip
    end = time.monotonic() + 180
    while not answers(f"http://127.0.0.1:{port}"):
        assert process.poll() is None, Path(log.name).read_text()
        assert time.monotonic() < end
        time.sleep(0.3)
    yield f"http://127.0.0.1:{port}"
    os.killpg(process.pid, signal.SIGTERM)
    process.wait(30)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=QUIET)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of a visitor who has not been here before."""
    context = browser.new_context(viewport={"width": 1600, "height": 1000})
    context.add_init_script(NO_ASSISTANT)
    context.set_default_timeout(WAIT)
    expect.set_options(timeout=WAIT)
    yield context.new_page()
    context.close()


@pytest.fixture
def screenshot(root: Path, page: Page):
    """Saves what the page shows as ``screenshots/NAME.png``."""
    folder = root / "screenshots"
    folder.mkdir(exist_ok=True)
    return lambda name: page.screenshot(path=folder / f"{name}.png")


def run_names(page: Page) -> list[str]:
    """Names in the table of runs, from top to bottom."""
    links = page.locator('[col-id="attributes.`Run Name`"] a')
    found = links.evaluate_all(
        "links => links.map(link => [link.getBoundingClientRect().top, link.innerText.trim()])"
    )
    return [name for _, name in sorted(found)]


def expand(page: Page) -> None:
    """Show the children of the dense network's run."""
    link = page.get_by_role("link", name=PARENT, exact=True)
    expect(link).to_be_visible()
    page.get_by_role("gridcell").filter(has=link).get_by_role("button").first.click()
    expect(page.get_by_role("link", name="magnitude x2", exact=True)).to_be_visible()


def wait_for_names(page: Page, expected: list[str]) -> None:
    end = time.monotonic() + WAIT / 1000
    while run_names(page) != expected:
        assert time.monotonic() < end, run_names(page)
        page.wait_for_timeout(200)


def test_the_experiment_opens_and_its_runs_are_nested(
    page: Page, address: str, experiment: str, screenshot
) -> None:
    page.goto(f"{address}/#/experiments")
    page.get_by_text("Model training").first.click()
    page.get_by_role("link", name=EXPERIMENT, exact=True).first.click()
    expect(page).to_have_url(re.compile(rf"#/experiments/{experiment}"))
    expect(page.get_by_role("link", name=PARENT, exact=True)).to_be_visible()
    assert sorted(run_names(page)) == ["comparison", PARENT]
    expand(page)
    assert sorted(run_names(page)) == sorted(
        ["comparison", PARENT, "magnitude x2", "magnitude x8", "random x2", "random x8"]
    )
    screenshot("nested-runs")


def test_sorting_by_accuracy_works(
    page: Page, address: str, experiment: str, client: MlflowClient, screenshot
) -> None:
    page.goto(f"{address}/#/experiments/{experiment}/runs?searchFilter={quote(FILTER)}")
    expand(page)
    page.get_by_test_id("sort-select-dropdown").click()
    page.get_by_placeholder("Search").last.fill("accuracy_finetuned")
    page.get_by_text("accuracy_finetuned", exact=True).last.click()
    page.keyboard.press("Escape")
    expect(page).to_have_url(re.compile("orderByKey=metrics"))
    descending = "orderByAsc=true" not in page.url
    order = [f"{ORDER} {'DESC' if descending else 'ASC'}"]
    runs = client.search_runs([experiment], FILTER, order_by=order)
    assert len({run.data.metrics["accuracy_finetuned"] for run in runs}) > 1
    # sorted, the table is flat
    wait_for_names(page, [run.info.run_name for run in runs])
    screenshot("sorted-by-accuracy")


def open_artifacts(page: Page, address: str, experiment: str, run_id: str, folder: str) -> None:
    page.goto(f"{address}/#/experiments/{experiment}/runs/{run_id}")
    page.get_by_role("tab", name="Artifacts").or_(page.get_by_text("Artifacts")).first.click()
    page.get_by_text(folder, exact=True).first.click()


def test_a_figure_is_displayed_with_the_dense_network(
    page: Page, address: str, experiment: str, client: MlflowClient, screenshot
) -> None:
    (run,) = client.search_runs([experiment], f"tags.`graphprune.unit` = '{PARENT}'")
    open_artifacts(page, address, experiment, run.info.run_id, "comparison")
    page.get_by_text("accuracy_finetuned.png", exact=True).first.click()
    image = page.locator("img[src^='blob:'], .image-container img, [class*=image] img").first
    expect(image).to_be_visible()
    end = time.monotonic() + WAIT / 1000
    while image.evaluate("image => image.naturalWidth") < 300:
        assert time.monotonic() < end
        page.wait_for_timeout(200)
    screenshot("figure-of-the-comparison")


def test_a_childs_model_is_described(
    page: Page, address: str, experiment: str, client: MlflowClient, screenshot
) -> None:
    (run,) = client.search_runs([experiment], "tags.method = 'random' and tags.compression = '8.0'")
    open_artifacts(page, address, experiment, run.info.run_id, "model")
    page.get_by_text("MLmodel", exact=True).first.click()
    expect(page.get_by_text("graphprune.serving").first).to_be_visible()
    page.get_by_text("data", exact=True).first.click()
    for name in ("finetuned.safetensors", "mask.safetensors"):
        expect(page.get_by_text(name, exact=True).first).to_be_visible()
    screenshot("model-of-a-unit")


def test_the_saved_view_plots_accuracy_against_compression(
    page: Page, address: str, experiment: str, client: MlflowClient, screenshot
) -> None:
    page.goto(f"{address}/{path(experiment)}")
    plot = page.locator(".js-plotly-plot").filter(has_text="accuracy_finetuned").first
    plot.locator(".point").first.wait_for()
    traces, axes = plot.evaluate(
        "plot => [plot.data.map(trace => [trace.x, trace.y].map(v => Array.from(v))),"
        " [plot.layout.xaxis.title.text, plot.layout.yaxis.title.text]]"
    )
    assert axes == ["compression_achieved", "accuracy_finetuned"]
    drawn = {(x, y) for xs, ys in traces for x, y in zip(xs, ys, strict=True)}
    runs = client.search_runs([experiment], FILTER)
    assert drawn == {(run.data.metrics[axes[0]], run.data.metrics[axes[1]]) for run in runs}
    page.locator(".js-plotly-plot .scatterlayer .lines").first.wait_for(state="attached")
    screenshot("comparison")
