"""Raises the learning rate step by step to see which one suits (L. N. Smith, arXiv:1506.01186)."""

import contextlib
import dataclasses
import logging
import math
import os
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from deployment import precision, sessions
from nets.network import Network
from slim_internal.ground.compat import slim, tf
from slim_internal.ground.errors import UserError
from slim_internal.ground.files import atomic
from slim_internal.ground.images import pixels
from slim_internal.parts.input_pipeline import damage
from slim_internal.programs.training import graph as model
from slim_internal.programs.training import start
from slim_internal.programs.training.cluster.replica import Replica
from slim_internal.programs.training.reporting import announced
from slim_internal.programs.training.settings import TrainConfig
from slim_internal.programs.training.stop_request import StopRequest

_LOG = logging.getLogger(__name__)

_LOWEST, _HIGHEST = 1e-7, 10.0
_NUM_STEPS = 100
_SMOOTHING = 0.9  # Decay rate of the moving average of the losses.
_DIVERGED = 4.0  # Times the lowest loss.
# The rate of the lowest loss is too high to stay at.
_BELOW_LOWEST = 10.0
_LEAST_FALL = 0.01  # Fraction of the first loss; a smaller fall may be chance.

_WIDTH, _HEIGHT, _MARGIN = 800, 450, 60
_BLACK, _GRAY, _BLUE, _RED = (0, 0, 0), (200, 200, 200), (30, 90, 180), (200, 40, 40)

# Learning rate, smoothed loss.
Point = tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Found:
    """What the test found.

    Attributes:
      curve: Learning rates and losses.
      suggestion: Learning rate to begin with.
      exit_code: 0, or 128 + the number of the signal that stopped it.
    """

    curve: Sequence[Point]
    suggestion: float
    exit_code: int = 0


def find(dataset: slim.dataset.Dataset, network: Network, config: TrainConfig) -> Found:
    """Trains with rising rates, draws the losses into a file and suggests a rate; saves nothing.

    Args:
      dataset: What to train on.
      network: Record of the network.
      config: The settings; `find_learning_rate` is the file.

    Raises:
      UserError: If the file cannot be written, or no rate lowers the loss.
    """
    path = config.find_learning_rate
    folder = os.path.dirname(path) or "."
    if not path.endswith(".png") or not os.path.isdir(folder):
        raise UserError(
            f"--find_learning_rate must be a file NAME.png in a folder that exists; got {path!r}."
        )
    chosen = precision.choose(config, on_cpu=config.clone_on_cpu)
    config = dataclasses.replace(config, cache_features="off", find_learning_rate=None)
    begin = start.find(config)
    with tf.Graph().as_default(), damage.damage_named(dataset), StopRequest() as stop:
        graph = model.build(config, network, dataset, begin.step, chosen)
        sessions.announce(chosen.words)
        planned = start.plan(begin, config, network)
        settings = chosen.configure(sessions.config(config.cpu_threads))
        with tf.Session(config=settings) as session:
            Replica().initialize(session, lambda: planned and planned.restore(session))
            with announced(f"Trying {_NUM_STEPS} learning rates, {_LOWEST:g} to {_HIGHEST:g}"):
                curve = _curve(session, graph, stop)
    if stop.exit_code:
        return Found(curve, math.nan, stop.exit_code)
    suggestion = suggest(curve)
    atomic.write(path, pixels.encode_png(draw(curve, suggestion)))
    _LOG.info(
        "The loss fell to %.4f at the learning rate %.2g and rose after it; see %s.\n"
        "Suggestion: --learning_rate=%.2g (%s, batches of %d). Nothing was saved in --train_dir.",
        *reversed(min(curve, key=lambda point: point[1])),
        path,
        suggestion,
        config.optimizer,
        config.batch_size * config.num_clones * config.accumulate_steps,
    )
    return Found(curve, suggestion)


def _curve(session, graph, stop) -> list[Point]:
    curve: list[Point] = []
    average = 0.0
    for number in range(_NUM_STEPS):
        if stop.signal_number is not None:
            break
        rate = _LOWEST * (_HIGHEST / _LOWEST) ** (number / (_NUM_STEPS - 1))
        for _ in range(graph.accumulate_steps - 1):
            session.run(graph.accumulate)
        loss = float(session.run(graph.loss, {graph.learning_rate: rate}))
        average = _SMOOTHING * average + (1 - _SMOOTHING) * loss
        smoothed = average / (1 - _SMOOTHING ** (number + 1))
        with contextlib.suppress(ValueError):
            if not math.isfinite(loss) or smoothed > _DIVERGED * min(y for _, y in curve):
                break
        curve.append((rate, smoothed))
    return curve


def suggest(curve: Sequence[Point]) -> float:
    """Returns a tenth of the rate of the lowest loss.

    Raises:
      UserError: If the loss did not fall.
    """
    if not curve:
        raise UserError("The loss is not finite from the first step on: look for damaged images.")
    rate, lowest = min(curve, key=lambda point: point[1])
    if lowest > (1 - _LEAST_FALL) * curve[0][1]:
        raise UserError(
            f"No learning rate from {_LOWEST:g} to {_HIGHEST:g} lowers the loss: try another"
            " --optimizer, or a larger --batch_size."
        )
    return rate / _BELOW_LOWEST


def draw(curve: Sequence[Point], suggestion: float) -> np.ndarray:
    """Returns the plot, uint8 [height, width, 3]: losses by learning rates, the suggestion red."""
    image = Image.new("RGB", (_WIDTH, _HEIGHT), (255, 255, 255))
    pen = ImageDraw.Draw(image)
    low, high = (math.log10(bound) for bound in (_LOWEST, _HIGHEST))
    bottom = min(loss for _, loss in curve)
    top = max(loss for _, loss in curve)
    span = (top - bottom) or 1.0

    def x(rate):
        return _MARGIN + (math.log10(rate) - low) / (high - low) * (_WIDTH - 2 * _MARGIN)

    def y(loss):
        return _HEIGHT - _MARGIN - (loss - bottom) / span * (_HEIGHT - 2 * _MARGIN)

    for power in range(round(low), round(high) + 1):
        pen.line([(x(10.0**power), _MARGIN), (x(10.0**power), _HEIGHT - _MARGIN)], _GRAY)
        pen.text((x(10.0**power), _HEIGHT - _MARGIN + 14), f"1e{power}", _BLACK, anchor="mm")
    for part in range(5):
        loss = bottom + span * part / 4
        pen.line([(_MARGIN, y(loss)), (_WIDTH - _MARGIN, y(loss))], _GRAY)
        pen.text((_MARGIN - 8, y(loss)), f"{loss:.3g}", _BLACK, anchor="rm")
    pen.text((_WIDTH / 2, _HEIGHT - 18), "learning rate", _BLACK, anchor="mm")
    pen.text((_MARGIN, _MARGIN - 30), "loss, smoothed", _BLACK, anchor="lm")
    pen.line([(x(rate), y(loss)) for rate, loss in curve], _BLUE, width=3)
    pen.line([(x(suggestion), _MARGIN), (x(suggestion), _HEIGHT - _MARGIN)], _RED, width=2)
    words = f"suggestion: {suggestion:.2g}"
    pen.text((x(suggestion), _MARGIN - 12), words, _RED, anchor="mm")
    return np.asarray(image)
