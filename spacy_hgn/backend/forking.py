"""torch in forked processes."""

import os
from functools import cache, partial

import torch


@cache
def let_forked_processes_compute() -> None:
    """Let torch work in processes forked from this one, as by ``nlp.pipe(n_process=2)``.

    A forked process inherits the locks of torch's threads but not the threads. It would wait for
    them forever, unless it uses a single thread.
    """
    if not hasattr(os, "register_at_fork"):
        return
    os.register_at_fork(after_in_child=partial(torch.set_num_threads, 1))
    # The tokenizers use a single thread too. They print a warning about it in every process,
    # unless this variable is set before the fork.
    setting = "TOKENIZERS_PARALLELISM"
    is_ours = False

    def choose_one_thread() -> None:
        nonlocal is_ours
        is_ours = setting not in os.environ
        if is_ours:
            os.environ[setting] = "false"

    def take_choice_back() -> None:
        if is_ours:
            os.environ.pop(setting, None)

    os.register_at_fork(before=choose_one_thread, after_in_parent=take_choice_back)
