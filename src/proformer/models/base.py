"""What every model is: a network from sequences to outputs, and the loss by which it is trained."""

from dataclasses import dataclass, field

from torch import Tensor, nn

from proformer.datasets.batches import Batch, DeviceData
from proformer.tasks import Task


@dataclass
class Loss:
    """What training takes from a model for one batch.

    total: the scalar to minimise, a mean over the batch's rows. prediction: of the targets, [B, T, P]. parts: of the
    total, by name, to be reported: "task" is the loss between outputs and targets, "nucleotides" that of the masked
    nucleotides.
    """

    total: Tensor
    prediction: Tensor
    parts: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.prediction = self.prediction.detach()
        self.parts = {name: value.detach() for name, value in (self.parts or {"task": self.total}).items()}


class Model(nn.Module):
    """Codes uint8 [B, L] of forward strands (A 0, C 1, G 2, T 3, N 4) to outputs float [B, T, P].

    Outputs are in the units of transformed targets (`Task.transform`). What a model needs besides the forward strand,
    it makes itself: the reverse strand, masks, soft labels, what surrounds a construct.
    """

    def forward(self, codes: Tensor) -> Tensor:
        """Predict."""
        raise NotImplementedError

    def loss(self, batch: Batch, task: Task) -> Loss:
        """The loss of one batch: the task's, and what `penalty` adds; a model with another objective overrides it.

        Randomness that is drawn per row comes from `batch.uniform`, so that processes that share a batch agree on it.
        """
        prediction = self(batch.codes).float()
        loss = task.loss(prediction, batch.target)
        penalty = self.penalty()
        return Loss(loss if penalty is None else loss + penalty, prediction, {"task": loss})

    def penalty(self) -> Tensor | None:
        """What the weights themselves add to the loss: a scalar, or None for nothing."""
        return None

    def fit(self, data: DeviceData) -> None:
        """Whatever a model takes from the whole training part at once, before the first step; most take nothing."""

    def after_step(self) -> None:
        """Whatever follows an update of the weights, such as a limit of their norms."""
