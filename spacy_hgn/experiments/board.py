"""What the user sees of a grid that runs: a bar in a terminal, lines in a log."""

from math import ceil
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

LONG = 24 * 3600
"""Seconds over which speed is averaged: runs differ more than the moments of one."""


class Board:
    """Shows runs and steps done, the F1 on dev of each epoch, and the time that is left."""

    def __init__(self, console: Console, total_runs: int, done: int, steps: int) -> None:
        """done: runs that are there already. steps: those of all other runs."""
        self.console = console
        self.total_runs = total_runs
        self.done = done
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn("steps"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("left"),
            console=console,
            speed_estimate_period=LONG,
            disable=not console.is_terminal,
        )
        self._all = self._progress.add_task(self._count(), total=steps)
        self._tasks: dict[str, TaskID] = {}
        self._epochs: dict[str, int] = {}

    def __enter__(self) -> "Board":
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def begin(self, name: str, steps: int) -> None:
        """A run begins."""
        self._say(f"{name}: begins, {steps:,} steps")
        self._tasks[name] = self._progress.add_task(name, total=steps)
        self._epochs[name] = 0

    def update(self, name: str, step: int, dev_f1: list[float]) -> None:
        """A run is at a step; its epochs so far had these F1 on dev."""
        before = self._get(self._tasks[name]).completed
        self._progress.update(self._tasks[name], completed=step)
        self._progress.advance(self._all, step - before)
        for epoch in range(self._epochs[name], len(dev_f1)):
            self._say(f"{name}: epoch {epoch + 1}, F1 on dev {dev_f1[epoch]:.2f}")
            self._progress.update(
                self._tasks[name], description=f"{name} [dim]dev {dev_f1[epoch]:.2f}[/]"
            )
        self._epochs[name] = len(dev_f1)

    def end(self, name: str, outcome: str, succeeded: bool = True) -> None:
        """A run has ended."""
        task, everything = self._get(self._tasks[name]), self._get(self._all)
        missing = (task.total or 0) - task.completed
        if succeeded:
            self._progress.advance(self._all, missing)
        else:
            self._progress.update(self._all, total=(everything.total or 0) - missing)
        self._progress.remove_task(self._tasks.pop(name))
        self.done += succeeded
        self._progress.update(self._all, description=self._count())
        self._say(f"{name}: {outcome}")
        self._say(f"{self._count()}{self._left()}")

    def _get(self, task_id: TaskID) -> Task:
        return next(task for task in self._progress.tasks if task.id == task_id)

    def _count(self) -> str:
        return f"{self.done} of {self.total_runs} runs done"

    def _left(self) -> str:
        seconds = self._get(self._all).time_remaining
        return f", about {ceil(seconds / 60):,} min left" if seconds else ""

    def _say(self, text: str) -> None:
        self._progress.console.print(text, highlight=False, markup=False, soft_wrap=True)
