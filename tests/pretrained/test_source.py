"""What a checkpoint's text names."""

from __future__ import annotations

import pytest

from graphprune.pretrained.source import Source


@pytest.mark.parametrize(
    ("text", "kind", "name", "in_paths"),
    [
        ("weights:A_Weights.V1", "torchvision", "A_Weights.V1", "weights-A_Weights.V1"),
        ("timm:hf/a.b", "timm", "hf/a.b", "timm-hf-a.b"),
        ("nets/a.pt", "file", "nets/a.pt", "nets-a.pt"),
    ],
)
def test_a_text_is_a_file_or_published_weights(text, kind, name, in_paths) -> None:
    source = Source.of(text)
    assert (source.kind, source.name) == (kind, name)
    assert source.text == text
    assert source.in_paths == in_paths
    assert source.published == (kind != "file")
