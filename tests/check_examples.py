"""Texts of small plug-ins, sound or with one fault, for the tests of the check."""

from textwrap import dedent, indent

METHOD = """
from dataclasses import dataclass
from typing import ClassVar
import torch
import graphprune
from graphprune import Result, prunable

@dataclass(frozen=True)
class Mine(graphprune.Method):
    name: ClassVar[str] = "mine"
    paper: ClassVar[str] = "none"
{attributes}
    def run(self, model, inputs=None, targets=None):
        scores = {{name: w.detach().abs() for name, w in prunable(model).items()}}
{body}
        return Result(scores)
"""
NETWORK = """
import torch
from torch import nn
import graphprune

@graphprune.register_model("net"{misfit})
def build(input_shape, num_classes):
    features = input_shape[0] * input_shape[1] * input_shape[2]
    layers = [nn.Flatten(), nn.Linear(features, 6), nn.ReLU(), nn.Linear(6, num_classes)]
{body}
    return nn.Sequential(*layers)
"""
DATASET = """
import numpy as np
import graphprune

@graphprune.register_dataset("mine", input_shape=(1, 4, 4), num_classes=2)
def load(folder):
    images, labels = np.zeros((20, 1, 4, 4), np.uint8), np.arange(20) % 2
    test = np.ones((10, 1, 4, 4), np.uint8), np.arange(10) % 2
{body}
    return {{"train": (images, labels), "test": test}}
"""


def method(body="", attributes=""):
    return METHOD.format(
        body=indent(dedent(body).strip(), " " * 8), attributes=indent(dedent(attributes), " " * 4)
    )


def network(body="", misfit=""):
    return NETWORK.format(body=indent(dedent(body).strip(), " " * 4), misfit=misfit)


def dataset(body=""):
    return DATASET.format(body=indent(dedent(body).strip(), " " * 4))


def assert_one_fault(outcome, what, sentence):
    status, lines = outcome
    assert status == 1
    assert len(lines) == 2, lines
    assert lines[0].startswith(f"{what}: {sentence}")
    assert lines[1].startswith(f"{what}: not usable, ")
