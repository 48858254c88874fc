"""When a training is evaluated. spaCy only evaluates at multiples of ``eval_frequency``, so the
last step may not be evaluated, and in a short training only the untrained step 0."""

from collections.abc import Callable, Mapping
from math import ceil
from typing import Any


def fit_evaluations(steps: int, frequency: int, is_fixed: bool = False) -> tuple[int, int]:
    """Adjust steps and evaluation frequency so that the last step is evaluated. Returns both.

    The new frequency is the largest divisor of the steps between half the given frequency and
    that. If there is none, as for a prime number, a few steps are added.

    is_fixed: keep the frequency, unless there are fewer steps, and add steps instead.
    """
    frequency = min(frequency, steps)
    if is_fixed:
        return ceil(steps / frequency) * frequency, frequency
    for divisor in range(frequency, frequency // 2, -1):
        if steps % divisor == 0:
            return steps, divisor
    evaluations = ceil(steps / frequency)
    frequency = ceil(steps / evaluations)
    return evaluations * frequency, frequency


def change_for_last_step(
    training: Mapping[str, Any], steps_an_epoch: Callable[[], int]
) -> dict[str, int]:
    """The changes in a config's section ``training`` so that the last step is evaluated.

    Epochs are converted into steps, which the schedules of the learning rates depend on. If neither
    is given, nothing changes: patience ends the training. A training with checkpoints keeps its
    frequency, because it may be continued with more steps and the same evaluations.
    """
    limits = [training["max_steps"]] if training["max_steps"] > 0 else []
    if training["max_epochs"] > 0:
        limits.append(training["max_epochs"] * steps_an_epoch())
    if not limits:
        return {}
    goes_on = "Checkpoints" in str(training.get("logger"))
    steps, frequency = fit_evaluations(max(min(limits), 1), training["eval_frequency"], goes_on)
    epochs = min(training["max_epochs"], 0)
    wanted = {"max_epochs": epochs, "max_steps": steps, "eval_frequency": frequency}
    return {name: value for name, value in wanted.items() if training[name] != value}
