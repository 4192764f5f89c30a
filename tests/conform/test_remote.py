"""A program on the other side of a pipe: what it may do wrong, and that nothing is rounded on the way."""

import ast
import inspect
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from ddpm_spec.conform import example, remote
from ddpm_spec.conform.remote import Remote
from ddpm_spec.errors import InputError
from ddpm_spec.laws import check
from ddpm_spec.laws.plain import Plain

EXAMPLE = f"{sys.executable} {Path(remote.__file__).with_name('example.py')}"
HELLO = '{"hello": {"has": ["variance"], "betas": ["0x1p-3", "0x1p-2", "0x1p-2"]}}'


@pytest.fixture
def program(tmp_path):
    """Makes the command of a program that says hello and then runs these lines."""

    def write(lines: str, hello: str = HELLO) -> str:
        file = tmp_path / "program.py"
        file.write_text(f"import sys, time\nprint({hello!r}, flush=True)\n{lines}\n", encoding="utf-8")
        return f"{sys.executable} {file}"

    return write


@pytest.fixture
def started():
    """Starts the other side, and ends it after the test."""
    running = []

    def start(command: str, limit: float = 30.0) -> Remote:
        running.append(Remote(command, limit))
        return running[-1]

    yield start
    for side in running:
        side.close()


def outcomes(adapter) -> dict[str, str]:
    return {result.law.id: result.outcome for result in check(adapter, times=[1, 2, 50, 100])}


def test_the_example_holds_every_law_that_it_can_be_judged_by(started) -> None:
    found = outcomes(started(EXAMPLE))
    assert set(found.values()) == {"passed", "not judged"}
    assert found["reverse/mean"] == found["reverse/noise"] == found["forward/variance"] == "passed"


def test_the_fault_of_the_example_is_found_and_nothing_else(started) -> None:
    """The harness itself is checked with an implementation whose fault is known."""
    broken = {law for law, outcome in outcomes(started(f"{EXAMPLE} wrong")).items() if outcome == "failed"}
    assert broken == {"reverse/variance-range"}


def test_the_example_is_short_and_stands_alone() -> None:
    source = inspect.getsource(example) if example.__doc__ else ""
    assert len(source.splitlines()) <= 60
    imported = [node.names[0].name for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Import)]
    assert imported == ["json", "math", "sys"]


def test_nothing_is_rounded_on_the_way(started, program) -> None:
    """The other side sends back what it was sent, and asks the network about it."""
    echo = (
        "import json\n"
        "for line in sys.stdin:\n"
        "    told = json.loads(line)\n"
        "    print(json.dumps({'network': {'x_t': told['x_t'], 't': [told['t']] * 2}}), flush=True)\n"
        "    answer = json.loads(sys.stdin.readline())['answer']\n"
        "    print(json.dumps({'result': answer}), flush=True)\n"
    )
    side = started(program(echo, HELLO.replace("variance", "p_sample")))
    x = np.array([[1 / 3, 5e-324, -0.0], [np.nextafter(1, 2), 1e300, -np.pi]])
    seen = []

    def network(x_t, t):
        seen.append((x_t, t))
        return -x_t

    answer = side.p_sample(network, x, 7, x)
    assert np.array_equal(answer, -x)
    assert np.array_equal(np.signbit(answer), np.signbit(-x))
    assert np.array_equal(seen[0][0], x)
    assert seen[0][1].tolist() == [7, 7]


def test_the_same_implementation_is_judged_alike_here_and_there(started) -> None:
    here = Plain(example_betas())
    here.variance = lambda t: here.beta_tilde(t) if t > 1 else here.beta(1)
    laws = ["forward/mean", "forward/variance", "reverse/mean", "reverse/noise"]
    there = {result.law.id: result for result in check(started(EXAMPLE), times=[1, 2, 50, 100])}
    for result in check(here, times=[1, 2, 50, 100]):
        if result.law.id in laws:
            assert there[result.law.id].allowed == pytest.approx(result.allowed, rel=0.5)
            assert there[result.law.id].deviation <= result.allowed


def example_betas() -> np.ndarray:
    return 1e-3 + (0.2 - 1e-3) * np.arange(100) / 99


def test_a_program_that_does_not_answer_is_given_up(started, program) -> None:
    side = started(program("time.sleep(60)"), limit=0.5)
    with pytest.raises(ConnectionError, match=r"did not answer within 0.5 s; --limit gives it longer"):
        side.variance(1)
    with pytest.raises(ConnectionError, match="did not answer"):  # at once, without waiting again
        side.variance(1)


def test_a_program_that_dies_is_told_of_with_its_last_words(started, program) -> None:
    side = started(program("sys.stdin.readline(); sys.exit('out of paper')"))
    with pytest.raises(ConnectionError, match="ended with status 1: out of paper"):
        side.variance(1)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("print('nonsense', flush=True)", "wrote 'nonsense', which is not a line of JSON"),
        ("print('[1]', flush=True)", r"wrote '\[1\]', which is not a line of JSON with a name"),
        ("print('{\"x\": 1}', flush=True)", "which is neither a result nor an error"),
    ],
)
def test_nonsense_is_quoted(started, program, answer, said) -> None:
    side = started(program(f"sys.stdin.readline(); {answer}; time.sleep(60)"))
    with pytest.raises(ConnectionError, match=said):
        side.variance(1)


def test_what_it_raises_is_a_finding_and_it_can_be_asked_again(started, program) -> None:
    lines = (
        "for k, line in enumerate(sys.stdin):\n"
        '    print(\'{"error": "no such step"}\' if k == 0 else \'{"result": "0x1p-3"}\', flush=True)\n'
    )
    side = started(program(lines))
    with pytest.raises(RuntimeError, match="no such step"):
        side.variance(1)
    assert side.variance(1) == 0.125


@pytest.mark.parametrize(
    ("hello", "said"),
    [
        ("hello", "which is not a line of JSON"),
        (json.dumps({"hello": 1}), "its first line must be"),
        (json.dumps({"hello": {"has": ["q_sampel"]}}), "it has 'q_sampel'; known are q_sample"),
    ],
)
def test_a_wrong_hello_is_refused(program, hello, said) -> None:
    with pytest.raises(InputError, match=said):
        Remote(program("time.sleep(60)", hello), 30.0)


def test_a_command_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match="cannot be started"):
        Remote("/nowhere/at/all", 5.0)
