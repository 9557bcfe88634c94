"""What a method may rely on when it runs, and which of its results are refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import nn

import graphprune
from graphprune.errors import UserError
from graphprune.methods import METHODS, Method, Result, build, method_class
from graphprune.methods.catalog import has_option
from graphprune.methods.contract import run_checked, violations

Run = Callable[[nn.Module, Any, Any], Any]


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2))


def scores(**changes: Any) -> dict[str, Any]:
    """Scores that are right, but for the changes; None takes one away."""
    right = {"0.weight": torch.ones(4, 3), "3.weight": torch.ones(2, 4)}
    changed = right | {name.replace("_", "."): value for name, value in changes.items()}
    return {name: value for name, value in changed.items() if value is not None}


def method(run: Run) -> Method:
    @dataclass(frozen=True)
    class Mine(Method):
        name: ClassVar[str] = "mine"
        paper: ClassVar[str] = "a test"

        def run(self, model: nn.Module, inputs: Any = None, targets: Any = None) -> Any:
            return run(model, inputs, targets)

    return Mine()


ANYTHING = object()


@pytest.mark.parametrize(
    ("result", "sentence"),
    [
        (None, "run returned NoneType; expected graphprune.Result"),
        (scores(), "run returned dict; expected graphprune.Result"),
        (Result(list(scores())), "scores are list; expected a dictionary"),
        (Result(None), "scores are NoneType; expected a dictionary"),
        (Result({}), "scores lack 0.weight; expected one tensor for each prunable weight"),
        (Result(scores(**{"3_weight": None})), "scores lack 3.weight"),
        (Result(scores(**{"0_bias": torch.ones(4)})),
         "scores name '0.bias'; expected the prunable weights 0.weight, 3.weight"),
        (Result(scores() | {3: torch.ones(1)}), "scores name 3; expected the prunable weights"),
        (Result(scores(**{"0_weight": torch.ones(3, 4)})),
         "score of 0.weight has shape (3, 4); expected (4, 3)"),
        (Result(scores(**{"0_weight": torch.ones(4)})),
         "score of 0.weight has shape (4,); expected (4, 3)"),
        (Result(scores(**{"0_weight": torch.tensor(1.0)})),
         "score of 0.weight has shape (); expected (4, 3)"),
        (Result(scores(**{"0_weight": np.ones((4, 3))})),
         "score of 0.weight is ndarray; expected a torch.Tensor"),
        (Result(scores(**{"0_weight": 1.0})), "score of 0.weight is float; expected a torch.Tens"),
        (Result(scores(**{"3_weight": torch.ones(2, 4).bool()})),
         "score of 3.weight has dtype torch.bool; expected real numbers"),
        (Result(scores(**{"3_weight": torch.ones(2, 4).to(torch.complex64)})),
         "score of 3.weight has dtype torch.complex64; expected real numbers"),
        (Result(scores(**{"3_weight": torch.full((2, 4), torch.nan)})),
         "score of 3.weight contains NaN; expected finite or infinite numbers"),
        (Result(scores(), weights=[]), "weights are list; expected a dictionary"),
        (Result(scores(), weights={"0.wait": torch.ones(4, 3)}),
         "weights name '0.wait', which is no entry of the network's state dict"),
        (Result(scores(), weights={"0.weight": torch.ones(3, 4)}),
         "weights of 0.weight have shape (3, 4); expected (4, 3)"),
        (Result(scores(), weights={"0.weight": [1.0]}),
         "weights of 0.weight have shape list; expected (4, 3)"),
        (Result(scores(), weights={"0.bias": torch.full((4,), torch.nan)}),
         "weights of 0.bias contain NaN or infinite numbers; expected finite ones"),
        (Result(scores(), weights={"0.bias": torch.full((4,), -torch.inf)}),
         "weights of 0.bias contain NaN or infinite numbers; expected finite ones"),
        (Result(scores(), report=[("a", 1)]), "report are list; expected a dictionary"),
        (Result(scores(), report={"a": "1"}), "report a is '1'; expected a number"),
        (Result(scores(), report={"a": torch.tensor(1.0)}), "report a is tensor(1.); expected a"),
        (Result(scores(), report={"a": None}), "report a is None; expected a number"),
    ],
)  # fmt: skip
def test_wrong_results_are_refused(result: Any, sentence: str) -> None:
    with pytest.raises(UserError) as caught:
        run_checked(method(lambda *_: result), network())
    assert str(caught.value).startswith("method mine: ")
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(violations(network(), result)) >= 1


@pytest.mark.parametrize(
    "result",
    [
        Result(scores()),
        Result(scores(**{"0_weight": torch.full((4, 3), -torch.inf)})),
        Result(
            scores(**{"0_weight": torch.ones(4, 3).double(), "3_weight": torch.ones(2, 4).int()})
        ),
        Result(scores(**{"0_weight": torch.ones(4, 3).half()})),
        Result(scores(**{"0_weight": torch.ones(4, 3, requires_grad=True)})),
        Result(scores(), weights={"0.weight": torch.zeros(4, 3), "1.running_mean": torch.ones(4)}),
        Result(scores(), report={"a": 1, "b": 2.5, "c": float("inf"), "d": np.float64(3)}),
        Result(scores(), onward=ANYTHING),
    ],
)
def test_right_results_come_back_as_they_are(result: Result) -> None:
    assert run_checked(method(lambda *_: result), network()) is result
    assert violations(network(), result) == []


def test_all_that_is_wrong_is_listed() -> None:
    wrong = violations(
        network(),
        Result(
            scores(**{"0_weight": torch.ones(1), "more": torch.ones(1)}),
            weights={"x": torch.ones(1)},
            report={"a": "b"},
        ),
    )
    assert len(wrong) == 4


def test_the_model_is_evaluated_with_gradients_whatever_is_set_outside() -> None:
    model = network().train()
    model[1].eval()
    modes = [module.training for module in model.modules()]
    seen = {}

    def run(given: nn.Module, inputs: Any, targets: Any) -> Result:
        seen.update(
            modes=[module.training for module in given.modules()],
            enabled=torch.is_grad_enabled(),
            inputs=inputs,
            targets=targets,
            gradient=given(inputs).sum().requires_grad,
            model=given,
        )
        given.train()
        return Result(scores())

    inputs, targets = torch.rand(5, 3), torch.zeros(5, dtype=torch.int64)
    with torch.no_grad():
        run_checked(method(run), model, inputs, targets)
        assert not torch.is_grad_enabled()
    assert seen["modes"] == [False] * 5
    assert seen["enabled"]
    assert seen["gradient"]
    assert seen["inputs"] is inputs
    assert seen["targets"] is targets
    assert seen["model"] is model
    assert [module.training for module in model.modules()] == modes


@pytest.mark.parametrize("error", [RuntimeError("it broke"), UserError("it broke")])
def test_modes_and_gradients_are_as_before_where_the_method_fails(error: Exception) -> None:
    model = network().train()
    model[3].eval()
    modes = [module.training for module in model.modules()]

    def run(given: nn.Module, *_: Any) -> Result:
        assert not given.training
        raise error

    with torch.no_grad(), pytest.raises(type(error), match="it broke"):
        run_checked(method(run), model)
    assert [module.training for module in model.modules()] == modes
    # also where the result is refused
    with pytest.raises(UserError, match="scores lack"):
        run_checked(method(lambda *_: Result({})), model)
    assert [module.training for module in model.modules()] == modes
    assert torch.is_grad_enabled()


def test_a_result_at_a_looser_sparsity_is_handed_on() -> None:
    @dataclass(frozen=True)
    class Chained(Method):
        name: ClassVar[str] = "chained"
        paper: ClassVar[str] = "a test"

        def run(self, model: nn.Module, inputs: Any = None, targets: Any = None) -> Result:
            return Result(scores(), onward="first")

        def run_after(
            self, looser: Any, model: Any, inputs: Any = None, targets: Any = None
        ) -> Any:
            return Result(scores(), onward=[looser.onward, inputs, targets, model.training])

    model = network()
    first = run_checked(Chained(), model)
    second = run_checked(Chained(), model, torch.ones(1), torch.zeros(1), looser=first)
    assert second.onward == ["first", torch.ones(1), torch.zeros(1), False]
    # a method that has nothing to go on from runs as ever
    plain = method(lambda *_: Result(scores(), onward="ran"))
    assert run_checked(plain, model, looser=first).onward == "ran"


def test_score_checks_as_well() -> None:
    with pytest.raises(UserError, match="model has no linear or convolution layer"):
        graphprune.score(nn.ReLU(), "random")
    model = network()
    model[0].weight.data.fill_(torch.nan)
    with pytest.raises(UserError, match=r"^0\.weight contains NaN or infinite numbers"):
        graphprune.score(model, "magnitude")
    assert model.training


def double(model: nn.Module, *_: Any) -> Result:
    with torch.no_grad():
        model[0].weight.mul_(2)  # type: ignore[operator, index]
    return Result(scores())


def test_a_method_that_changes_the_model_is_refused() -> None:
    with pytest.raises(UserError, match=r"mine changed the model: 0\.weight has other values"):
        run_checked(method(double), network())


@pytest.mark.parametrize("name", METHODS.builtin())
@pytest.mark.parametrize("number", [float("nan"), float("-inf")])
def test_every_method_refuses_weights_that_are_not_finite(name: str, number: float) -> None:
    sparsity = {"sparsity": 0.5} if method_class(name).per_sparsity else {}
    for place in ("0.weight", "1.bias"):
        model = network()
        with torch.no_grad():
            model.get_parameter(place)[-1] = number
        with pytest.raises(UserError, match=f"^{place} contains NaN or infinite numbers"):
            run_checked(build(name, **sparsity), model, torch.rand(4, 3), torch.tensor([0, 1] * 2))


def test_a_statistic_that_is_nan_is_no_changed_one() -> None:
    model = network()
    model.get_buffer("1.running_mean").fill_(torch.nan)
    assert run_checked(method(lambda *_: Result(scores())), model).scores


class Described(nn.Linear):
    """A layer whose state holds more than tensors."""

    def get_extra_state(self) -> str:
        return "of no tensor"

    def set_extra_state(self, state: str) -> None: ...


@pytest.mark.parametrize("name", ["magnitude", "random"])
def test_a_state_that_is_no_tensor_is_left_alone(name: str) -> None:
    assert graphprune.score(Described(3, 2), name).keys() == {"weight"}


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        ({"0.weight": torch.ones(2, 2)}, "model is dict; expected a torch.nn.Module"),
        (nn.Linear(3, 2, device="meta"), "weight is on the meta device, which holds no values"),
        (nn.Linear(3, 2, dtype=torch.complex64), "weight has dtype torch.complex64; expected"),
        (nn.Linear(3, 2).requires_grad_(False).to(torch.float8_e5m2),
         "weight has dtype torch.float8_e5m2; expected torch.float32, float64, float16 or bf"),
        (nn.LazyLinear(2), "model (LazyLinear) has no weights yet; run the model once"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", METHODS.builtin())
def test_every_method_refuses_models_without_usable_weights(
    name: str, model: Any, sentence: str
) -> None:
    sparsity = {"sparsity": 0.5} if method_class(name).per_sparsity else {}
    with pytest.raises(UserError) as caught:
        graphprune.score(model, name, torch.rand(4, 3), torch.tensor([0, 1] * 2), **sparsity)
    assert sentence.replace("bf", "bfloat16") in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", METHODS.builtin())
def test_half_precision_is_scored_and_pruned_exactly(name: str, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 4)).to(dtype)
    options = {"sparsity": 0.5} if method_class(name).per_sparsity else {}
    options |= {"epochs": 1} if has_option(method_class(name), "epochs") else {}
    inputs, targets = torch.rand(8, 3, dtype=dtype), torch.arange(8) % 4
    masks = graphprune.prune(graphprune.score(model, name, inputs, targets, **options), 0.75)
    graphprune.apply(model, masks)
    assert sum(int((weight == 0).sum()) for weight in graphprune.prunable(model).values()) == 42


def test_a_mask_that_is_none_is_refused() -> None:
    half = Result(scores(**{"3_weight": torch.full((2, 4), 0.5)}))
    assert violations(network(), half) == []
    (sentence,) = violations(network(), half, decides_mask=True)
    assert sentence.startswith("score of 3.weight has values other than 0 and 1")


def test_examples_that_are_missing_are_asked_for() -> None:
    @dataclass(frozen=True)
    class Trained(Method):
        name: ClassVar[str] = "trained"
        paper: ClassVar[str] = "a test"
        examples: ClassVar[Any] = "training"

        def run(self, model: nn.Module, inputs: Any = None, targets: Any = None) -> Any:
            return Result(scores())

    for given in ((None, None), (torch.zeros(2, 3), None)):
        with pytest.raises(UserError, match=r"trained needs inputs: .*expected inputs and targets"):
            run_checked(Trained(), network(), *given)
    assert run_checked(Trained(), network(), torch.zeros(2, 3), torch.tensor([0, 1])).scores


def test_numpy_s_numbers_are_numbers() -> None:
    model = network()
    halves = graphprune.score(model, "rgp", sparsity=np.float32(0.5), nodes=np.int64(3))
    assert halves.keys() == scores().keys()
    one, other = (graphprune.score(model, "random", seed=seed) for seed in (3, np.int64(3)))
    assert all(torch.equal(one[name], other[name]) for name in one)
