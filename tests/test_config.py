import copy
import subprocess
import sys
from dataclasses import MISSING, fields

import pytest
import yaml

from graphprune import data, methods, models, training
from graphprune.config import NOT_OPTIONS, complete, options
from graphprune.errors import UserError

MINIMAL = {
    "networks": [{"dataset": "digits", "model": "mlp"}],
    "seeds": [0],
    "compressions": [2],
    "methods": {"magnitude": {}},
}


def changed(path, value):
    config = copy.deepcopy(MINIMAL)
    *parents, last = path
    inner = config
    for key in parents:
        inner = inner[key] if isinstance(inner, list) else inner.setdefault(key, {})
    inner[last] = value
    return config


def test_defaults_are_filled_and_the_input_is_left_alone(schema):
    given = copy.deepcopy(MINIMAL)
    full = complete(given, schema)
    assert given == MINIMAL
    assert full["results"] == "results"
    assert full["data"] == {"folder": "data", "download": True}
    assert full["methods"]["magnitude"] == {
        "method": "magnitude",
        "scope": "global",
        "regimes": ["finetune"],
    }
    assert options({"method": "curvature", "scope": "layer", "alpha": 0.5}) == {"alpha": 0.5}


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        (["methods", "magnitud"], {}, "methods.magnitud: method is 'magnitud'; allowed: curvature"),
        (["methods", "m"], {"method": "x"}, "methods.m.method: method is 'x'; allowed: curvature"),
        (["methods", "curvature"], {"alhpa": 1}, "methods.curvature.alhpa is 1; allowed keys here"),
        (["methods", "curvature"], {"alpha": 1.0}, "methods.curvature.alpha is 1.0; allowed: < 1"),
        (["methods", "dense"], {"method": "random"}, "dense"),
        (["sedes"], [1], r"sedes is \[1\]; allowed keys here: calibration, compressions"),
        (["compressions", 0], 0.5, r"compressions\[0\] is 0.5; allowed: >= 1"),
        (["compressions"], [2, 2], r"compressions is \[2, 2\]; each entry is allowed once"),
        (["seeds"], [], "seeds is empty; at least 1 is needed"),
        (["seeds", 0], "a", r"seeds\[0\] is 'a'; allowed: a value of type integer"),
        (["train", "lr"], 0.1, "train.lr is 0.1; allowed keys here: batch_size, epochs"),
        (["train"], {"epochs": 1, "learning_rate": 0}, "train.learning_rate is 0; allowed: > 0"),
        (["train"], {"learning_rate": 1}, "key train.epochs is missing"),
        (["rgp_aspl"], {"nodes": 9, "degree": 5}, "rgp_aspl: 9 nodes of degree 5; allowed:"),
        (["rgp_aspl"], {"nodes": 6, "degree": 6}, "rgp_aspl: 6 nodes of degree 6; allowed:"),
        (["rgp_aspl"], {"dataset": "digits", "model": "lenet5"}, "rgp_aspl.model on dataset dig"),
        (["regimes"], ["rewind"], r"regimes\[0\] is 'rewind'; allowed: finetune, scratch"),
        (["networks", 0, "model"], "lenet6", r"networks\[0\].model is 'lenet6'; allowed: lenet5"),
        (["networks", 0, "model"], "lenet5", r"networks\[0\].model on dataset digits: .*lenet5.*"),
        (["networks", 0], {"dataset": "digits"}, r"networks\[0\].model is missing"),
        (["calibration", "examples_per_class"], 0, "examples_per_class is 0; allowed: >= 1"),
    ],
)
def test_what_is_wrong_is_named_in_one_line(schema, path, value, sentence):
    with pytest.raises(UserError, match=sentence) as caught:
        complete(changed(path, value), schema)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("config: ")


@pytest.mark.parametrize(
    ("probmask", "sentence"),
    [
        (
            {"continued": True},
            r"continued is true, but compressions_per_job is 1; allowed: at least 2",
        ),
        ({"epochs": 26}, "trains for 26 epochs; allowed .* = 25 of digits/mlp"),
        ({"epochs": 25}, ""),
        # 17 and, for the second ratio, 9 more
        ({"epochs": 17, "continued": True, "per_job": 2}, "trains for 26 epochs"),
        ({"epochs": 16, "continued": True, "per_job": 2}, ""),
        ({"epochs": 26, "regimes": ["finetune"]}, ""),
    ],
)
def test_what_a_method_trains_itself_must_fit_the_rest(schema, probmask, sentence):
    together = probmask.pop("per_job", 1)
    config = {
        "networks": [{"dataset": "digits", "model": "mlp"}],
        "seeds": [0],
        "compressions": [2, 8],
        "compressions_per_job": together,
        "regimes": ["scratch"],
        "train": {"epochs": 20},
        "finetune": {"epochs": 5},
        "methods": {"probmask": probmask},
    }
    if not sentence:
        assert complete(config, schema)["methods"]["probmask"]["method"] == "probmask"
        return
    with pytest.raises(UserError, match=rf"^config: methods\.probmask.*{sentence}"):
        complete(config, schema)


def test_schema_knows_exactly_what_the_package_offers(schema):
    assert set(schema["$defs"]["dataset"]["enum"]) == set(data.DATASETS)
    assert set(schema["$defs"]["model"]["enum"]) == set(models.MODELS)
    assert set(schema["$defs"]["methods"]) == set(methods.MODULES)
    for name, rules in schema["$defs"]["methods"].items():
        cls = methods.method_class(name)
        # these the workflow sets itself
        own = {field.name for field in fields(cls)}
        own -= {"seed", "sparsity", "checkpoint", "threads"}
        assert set(rules["properties"]) - set(NOT_OPTIONS) == own, name
        assert (name in methods.PER_SPARSITY) == cls.per_sparsity
    trained = {field.name for field in fields(training.Settings)} - {"seed"}
    assert set(schema["$defs"]["training"]["properties"]) == trained


PRESETS = ["tiny", "scratch", "probmask_claims", "probmask_claims_subset"]


@pytest.mark.parametrize(
    "name", ["config.yaml", *(f"workflow/presets/{name}.yaml" for name in PRESETS)]
)
def test_shipped_configurations_are_valid(schema, root, name):
    config = complete(yaml.safe_load((root / name).read_text()), schema)
    for entry in config["methods"].values():
        target = {"sparsity": 0.5} if entry["method"] in methods.PER_SPARSITY else {}
        methods.build(entry["method"], **options(entry), **target)


def test_a_method_has_a_name_a_paper_and_defaults():
    for name in methods.MODULES:
        cls = methods.method_class(name)
        assert cls.name == name
        assert cls.paper
        assert all(field.default is not MISSING for field in fields(cls))


def test_checking_a_configuration_imports_nothing_heavy():
    code = (
        "import sys, graphprune.config; print([m for m in ('torch','pandas') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
