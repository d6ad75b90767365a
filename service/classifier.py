"""Which expression a face shows."""

import numpy as np
from numpy.typing import NDArray

from service.errors import InferenceFailed, ModelError
from service.session import Runnable


class ExpressionClassifier:
    """Reads face crops. Any number of threads may use it at once.

    Raises `ModelError` when the session's model has no labels or no temperature.
    """

    def __init__(self, session: Runnable) -> None:
        config = session.config
        if config.labels is None or config.temperature is None:
            raise ModelError(
                f"{config.name} {config.version}: expected labels and a temperature, found "
                f"{config.labels} and {config.temperature}"
            )
        self._session = session
        self._labels = tuple(config.labels)
        self._temperature = config.temperature

    @property
    def labels(self) -> tuple[str, ...]:
        """The expressions, in the order of every row of probabilities."""
        return self._labels

    def predict(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, 48, 48) uint8 gray crops -> (N, labels) float32; each row sums to 1.

        Raises `InferenceFailed`, also when the graph gives numbers that are no numbers.
        """
        # float64: the sum of a row is 1 to the last digit that float32 can show.
        logits = self._session.run(crops)[0].astype(np.float64)
        if not np.isfinite(logits).all():
            raise InferenceFailed("The expression model gave numbers that are not finite.")
        scaled = logits / self._temperature
        # The largest exponent is 0, so that none overflows.
        powers: NDArray[np.float64] = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        probabilities: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
        return probabilities.astype(np.float32)
