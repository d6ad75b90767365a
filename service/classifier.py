"""Which expression a face shows."""

import numpy as np
from numpy.typing import NDArray

from service.errors import InferenceFailed, ModelError
from service.session import Runnable

LOGITS = "logits"  # the graph's output


class ExpressionClassifier:
    """Reads face crops. Any number of threads may use it at once.

    Raises `ModelError` when the session's model lacks labels, temperature or `uncertain_below`.
    """

    def __init__(self, session: Runnable) -> None:
        config = session.config
        found = (config.labels, config.temperature, config.uncertain_below)
        if config.labels is None or config.temperature is None or config.uncertain_below is None:
            raise ModelError(
                f"{config.name} {config.version}: expected labels, temperature and "
                f"uncertain_below, found {found}"
            )
        self._session = session
        self._labels = tuple(config.labels)
        self._temperature = config.temperature
        self._uncertain_below = config.uncertain_below

    @property
    def labels(self) -> tuple[str, ...]:
        """The expressions, in the order of every row of probabilities."""
        return self._labels

    @property
    def uncertain_below(self) -> float:
        """An answer whose largest probability is below this should be read as uncertain."""
        return self._uncertain_below

    def predict(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, 48, 48) uint8 gray crops -> (N, labels) float32; each row sums to 1.

        Raises `InferenceFailed`, also when the graph gives numbers that are no numbers.
        """
        (logits,) = self._session.run(crops, LOGITS)
        return self.probabilities(logits)

    def probabilities(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N, labels) of the graph's output `logits` -> the same as `predict`."""
        if not np.isfinite(logits).all():
            raise InferenceFailed("The expression model gave numbers that are not finite.")
        # float64: the sum of a row is 1 to the last digit that float32 can show.
        scaled = logits.astype(np.float64) / self._temperature
        # The largest exponent is 0, so that none overflows.
        powers: NDArray[np.float64] = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        probabilities: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
        return probabilities.astype(np.float32)
