"""Learning from teachers: what a student loses for answering otherwise than they do.

Knowledge distillation (Hinton et al. 2015, arXiv 1503.02531): besides the labels, the student is
told the softened answers of trained networks. It has to hold on the very view that the student
sees (Beyer et al. 2021, arXiv 2106.05237), mixed up and augmented, so the teachers run inside the
training step, and cached answers would not do.

Each view is shown to one teacher, in turn. The loss is linear in what the teachers say, so over the
epochs the student learns their mean answer, and many teachers cost no more time than one.

A face shows the same in a mirror, but a network does not say quite the same of it, and the mean of
the two is right more often. So teachers look at each view or, as often, at its mirror image: that
mean is what the student comes to say, at the cost of one look. Plain `keras.ops`: TensorFlow, JAX
and PyTorch.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops


class Distillation(keras.layers.Layer):  # type: ignore[misc]  # keras has no types
    """The student's logits [N, K], as they are; in training, they add to the network's loss.

    The loss is weight * temperature^2 * KL(teacher || student), both softened by the temperature.
    Its square keeps the gradient's size when the temperature changes (Hinton et al., section 2).
    Of K teachers, number i is asked about the views i, i + K, i + 2K and so on of a batch.
    """

    def __init__(
        self, teachers: Sequence[keras.Model], weight: float, temperature: float, **kwargs: Any
    ) -> None:
        super().__init__(dtype="float32", **kwargs)
        self.teachers = list(teachers)
        self.weight, self.temperature = weight, temperature
        self.seed_generator = keras.random.SeedGenerator(0)
        for teacher in self.teachers:
            teacher.trainable = False

    def call(self, logits: Any, view: Any, training: bool = False) -> Any:
        if training:
            chance = keras.random.uniform((ops.shape(view)[0], 1, 1, 1), seed=self.seed_generator)
            shown = ops.where(chance < 0.5, view, ops.flip(view, axis=2))
            found = ops.log_softmax(logits / self.temperature)
            turns = range(len(self.teachers))
            parts = [
                self._divergence(found[i :: len(turns)], shown[i :: len(turns)], i) for i in turns
            ]
            divergence = sum(parts) / ops.cast(ops.shape(view)[0], "float32")
            self.add_loss(self.weight * self.temperature**2 * divergence)
        return logits

    def _divergence(self, found: Any, shown: Any, teacher: int) -> Any:
        """The sum of KL(teacher || student) over the views that this teacher is asked about."""
        answer = self.teachers[teacher](shown, training=False)["logits"]
        wanted = ops.stop_gradient(ops.softmax(answer / self.temperature))
        return ops.sum(wanted * (ops.log(ops.maximum(wanted, 1e-7)) - found))


def distil(
    student: keras.Model, teachers: Sequence[keras.Model], weight: float, temperature: float
) -> keras.Model:
    """The student's own layers and weights, with a loss for what its teachers would not say.

    `student` is what `build_trainable` gives; `teachers` go from a view, float32 [N, 48, 48, 1] in
    0..1, to {"logits": [N, 7]}, and stay as they are.
    """
    view = student.get_layer("augment").output
    learn = Distillation(teachers, weight, temperature, name="distillation")
    outputs = {**student.output, "logits": learn(student.output["logits"], view)}
    return keras.Model(student.input, outputs, name=student.name)
