"""What the check says of the networks and datasets of a plug-in."""

import pytest
from check_examples import assert_one_fault, dataset, network


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (
            "layers.append(nn.Linear(num_classes, 3))",
            "inputs (1, 8, 8): gives (3, 3) for 3 examples of 5 classes; expected (3, 5)",
        ),
        (
            "layers[1].weight.data = layers[1].weight.data * float('nan')",
            "inputs (1, 8, 8): gives logits that are NaN or infinite",
        ),
        (
            "return nn.Sequential(*layers).double()",
            "inputs (1, 8, 8): RuntimeError: mat1 and mat2 must have the same dtype",
        ),
        (
            "torch.manual_seed(3); layers[1], layers[3] = "
            "nn.Linear(features, 6), nn.Linear(6, num_classes)",
            "inputs (1, 8, 8): has the same weights with every seed",
        ),
        (
            "torch.seed(); layers[1] = nn.Linear(features, 6)",
            "inputs (1, 8, 8): is not deterministic: built twice with one seed",
        ),
        (
            "layers.insert(2, Noise())",
            "inputs (1, 8, 8): is not deterministic: in evaluation mode it gives other logits",
        ),
        (
            "layers.insert(2, nn.LayerNorm(6))",
            "inputs (1, 8, 8): operation 2 (LayerNorm) is not supported",
        ),
        (
            "nn.Sequential(*layers).requires_grad_(False)",
            "inputs (1, 8, 8): RuntimeError: element 0 of tensors does not require grad",
        ),
        ("return layers", "inputs (1, 8, 8): model net: its builder returned list; expected"),
        (
            "if features < 100: raise ValueError('small')",
            "inputs (1, 8, 8): ValueError: small",
        ),
    ],
)
def test_a_fault_of_a_network(checked, body, sentence):
    noise = """
class Noise(nn.Module):
    def forward(self, x):
        return x + torch.rand(6)
"""
    text = network(body, ", misfit=lambda s: '' if s == (1, 8, 8) else 'other'") + noise
    assert_one_fault(checked(text), "model net", sentence)


def test_every_fitting_shape_is_tried_also_that_of_the_file_s_dataset(checked):
    body = "if features < 100: raise ValueError(f'small {features}')"
    status, lines = checked(network(body) + dataset())
    assert status == 1
    assert [line for line in lines if "ValueError" in line] == [
        "model net: inputs (1, 8, 8): ValueError: small 64",
        "model net: inputs (1, 4, 4): ValueError: small 16",
    ]


def test_a_network_that_fits_nothing_is_said(checked):
    text = network(misfit=", misfit=lambda s: 'never'")
    assert_one_fault(checked(text), "model net", "it fits none of the inputs (1, 8, 8), (1, 28")


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("images = images[:, 0]", "split train: images have shape (20, 4, 4);"),
        (
            "images = images.astype(int)",
            "split train: images have dtype int64; expected uint8 or floating point",
        ),
        (
            "images = images.astype(float)",
            "train has images of float32, test of uint8; expected uint8 in both",
        ),
        (
            "test = (np.full((10, 1, 4, 4), np.nan), test[1])",
            "split test: images hold NaN or infinit",
        ),
        ("labels = labels / 2", "split train: labels are float64 (20,); expected"),
        ("labels = labels + 1", "split train has labels 1..2; allowed: 0..1"),
        ("labels = labels[:9]", "split train: labels are int64 (9,); expected int"),
        ("return images, labels", "load returned tuple; expected {"),
        (
            "test = (test[0], test[1] * 0)",
            "split test has no example of the classes [1]",
        ),
        (
            "images = np.random.default_rng().random((20, 1, 4, 4)); "
            "test = (np.zeros((10, 1, 4, 4)), test[1])",
            "is not deterministic: loaded twice, it has other images or labels",
        ),
        ("open(folder / 'images.npy')", "FileNotFoundError: [Errno 2] No such file or directory"),
    ],
)
def test_a_fault_of_a_dataset(checked, body, sentence):
    assert_one_fault(checked(dataset(body)), "dataset mine", sentence)
