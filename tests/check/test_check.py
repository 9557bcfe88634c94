"""``python -m graphprune.check`` says in one line each what is wrong with a plug-in."""

import subprocess
import sys

import pytest
from check_examples import assert_one_fault, dataset, method, network

from graphprune import check
from graphprune.methods.catalog import METHODS


@pytest.mark.parametrize(
    ("text", "what"),
    [(method(), "method mine"), (network(), "model net"), (dataset(), "dataset mine")],
)
def test_what_is_sound_has_one_line_with_its_time(checked, text, what):
    status, lines = checked(text)
    assert status == 0
    (line,) = lines
    assert line.startswith(f"{what}: ok, ")
    assert float(line.removeprefix(f"{what}: ok, ").removesuffix(" s")) >= 0


def test_one_file_may_hold_several(checked):
    status, lines = checked(method() + network("return nn.Flatten()") + dataset())
    assert status == 1
    ends = [line.split(", ")[0] for line in lines if line.endswith(" s")]
    assert ends == ["method mine: ok", "model net: not usable", "dataset mine: ok"]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("scores['0.weight'] = torch.ones(3)", "score of 0.weight has shape (3,); expected (4, 1,"),
        (
            "scores['0.weight'] = scores['0.weight'] > 0",
            "score of 0.weight has dtype torch.bool; expected real numbers",
        ),
        (
            "scores['0.weight'] = scores['0.weight'] * float('nan')",
            "score of 0.weight contains NaN; expected finite or infinite numbers",
        ),
        ("del scores['0.weight']", "scores lack 0.weight; expected one tensor for each"),
        ("scores['0.bias'] = torch.ones(4)", "scores name '0.bias'; expected the prunable"),
        ("return scores", "run returned dict; expected graphprune.Result"),
        (
            "return Result(scores, report={'loss': 'low'})",
            "report loss is 'low'; expected a number",
        ),
        (
            "model[0].weight.data.mul_(2)",
            "changed the model: 0.weight has other values than before",
        ),
        (
            "for weight in model.parameters(): weight.data.add_(1)",
            "changed the model: 0.weight and 9 more have other values than before",
        ),
        ("model.train()(torch.rand(4, 1, 8, 8))", "changed the model: 1.running_mean and 2 more"),
        (
            "model[0].register_buffer('mask', torch.ones(1))",
            "changed the model: 0.mask was added or removed",
        ),
        (
            "model.requires_grad_(False)",
            "changed the model: 0.weight no longer requires a gradient",
        ),
        (
            "model(torch.rand(4, 1, 8, 8)).sum().backward()",
            "left a gradient in 0.weight; torch.autograd.grad leaves none",
        ),
        ("model[3].register_forward_hook(lambda *_: None)", "left a hook on a Conv2d"),
        ("model.register_full_backward_pre_hook(lambda *_: None)", "left a hook on a Sequential"),
        (
            "scores = {name: torch.rand_like(score) for name, score in scores.items()}",
            "is not deterministic: run twice, it scores 0.weight differently",
        ),
        ("raise RuntimeError('two\\nlines')", "RuntimeError: two lines"),
        ("raise SystemExit", "SystemExit: no reason given"),
        ("len(inputs)", "TypeError: object of type 'NoneType' has no len()"),
    ],
)
def test_a_fault_of_a_method(checked, body, sentence):
    assert_one_fault(checked(method(body)), "method mine", sentence)


def test_faults_are_said_together(checked):
    status, lines = checked(
        method("""
        model[0].register_forward_hook(lambda *_: None)
        scores['0.weight'] = torch.ones(3)
        scores['3.weight'] = scores['3.weight'] * float('nan')
        """)
    )
    assert status == 1
    assert [line.removeprefix("method mine: ")[:20] for line in lines[:-1]] == [
        "left a hook on a Con",
        "score of 0.weight ha",
        "score of 3.weight co",
    ]


@pytest.mark.parametrize(
    ("attributes", "body", "sentence"),
    [
        (
            "decides_mask: ClassVar[bool] = True",
            "",
            "decides its mask, but score of 0.weight has values other than 0 and 1",
        ),
        (
            """
            divisible: ClassVar[bool] = True
            examples: ClassVar[str] = "calibration"
            def run_part(self, model, inputs, part, parts, targets=None):
                return self.run(model, inputs, targets)
            @classmethod
            def gather(cls, results):
                return Result({n: s + 1 for n, s in results[0].scores.items()})
            """,
            "",
            "is divisible, but its parts, gathered, score 0.weight differently",
        ),
        (
            """
            per_sparsity: ClassVar[bool] = True
            sparsity: float = 0.5
            """,
            "if self.sparsity > 0.6: scores['0.weight'] = torch.ones(3)",
            "score of 0.weight has shape (3,)",
        ),
        (
            "examples: ClassVar[str] = 'training'",
            "assert len(inputs) == len(targets) < 10, 'too many'",
            "AssertionError: too many",
        ),
    ],
)
def test_what_the_class_says_is_held_against_what_it_does(checked, attributes, body, sentence):
    assert_one_fault(checked(method(body, attributes)), "method mine", sentence)


@pytest.mark.parametrize(
    "text",
    [
        method("print('one line')"),
        method("import time; time.sleep(0.3)"),
        # a generator that is seeded by the method's own field
        method(
            "g = torch.Generator().manual_seed(self.seed)\n"
            "scores = {n: torch.rand(s.shape, generator=g) for n, s in scores.items()}",
            "seeded: ClassVar[bool] = True\nseed: int = 0",
        ),
        # scores in one piece of memory, with a graph behind them
        method("scores = {name: w ** 2 for name, w in prunable(model).items()}"),
        method(
            "assert torch.is_grad_enabled() and not model.training\n"
            "assert inputs.shape == (len(targets), 1, 8, 8)",
            "examples: ClassVar[str] = 'training'",
        ),
        # two layers with one weight
        network("layers[2:] = [nn.Linear(6, 6)] * 2 + layers[2:]"),
        network(
            "assert input_shape == (3, 64, 64)", ", misfit=lambda s: '' if s[1] > 40 and s[0] == 3"
            " else 'too small'"
        ),
    ],
)  # fmt: skip
def test_the_unusual_is_no_fault(checked, text):
    status, lines = checked(text)
    assert status == 0, lines
    assert len(lines) == 1


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            method(attributes="exmaples: ClassVar[str] = 'none'"),
            "Mine: class attribute exmaples is unknown; allowed: colour, decides_mask,",
        ),
        (
            method(attributes="examples: ClassVar[str] = 'some'"),
            "Mine: class attribute examples is 'some'; allowed: calibration, none, training",
        ),
        (
            method(
                attributes="per_sparsity: ClassVar[bool] = True\nsparsity: float = 0.5\n"
                "figures: ClassVar[tuple[str, ...]] = ('removal_curves',)"
            ),
            "Mine: class attribute figures has removal_curves, which needs one ranking",
        ),
        (method().replace("def run(", "def runn("), "Mine: has no method run"),
        (method(attributes="power: float"), "Mine: field power has no default"),
        (method().replace('"mine"', '"magnitude"'), "method magnitude is already defined by"),
        (network().replace('"net"', '"mlp"'), "model mlp is already defined by graphprune itself"),
        (method().replace('"mine"', '"My method"'), "method name is 'My method'; allowed:"),
        ("import graphprunee", "line 1: ModuleNotFoundError: No module named 'graphprunee'"),
        ("x = 1\ndef f(:\n", "line 2: SyntaxError: invalid syntax"),
        ("raise SystemExit(3)", "line 1: SystemExit: 3"),
        ("print('hello')", "adds no method, model or dataset"),
    ],
)
def test_what_does_not_load_is_one_line(checked, text, sentence):
    status, lines = checked(text)
    assert status == 1
    assert len(lines) == 1, lines
    assert sentence in lines[0]
    assert "plugin.py" in lines[0]


def test_a_file_that_fails_does_not_hide_the_next(tmp_path, capsys):
    good, bad = tmp_path / "good.py", tmp_path / "bad.py"
    good.write_text(method())
    status = check.main([str(bad), str(good)])
    lines = capsys.readouterr().out.splitlines()
    assert status == 1
    assert lines[0] == f"plug-in {bad}: no such file"
    assert lines[1].startswith("method mine: ok, ")


def test_as_a_program(root, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("print('loaded')\n" + method("print('hello')"))
    command = [sys.executable, "-m", "graphprune.check", str(path)]
    run = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("method mine: ok, ")
    assert run.stdout.count("\n") == 1
    assert run.stderr.splitlines() == ["loaded", "hello", "hello"]
    path.write_text(method("scores['0.weight'] = torch.ones(3)"))
    run = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert run.returncode == 1


@pytest.mark.parametrize("name", METHODS.builtin())
def test_the_built_in_methods_pass_by_their_names(capsys, name):
    assert check.main([name]) == 0
    assert capsys.readouterr().out.startswith(f"method {name}: ok, ")


@pytest.mark.parametrize("name", ["mlp", "lenet5", "resnet20"])
def test_built_in_models_pass_by_their_names(capsys, name):
    assert check.main([name]) == 0
    assert capsys.readouterr().out.startswith(f"model {name}: ok, ")


def test_an_unknown_name_is_said(capsys):
    assert check.main(["magnitud"]) == 1
    assert capsys.readouterr().out.startswith("'magnitud' is no plug-in file, whose name ends in")
