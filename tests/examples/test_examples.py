"""The examples are what their pages say, and pass the check. tests/workflow runs the comparison."""

from collections import Counter

import numpy as np
import pytest
import torch
from planned_jobs import planned
from sklearn.datasets import load_sample_image
from torch import nn

import graphprune
from graphprune import check, data, plugins
from graphprune.models import build


@pytest.fixture(autouse=True)
def _alone():
    with plugins.only_plugins([]):
        yield


@pytest.fixture
def examples(root):
    return root / "examples"


@pytest.mark.parametrize(
    ("file", "what"),
    [
        ("method.py", "method active_inputs"),
        ("network.py", "model small_cnn"),
        ("dataset.py", "dataset photo_tiles"),
    ],
)
def test_an_example_passes_the_check_and_is_a_page_long(examples, capsys, file, what):
    assert check.main([str(examples / file)]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{what}: ok, ")
    assert (examples / file).read_text().count("\n") <= 66


def test_the_method_scores_by_weight_and_activity(examples):
    graphprune.load_plugin(examples / "method.py")
    convolution, linear = nn.Conv2d(4, 6, 3, groups=2), nn.Linear(6 * 4 * 4, 3)
    model = nn.Sequential(convolution, nn.ReLU(), nn.Flatten(), linear).eval()
    inputs = torch.randn(7, 4, 6, 6)
    scores = graphprune.score(model, "active_inputs", inputs, power=2.0)
    hidden = model[:3](inputs)
    for feature in (0, 40, 95):
        mean_square = (hidden[:, feature] ** 2).sum() / 7
        expected = linear.weight[:, feature].abs() * mean_square
        torch.testing.assert_close(scores["3.weight"][:, feature], expected)
    for output, channel in ((0, 0), (2, 1), (3, 0), (5, 1)):
        # the first three outputs see the first two channels, the others the last two
        seen = inputs[:, 2 * (output // 3) + channel]
        expected = convolution.weight[output, channel].abs() * (seen**2).sum() / (7 * 36)
        torch.testing.assert_close(scores["0.weight"][output, channel], expected)


def test_without_the_plugin_its_names_are_unknown(examples):
    with pytest.raises(graphprune.UserError, match=r"method is 'active_inputs'; allowed: .*"):
        graphprune.score(nn.Linear(2, 2), "active_inputs")
    graphprune.load_plugin(examples / "network.py")
    assert build("small_cnn", (3, 16, 16), 2)(torch.rand(1, 3, 16, 16)).shape == (1, 2)
    assert build("small_cnn", (1, 8, 8), 2, channels=5)[0].out_channels == 5
    with pytest.raises(graphprune.UserError, match=r"channels is 0; allowed: >= 1"):
        build("small_cnn", (1, 8, 8), 2, channels=0)
    with pytest.raises(graphprune.UserError, match="it needs images of at least 4x4 pixels"):
        build("small_cnn", (1, 3, 8), 2)


def test_the_tiles_are_those_of_the_photographs_and_no_pixel_is_in_two(examples):
    graphprune.load_plugin(examples / "dataset.py")
    tiles = data.load("photo_tiles")
    assert [len(split) for split in (tiles.train, tiles.validation, tiles.test)] == [1498, 166, 416]
    assert tiles.classes == ("china", "flower")
    flower = load_sample_image("flower.jpg")
    # row 3 of the first tested column, number 4; the photograph of China is before it
    image = tiles.test.images[208 + 3]
    expected = flower[48:64, 64:80].transpose(2, 0, 1) / np.float32(255)
    np.testing.assert_array_equal(image.numpy(), expected)
    assert tiles.test.labels[208 + 3] == 1
    every = torch.cat([split.images for split in tiles.splits().values()])
    means = [photo[:416, :640].mean() / 255 for photo in (load_sample_image("china.jpg"), flower)]
    assert float(every.mean()) == pytest.approx(np.mean(means), abs=1e-5)


def test_the_comparison_is_planned(root, tmp_path):
    config = ["--configfile", str(root / "examples/comparison.yaml")]
    jobs = Counter(job.rule for job in planned(root, tmp_path, *config))
    assert jobs["data"] == jobs["train"] == 1
    # three methods, each at all ratios in one process
    assert jobs["score"] == jobs["evaluate"] == 3
    assert not (tmp_path / "results").exists()
