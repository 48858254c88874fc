"""frozen_flair.py without the Hero's dropout: what flair keeps of the train part is what it would
read in prediction."""

from functools import partial
from typing import Any

from flair.trainers.plugins import TrainerPlugin
from frozen_flair import BATCHES, PACKAGES, load, train
from lessons import serve


class Calm(TrainerPlugin):
    """Takes the embeddings out of training mode, in which flair puts them at each epoch."""

    @TrainerPlugin.hook
    def before_training_batch(self, **kwargs: Any) -> None:
        self.trainer.model.embeddings.eval()


if __name__ == "__main__":
    serve(partial(train, plugins=[Calm()]), load, BATCHES, *PACKAGES)
