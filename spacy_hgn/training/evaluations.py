"""When a training is evaluated: spaCy does so at each multiple of ``eval_frequency`` alone, so that
the last step, and with few steps all but the untrained step 0, may go without."""

from collections.abc import Callable, Mapping
from math import ceil
from typing import Any


def fit_evaluations(steps: int, frequency: int, is_fixed: bool = False) -> tuple[int, int]:
    """Steps, and steps from one evaluation to the next, so that the last step has one.

    The frequency is the largest divisor of the steps between half of what is asked for and that.
    Where there is none, as for a prime number, a few more steps are taken.

    is_fixed: leave the frequency as it is where the steps reach it, and take more steps.
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
    """What to change in a config's section ``training`` so that the last step is evaluated.

    A number of epochs becomes one of steps, from which the schedules of the learning rates count.
    Nothing is changed where neither is given, so that patience ends the training. A training with
    checkpoints keeps its frequency: it may go on with more steps, which repeat the evaluations.
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
