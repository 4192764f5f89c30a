"""The loop: equal runs are equal in every bit, stopped or not, and a step is what Algorithm 1 says."""

import functools
import math

import pytest
import torch
from small_run import SMALL, finished, same, trainer

from ddpm_spec.data import to_unit
from ddpm_spec.errors import InputError
from ddpm_spec.runs import checkpoints
from ddpm_spec.training import ema, loop
from ddpm_spec.training.loop import Diverged


def test_a_second_identical_run_ends_in_identical_weights(images, tmp_path):
    first, second = finished(tmp_path / "a", images), finished(tmp_path / "b", images)
    assert same(first.state(), second.state())
    other = finished(tmp_path / "c", images, seed=4)
    assert not same(first.state(), other.state())


@pytest.mark.parametrize("stop", [1, 3, 5])
def test_a_resumed_run_is_the_uninterrupted_one(images, tmp_path, stop):
    straight = finished(tmp_path / "straight", images)
    stopped = trainer(images)
    for _ in range(stop):
        stopped.update()
    checkpoints.write(tmp_path, stopped.state())
    resumed = trainer(images)
    resumed.restore(checkpoints.read(checkpoints.latest(tmp_path), resumed.belongs_to))
    assert resumed.step == stop
    for _ in resumed.run(lambda state: None):
        pass
    assert same(straight.state(), resumed.state())


def test_more_steps_than_first_asked_for(images, tmp_path):
    finished(tmp_path, images, steps=4)
    longer = trainer(images, steps=7)
    longer.restore(checkpoints.read(checkpoints.latest(tmp_path), longer.belongs_to))
    for _ in longer.run(lambda state: None):
        pass
    assert same(longer.state(), finished(tmp_path / "straight", images).state())


def test_processes_that_share_a_batch_draw_its_rows(images):
    made = trainer(images)
    whole = made.batch(2, torch.arange(6))
    shares = [made.batch(2, torch.arange(first, first + 3)) for first in (0, 3)]
    for everything, *parts in zip(whole, *shares, strict=True):
        assert torch.cat(parts).equal(everything)
    x_0, t, eps, keys = whole
    again = made.model(made.diffusion.q_sample(x_0, t, eps), t, keys)
    parts = [made.model(made.diffusion.q_sample(x, s, e), s, k) for x, s, e, k in shares]
    # Dropout included; the sums inside a convolution may differ in order.
    assert (torch.cat(parts) - again).abs().max() < 1e-5 * again.abs().max()


def test_what_a_batch_holds(images):
    made = trainer(images, batch=1000)
    x_0, t, eps, _ = made.batch(0, torch.arange(1000))
    known = {bytes(image) for image in images.train.numpy()}
    mirrored = {bytes(image) for image in images.train.flip(-1).numpy()}
    rows = [bytes(row) for row in ((x_0 + 1) * 8).round().to(torch.uint8).numpy()]
    share = sum(row in known for row in rows) / 1000
    assert all(row in known | mirrored for row in rows)
    assert abs(share - 0.5) < 4.9 * 0.5 / 1000**0.5  # flips; false alarm 1e-6
    assert t.unique().tolist() == list(range(1, 9))
    assert eps.shape == x_0.shape == (1000, 1, 8, 8)
    assert len({bytes(e) for e in eps.numpy()}) == 1000


def test_one_update_is_adam_on_the_simple_loss_then_the_average(images):
    """By hand, from the first two updates: the first has learning rate 0 and leaves a moment only."""
    made = trainer(images, max_norm=0.1)
    initial = {name: p.detach().clone() for name, p in made.network.named_parameters()}
    gradients = []
    for step in range(2):
        x_0, t, eps, keys = made.batch(step, made.positions)
        table = made.diffusion.schedule.steps
        scale, spread = table.alpha_bar[t].sqrt(), table.one_minus_alpha_bar[t].sqrt()
        x_t = scale.view(-1, 1, 1, 1) * x_0 + spread.view(-1, 1, 1, 1) * eps
        loss = ((eps - made.network(x_t.float(), t, keys)) ** 2).mean()
        g = dict(zip(initial, torch.autograd.grad(loss, list(made.network.parameters())), strict=True))
        length = torch.stack([v.norm() for v in g.values()]).norm()
        gradients.append({name: v * min(1.0, 0.1 / length.item()) for name, v in g.items()})
        made.update()
        assert made.losses[step].item() == pytest.approx(loss.item(), rel=1e-5)
        assert length > 0.1
    rate = SMALL.training.lr * 1 / 2  # the second of two warm-up steps
    moments = made.state().moments
    for name, p in made.network.named_parameters():
        first, second = gradients[0][name], gradients[1][name]
        mean = 0.9 * 0.1 * first + 0.1 * second
        # Behind a nearly zero layer the gradients are all rounding, 1e-20.
        assert torch.allclose(moments[f"exp_avg.{name}"], mean, rtol=1e-4, atol=1e-7)
        m = mean / (1 - 0.9**2)
        v = (0.999 * 0.001 * first**2 + 0.001 * second**2) / (1 - 0.999**2)
        expected = initial[name] - rate * m / (v.sqrt() + 1e-8)
        # An entry whose gradient is all rounding may go either way by a whole step.
        clear = second.abs() > 1e-4 * second.abs().max()
        assert (p - expected)[clear].abs().max() < 0.02 * rate
        average = dict(made.average.named_parameters())[name]
        assert torch.allclose(average, (initial[name] + p) / 2, rtol=1e-6, atol=1e-7)


def test_the_average_is_the_weighted_sum_of_all_weights():
    network = torch.nn.Linear(2, 1, bias=False)
    average, expected = ema.shadow(network), network.weight.detach().clone()
    for k in range(5):
        with torch.no_grad():
            network.weight.fill_(float(k))
        ema.update(tuple(average.parameters()), tuple(network.parameters()), 0.9)
        expected = 0.9 * expected + 0.1 * k
    assert torch.allclose(average.weight, expected, rtol=1e-6)
    assert not average.weight.requires_grad
    assert (network.weight == 4).all()


def test_learning_rate_rises_from_0_and_stays(images):
    made = trainer(images, lr=0.5, warmup=4)
    assert [made.learning_rate(s) for s in (0, 1, 4, 100)] == [0, 0.125, 0.5, 0.5]
    assert trainer(images, lr=0.5, warmup=0).learning_rate(0) == 0.5


def test_a_loss_that_is_not_finite_stops_with_its_step(images, tmp_path):
    made = trainer(images, steps=40, save_every=6)
    clean = made.diffusion

    class Spoilt:
        def loss(self, *batch):
            return clean.loss(*batch) * (torch.inf if made.step == 4 else 1)

    made.diffusion = Spoilt()
    with pytest.raises(InputError, match=r"the loss is inf at step 5; start a new run with a lower --lr"):
        list(made.run(functools.partial(checkpoints.write, tmp_path)))
    assert checkpoints.steps_in(tmp_path) == []


def test_bfloat16_is_computed_in_at_every_step_and_weights_stay_float32(images):
    made, computed_in = trainer(images, machine={"dtype": "bfloat16"}), []
    made.network.conv_in.register_forward_hook(lambda layer, given, out: computed_in.append(out.dtype))
    for _ in range(3):
        made.update()
    assert computed_in == [torch.bfloat16] * 3
    assert {p.dtype for p in (*made.parameters, *made.averages)} == {torch.float32}
    assert made.losses[:3].isfinite().all()


def test_data_reach_the_network_scaled(images):
    made = trainer(images, flip=False)
    x_0, *_ = made.batch(0, made.positions)
    assert x_0.min() >= -1
    assert {bytes(x) for x in x_0.numpy()} <= {bytes(x) for x in to_unit(images.train, 17).numpy()}


def test_a_gradient_that_is_not_finite_is_told_from_a_loss(images):
    made = trainer(images, steps=40)
    clean = made.diffusion

    class Spoilt:
        def loss(self, network, x_0, t, eps):
            loss = clean.loss(network, x_0, t, eps)
            if made.step == 2:  # √ has no slope at 0: finite forward, infinite backward
                loss = loss + (0 * made.parameters[0]).abs().sum().sqrt()
            return loss

    made.diffusion = Spoilt()
    with pytest.raises(
        Diverged, match=r"the gradient is (nan|inf) at step 3; start a new run with a lower --lr"
    ) as stop:
        list(made.run(lambda state: None))
    assert (stop.value.step, stop.value.cause) == (3, "gradient")


@pytest.mark.parametrize(("seconds", "steps"), [(math.inf, [1, 21, 25]), (0, list(range(1, 26)))])
def test_looks_are_rare_where_steps_are_fast(images, monkeypatch, seconds, steps):
    monkeypatch.setattr(loop, "CHECK_SECONDS", min(seconds, 1e9))
    made = trainer(images, steps=25, save_every=1000)
    assert [look.step for look in made.run(lambda state: None)] == steps


def test_a_signal_stops_one_process_at_once(images):
    made, saved = trainer(images, steps=60, save_every=1000), []
    for _ in made.run(saved.append, signal=lambda: 15 if made.step == 7 else 0):
        pass
    assert made.stopped_by == 15
    assert [state.step for state in saved] == [7]


def test_what_one_process_restores_the_others_are_given(images, tmp_path):
    """`share` on one process changes nothing; what it would send is everything that a state holds."""
    finished(tmp_path, images, steps=3)
    made = trainer(images)
    made.restore(checkpoints.read(checkpoints.latest(tmp_path), made.belongs_to))
    before = made.state()
    made.share()
    assert same(made.state(), before)
