"""What is measured of a run, against the model's own methods on the same noise."""

import dataclasses
import itertools
import math

import pytest
import torch

from ddpm_spec.coding.rate import distortion, rate
from ddpm_spec.data import from_unit, to_unit
from ddpm_spec.diffusion import told
from ddpm_spec.errors import InputError
from ddpm_spec.evaluation.bound import curves, spread, summary, terms
from ddpm_spec.evaluation.draw import draw, keyed
from ddpm_spec.evaluation.measure import CONVENTIONS, Measure
from ddpm_spec.evaluation.model import open_run
from ddpm_spec.terminal.console import Interrupt, Interrupted


@pytest.fixture
def measure(made, tmp_path):
    return Measure(open_run(made, "cpu"), tmp_path, Interrupt(), seed=3, batch=4)


@pytest.mark.parametrize("weights", ["ema", "raw"])
@pytest.mark.parametrize("split", ["train", "test"])
def test_terms_are_those_of_the_model(measure, weights, split):
    found = measure.terms(weights, split, 6)
    images, network = measure.model.images, measure.model.networks[weights]
    store = images.train if split == "train" else images.held_out
    x_0 = to_unit(store[spread(6, len(store))], 17)
    noise = keyed(3, "bound", torch.arange(6), (1, 8, 8))
    for convention in CONVENTIONS:
        diffusion = measure.diffusion(convention)
        expected = diffusion.bound(network, x_0, 17, noise)
        # Batches of another size: the network rounds its sums in another order.
        assert found[convention].bound.total.tolist() == pytest.approx(expected.total.tolist(), rel=1e-4)
        assert found[convention].prior.tolist() == pytest.approx(expected.prior.tolist(), rel=1e-12)
        course = curves(found[convention], 64, 17)
        own = distortion(diffusion, network, x_0, noise) / 255 * 16
        assert course.distortion == pytest.approx(own.tolist(), rel=1e-4)
        assert course.rate == pytest.approx(rate(expected, 64).mean(dim=0).tolist(), rel=1e-4)
        assert sum(course.bits) + summary(found[convention], 64, diffusion).L_T == pytest.approx(
            summary(found[convention], 64, diffusion).total, rel=1e-12
        )
    assert not found["paper"].terms.equal(found["official"].terms)


def test_both_conventions_share_the_network_calls(measure):
    calls = []

    def network(x_t, t):
        calls.append(int(t[0]))
        return torch.zeros_like(x_t)

    diffusions = [measure.diffusion(convention) for convention in CONVENTIONS]
    some = measure.model.images.held_out[:3]
    terms(network, diffusions, some, 17, rows=torch.arange(3), seed=0)
    assert calls == list(range(1, 9))


def test_samples_are_those_of_algorithm_2(measure):
    expected = draw(
        measure.model.networks["ema"], measure.diffusion(), (1, 8, 8), 17,
        count=10, batch=4, seed=3, device=torch.device("cpu"),
    )  # fmt: skip
    assert measure.samples("ema", 10).equal(expected)
    assert not measure.samples("raw", 10).equal(expected)


def test_the_convention_of_the_sampler_can_be_chosen(measure, tmp_path):
    official = Measure(measure.model, tmp_path, Interrupt(), 3, 4, "official")
    assert official.diffusion().convention == "official"
    assert not official.samples("ema", 4).equal(measure.samples("ema", 4))


def test_fewer_steps_and_ddim_are_measured_apart(measure):
    """Each in the same folder as the other: no finished batch may be taken for another's."""
    network, shape = measure.model.networks["ema"], (1, 8, 8)
    noise = keyed(3, "sample", torch.arange(4), shape)
    found = [measure.samples("ema", 4)]
    for times, eta in (((3, 8), None), ((3, 8), 0.0), ((3, 8), 0.5), ((4, 8), None), ((), 0.5)):
        other = dataclasses.replace(measure, times=times, eta=eta)
        *_, x_0 = measure.diffusion().sample(network, noise, times=times, eta=eta)
        found.append(other.samples("ema", 4))
        assert found[-1].equal(from_unit(x_0, 17))
        assert other.samples("ema", 4).equal(found[-1])
    assert not any(a.equal(b) for a, b in itertools.combinations(found, 2))


def test_the_bound_of_fewer_steps_is_that_of_the_shorter_chain(measure):
    times = (3, 5, 8)
    found = dataclasses.replace(measure, times=times).terms("ema", "test", 4)
    network = told(measure.model.networks["ema"], times)
    x_0 = to_unit(measure.model.images.held_out[spread(4, 297)], 17)
    noise = keyed(3, "bound", torch.arange(4), (1, 8, 8))
    for convention in CONVENTIONS:
        chain = measure.diffusion(convention).visiting(times)
        expected = chain.bound(network, x_0, 17, noise)
        assert found[convention].terms.shape == (4, 3)
        assert found[convention].bound.total.tolist() == pytest.approx(expected.total.tolist(), rel=1e-4)
    assert measure.terms("ema", "test", 4)["paper"].terms.shape == (4, 8)
    with pytest.raises(ValueError, match=r"Eq\. 5 bounds Algorithm 2, not DDIM"):
        dataclasses.replace(measure, times=times, eta=0.0).terms("ema", "test", 4)


def test_another_seed_is_another_measurement(measure, tmp_path):
    """In the same folder: finished batches must not be taken for those of another seed."""
    other = Measure(measure.model, tmp_path, Interrupt(), 4, 4)
    assert not other.samples("ema", 4).equal(measure.samples("ema", 4))
    ours, theirs = (m.terms("ema", "test", 4)["paper"].terms for m in (measure, other))
    assert not ours.equal(theirs)


def test_stopped_and_gone_on_with_is_the_same(measure, tmp_path):
    """A signal after two of three batches, in either kind of work."""

    class Late(Interrupt):
        calls = 0

        def check(self, message):
            self.calls += 1
            if self.calls == 20:
                raise Interrupted(15, message)

    stopped = Measure(measure.model, tmp_path / "stopped", Late(), 3, 4)
    for work in (lambda m: m.samples("ema", 10), lambda m: m.terms("ema", "test", 10)["paper"].terms):
        stopped.interrupt.calls = 0
        with pytest.raises(Interrupted):
            work(stopped)
        saved = {file: file.stat().st_mtime_ns for file in (tmp_path / "stopped").rglob("rows-*")}
        assert saved
        assert work(stopped).equal(work(measure))
        assert all(file.stat().st_mtime_ns == time for file, time in saved.items())


def test_more_images_than_there_are(measure):
    with pytest.raises(InputError, match=r"--images is 298; it must be at most 297: digits has 1500 train"):
        measure.terms("ema", "test", 298)


def test_the_standard_error_is_that_of_the_mean(measure):
    found = measure.terms("ema", "test", 8)["paper"]
    bits = found.bound.total / (64 * math.log(2))
    reported = summary(found, 64, measure.diffusion())
    assert reported.standard_error == pytest.approx(bits.std().item() / math.sqrt(8), rel=1e-9)
