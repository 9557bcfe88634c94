"""A configuration is filled with its defaults, or refused in one line."""

from __future__ import annotations

import copy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from configuration.examples import MINIMAL, changed, refusal

from graphprune.configuration.complete import complete, options
from graphprune.configuration.plan import training_of
from graphprune.configuration.reading import read
from graphprune.errors import UserError
from graphprune.layout import UnitPaths, ratio_text
from graphprune.methods.catalog import METHODS, build, method_class

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = [ROOT / "config.yaml", *sorted((ROOT / "workflow" / "presets").glob("*.yaml"))]


def test_defaults_are_filled_and_the_input_is_left_alone() -> None:
    given = copy.deepcopy(MINIMAL)
    full = complete(given)
    assert given == MINIMAL
    assert full["results"] == "results"
    assert full["data"] == {"folder": "data", "folders": {}, "workers": 2, "download": True}
    assert full["methods"]["magnitude"] == {
        "method": "magnitude",
        "scope": "global",
        "regimes": ["finetune"],
    }
    assert full["networks"] == [{"dataset": "digits", "model": "mlp", "name": "mlp", "options": {}}]
    assert (full["train"]["epochs"], full["finetune"]["epochs"]) == (20, 5)
    assert full["plugins"] == []


def test_what_is_complete_stays_as_it_is() -> None:
    full = complete(read(ROOT / "config.yaml"))
    assert complete(full) == full


def test_options_are_what_is_not_said_of_every_method() -> None:
    assert options({"method": "curvature", "scope": "layer", "alpha": 0.5}) == {"alpha": 0.5}


def test_the_workflow_sets_some_fields_itself() -> None:
    full = complete({**MINIMAL, "methods": {name: {} for name in METHODS.builtin()}})
    for name, entry in full["methods"].items():
        assert not {"seed", "sparsity", "threads", "checkpoint"} & entry.keys()
        # all other fields are there, with what an instance of the class has
        target = {"sparsity": 0.5} if method_class(name).per_sparsity else {}
        instance = build(name, **target)
        assert options(entry) == {key: getattr(instance, key) for key in options(entry)}


def test_a_section_that_is_given_in_part_keeps_the_other_defaults() -> None:
    full = complete(changed(["train"], {"epochs": 3, "momentum": 0.5}))
    assert full["train"]["momentum"] == 0.5
    assert full["train"]["learning_rate"] == complete(MINIMAL)["train"]["learning_rate"]


@pytest.mark.parametrize("given", [{}, {"train": None}, {"train": {"momentum": 0.25}}])
def test_the_training_of_a_network_is_the_common_one_with_its_own_settings(
    given: dict[str, Any],
) -> None:
    network = {"dataset": "digits", "model": "mlp", **given}
    full = complete({**MINIMAL, "networks": [network], "train": {"epochs": 7}})
    own = training_of(full, full["networks"][0], "train")
    assert own == full["train"] | (given.get("train") or {})
    assert own["epochs"] == 7


def test_regimes_of_a_method_are_its_own_or_those_of_all() -> None:
    config = changed(["methods"], {"random": {"regimes": ["scratch"]}, "magnitude": {}})
    config["regimes"] = ["finetune", "scratch"]
    methods = complete(config)["methods"]
    assert methods["random"]["regimes"] == ["scratch"]
    assert methods["magnitude"]["regimes"] == ["finetune", "scratch"]


def test_one_model_is_compared_with_itself_under_two_names() -> None:
    slow = {"dataset": "digits", "model": "mlp", "name": "slow", "train": {"epochs": 40}}
    wide = {"dataset": "digits", "model": "mlp", "name": "wide", "options": {"hidden": [99]}}
    full = complete({**MINIMAL, "networks": [*MINIMAL["networks"], slow, wide]})
    assert [network["name"] for network in full["networks"]] == ["mlp", "slow", "wide"]
    assert full["networks"][2]["options"] == {"hidden": [99]}


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        (["methods", "magnitud"], {}, "methods.magnitud: method is 'magnitud'; allowed: curvature"),
        (["methods", "m"], {"method": "x"}, "methods.m.method is 'x'; allowed: curvature"),
        (["methods", "curvature"], {"alhpa": 1}, "methods.curvature.alhpa is 1; allowed keys here"),
        (["methods", "curvature"], {"alpha": 1.0}, "methods.curvature.alpha is 1.0; allowed: < 1"),
        (["methods", "dense"], {"method": "random"}, "methods: label is 'dense'; allowed: "),
        (["methods", "rgp"], {"scope": "layer"}, "methods.rgp.scope is 'layer'; allowed: global"),
        (["methods"], {}, "methods is empty; at least 1 is needed"),
        (["sedes"], [1], "sedes is [1]; allowed keys here: calibration, checkpoint"),
        (["compressions", 0], 0.5, "compressions[0] is 0.5; allowed: >= 1"),
        (["compressions"], [2, 2], "compressions is [2, 2]; each entry is allowed once"),
        (["compressions"], [2, 2.0], "compressions is [2, 2.0]; each entry is allowed once"),
        (["seeds"], [], "seeds is empty; at least 1 is needed"),
        (["seeds", 0], "a", "seeds[0] is 'a'; allowed: a value of type integer"),
        (["train", "lr"], 0.1, "train.lr is 0.1; allowed keys here: accumulate, adversarial"),
        (["train"], {"epochs": 1, "learning_rate": 0}, "train.learning_rate is 0; allowed: > 0"),
        (["train"], {"learning_rate": 1}, "key train.epochs is missing"),
        (["rgp_aspl"], {"nodes": 9, "degree": 5}, "rgp_aspl: 9 nodes of degree 5; allowed:"),
        (["rgp_aspl"], {"nodes": 6, "degree": 6}, "rgp_aspl: 6 nodes of degree 6; allowed:"),
        (["rgp_aspl"], {"dataset": "digits", "model": "lenet5"}, "rgp_aspl.model on dataset dig"),
        (["regimes"], ["rewind"], "regimes[0] is 'rewind'; allowed: finetune, scratch"),
        (["networks"], [], "networks is empty; at least 1 is needed"),
        (["networks", 0, "model"], "lenet6", "networks[0].model is 'lenet6'; allowed: conv2"),
        (["networks", 0, "model"], "lenet5", "networks[0].model on dataset digits: model lenet5"),
        (["networks", 0], {"dataset": "digits"}, "key networks[0].model is missing"),
        (["networks", 0, "dataset"], "minst", "networks[0].dataset is 'minst'; allowed: cifar10"),
        (["networks", 0, "options"], {"width": 3}, "networks[0].options.width is 3; allowed keys"),
        (["networks", 0, "options"], {"hidden": [0]}, "networks[0].options.hidden[0] is 0; allow"),
        (["networks", 0, "train"], {"epochs": -1}, "networks[0].train.epochs is -1; allowed: >= 0"),
        (["networks", 0, "name"], "A b", "networks[0].name is 'A b'; allowed: lower case"),
        (["calibration", "examples_per_class"], 0, "examples_per_class is 0; allowed: >= 1"),
        (["device"], "gpu", "device is 'gpu'; allowed: cpu, cuda"),
        (["tracking", "models"], "some", "tracking.models is 'some'; allowed: all, dense, none"),
        (["methods", "rgp"], {"objective": 1}, "objective is 1; allowed: max, min or > 1"),
        (["methods", "rgp"], {"dense_last": "no"}, "dense_last is 'no'; allowed: a value of type"),
        (["methods", "probmask"], {"ramp_start": 0.7}, "methods.probmask: ramp_start is 0.7, ramp"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_in_one_line(path: list[Any], value: Any, sentence: str) -> None:
    assert sentence in refusal(changed(path, value))


LABEL = "lower case letters, digits, underscores, a letter first"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"methods": {"magnitude": {"method": "random"}}},
            "methods.magnitude.method is random, but magnitude is a method itself; give the entry "
            "another label",
        ),
        ({"methods": {"A": {"method": "random"}}}, f"methods: label is 'A'; allowed: {LABEL}"),
        (
            {"methods": {"a" * 61: {"method": "random"}}},
            f"methods: label is '{'a' * 61}'; allowed: at most 60 characters, and none of "
            "benchmarks, data, dense, figures, live, logs, rgp_aspl, tracking",
        ),
        (
            {"methods": {"figures": {"method": "random"}}},
            "methods: label is 'figures'; allowed: at most 60 characters, and none of "
            "benchmarks, data, dense, figures, live, logs, rgp_aspl, tracking",
        ),
        (
            {"plugins": ["a{b}.py"]},
            "plugins: 'a{b}.py'; allowed: a path without any of {}*?",
        ),
        ({"plugins": [5]}, "plugins[0] is 5; allowed: a value of type string"),
        ({"plugins": "mine.py"}, "plugins is 'mine.py'; allowed: a value of type array"),
        (
            {"plugins": ["b" * 300]},
            f"plugins: '{'b' * 38}…{'b' * 39}' is no path (File name too long)",
        ),
    ],
)
def test_sentences_in_full(changes: dict[str, Any], sentence: str) -> None:
    assert refusal({**MINIMAL, **changes}) == f"config: {sentence}"


def test_a_label_of_60_letters_is_short_enough() -> None:
    label = "a" * 60
    full = complete({**MINIMAL, "methods": {label: {"method": "random", "scope": "layer"}}})
    assert full["methods"] == {
        label: {"method": "random", "scope": "layer", "regimes": ["finetune"]}
    }


def test_what_is_no_mapping_is_refused() -> None:
    with pytest.raises(UserError) as caught:
        complete(["seeds"])  # type: ignore[arg-type]
    assert str(caught.value) == "config: it is ['seeds']; expected keys and their values"


def test_plugins_are_looked_for_beside_the_file_and_then_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside, here = tmp_path / "beside", tmp_path / "here"
    for folder, names in ((beside, ("both", "theirs")), (here, ("both", "mine", "sub/below"))):
        for name in names:
            file = folder / f"{name}.py"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"# {folder.name}\n")
    monkeypatch.chdir(here)

    def found(*names: str, beside: Path | None = beside) -> list[str]:
        return complete({**MINIMAL, "plugins": list(names)}, beside)["plugins"]

    assert found("theirs.py", "mine.py") == [str(beside / "theirs.py"), "mine.py"]
    assert found("both.py") == [str(beside / "both.py")]
    assert found("both.py", beside=None) == ["both.py"]
    assert found("../here/sub/below.py") == ["sub/below.py"]
    assert found(str(here / "mine.py")) == ["mine.py"]
    for given, places in ((beside, f"{beside} and {here}"), (None, here), (here, here)):
        with pytest.raises(UserError) as caught:
            complete({**MINIMAL, "plugins": ["none.py"]}, given)
        assert str(caught.value) == f"config: plugins: 'none.py': no such file in {places}"


def test_sections_of_single_networks_hold_what_was_given_alone() -> None:
    network = {"dataset": "digits", "model": "mlp", "train": {"momentum": 0.25}}
    full = complete({**MINIMAL, "networks": [network], "rgp_aspl": {"train": {"epochs": 2}}})
    assert full["networks"] == [{**network, "name": "mlp", "options": {}}]
    assert full["rgp_aspl"]["train"] == {"epochs": 2}
    assert full["rgp_aspl"]["nodes"] == 64
    # an entry has the fields of its method beside what every entry has
    assert options(complete(changed(["methods"], {"rgp": {}}))["methods"]["rgp"]).keys() >= {
        "objective", "dense_last"
    }  # fmt: skip


def test_a_misspelt_key_is_named_before_one_that_is_missing() -> None:
    assert "train.epoch is 3" in refusal(changed(["train"], {"epoch": 3}))


def test_one_network_twice_is_refused() -> None:
    one = {"dataset": "digits", "model": "mlp"}
    sentence = "networks[1] is digits/mlp again; each pair is allowed once"
    assert sentence in refusal(changed(["networks"], [one, one]))
    assert sentence in refusal(changed(["networks"], [one, {**one, "name": "mlp"}]))


@pytest.mark.parametrize(
    ("probmask", "sentence"),
    [
        (
            {"continued": True},
            "continued is true, but compressions_per_job is 1; allowed: at least 2",
        ),
        ({"epochs": 26}, "trains for 26 epochs; allowed in regime scratch: at most"),
        ({"epochs": 26}, "= 25 of digits/mlp"),
        ({"epochs": 25}, ""),
        # 17 and, for the second ratio, 9 more
        ({"epochs": 17, "continued": True, "per_job": 2}, "trains for 26 epochs"),
        ({"epochs": 16, "continued": True, "per_job": 2}, ""),
        ({"epochs": 26, "regimes": ["finetune"]}, ""),
    ],
)
def test_what_a_method_trains_itself_must_fit_the_rest(
    probmask: dict[str, Any], sentence: str
) -> None:
    probmask = dict(probmask)
    config = {
        **MINIMAL,
        "compressions": [2, 8],
        "compressions_per_job": probmask.pop("per_job", 1),
        "regimes": ["scratch"],
        "train": {"epochs": 20},
        "finetune": {"epochs": 5},
        "methods": {"probmask": probmask},
    }
    if not sentence:
        assert complete(config)["methods"]["probmask"]["method"] == "probmask"
        return
    message = refusal(config)
    assert message.startswith("config: methods.probmask")
    assert sentence in message


def test_the_budget_is_that_of_each_network() -> None:
    short = {"dataset": "digits", "model": "mlp", "train": {"epochs": 1}}
    config = {**MINIMAL, "networks": [short], "regimes": ["scratch"]}
    config["methods"] = {"probmask": {"epochs": 7}}
    assert "= 6 of digits/mlp" in refusal(config)
    config["methods"] = {"probmask": {"epochs": 6}}
    complete(config)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_configurations_are_valid(path: Path) -> None:
    config = complete(read(path), path.parent)
    for entry in config["methods"].values():
        target = {"sparsity": 0.5} if method_class(entry["method"]).per_sparsity else {}
        build(entry["method"], **options(entry), **target)


def test_a_shipped_configuration_is_found() -> None:
    assert len(SHIPPED) >= 5


def test_a_ratio_must_leave_a_weight_of_every_network() -> None:
    # 64·128 + 128·64 + 64·10 weights, and the three layers of LeNet-300-100
    digits, mnist = 64 * 128 + 128 * 64 + 64 * 10, 784 * 300 + 300 * 100 + 100 * 10
    config = changed(["compressions"], [2, digits])
    complete(config)
    for ratio in (1e9, 2.0 * mnist):
        config["compressions"] = [2, ratio]
        message = refusal(config)
        assert (
            f"compressions[1] is {ratio_text(ratio)}, which leaves none of the {digits}" in message
        )
        assert f"weights of digits/mlp; allowed: at most {digits}" in message
    # one that the larger of two networks can reach alone
    config["compressions"] = [mnist]
    config["networks"] = [{"dataset": "mnist5k", "model": "mlp", "name": "large"}]
    complete(config)
    config["networks"] += MINIMAL["networks"]
    assert "weights of digits/mlp" in refusal(config)


def test_ratios_keep_all_their_digits_in_paths() -> None:
    network = {"dataset": "cifar10", "model": "vgg16"}
    config = {**MINIMAL, "networks": [network], "compressions": [1, 1.0000001, 1234567.8]}
    ratios = complete(config)["compressions"]
    paths = [UnitPaths("r", compression=ratio).ratio for ratio in ratios]
    assert paths == ["x1", "x1.0000001", "x1234567.8"]


def test_more_seeds_than_can_be_planned_in_seconds_are_refused() -> None:
    assert len(complete(changed(["seeds"], list(range(1800))))["seeds"]) == 1800
    # each trains, calibrates, draws a graph and figures, scores, prunes, fine-tunes, evaluates
    assert "are about 16000 jobs; allowed: at most" in refusal(changed(["seeds"], [*range(2000)]))
    message = refusal(changed(["seeds"], list(range(200_000))))
    assert "x 200000 seeds x" in message
    assert "are 200000 units; allowed: at most 20000" in message


def test_too_many_parts_are_refused_where_a_method_has_parts() -> None:
    config = changed(["calibration"], {"parts": 100_000, "examples_per_class": 10_000})
    complete(config)
    config["methods"] = {"curvature": {}}
    assert "calibration.parts is 100000, which makes 100000 jobs of methods.c" in refusal(config)
    config["calibration"] = {"parts": 11}
    message = refusal(config)
    assert "calibration.parts is 11; allowed: at most one for each of the 10 examples" in message
    config["calibration"] = {"parts": 10}
    assert complete(config)["calibration"]["parts"] == 10


def test_checking_a_configuration_imports_nothing_heavy() -> None:
    code = (
        "import sys; from graphprune.configuration.complete import complete;"
        f"complete({MINIMAL!r});"
        "print([m for m in ('torch', 'pandas', 'numpy', 'mlflow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
