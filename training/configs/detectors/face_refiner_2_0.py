"""The second look of our own face detector, taught on what the first proposes.

Command:  python -m training.detector refine --photos PHOTOS --data FER2013.npz
Time:     an hour on two cores (85 s an epoch). The released run was planned for 30 epochs, and
          for 11 of them its labels told some large faces several times.
"""

from training.config import TrainConfig

config = TrainConfig(
    system="face_refiner",
    architecture={"widths": (16, 32, 64, 96)},
    epochs=45,
    batch_size=64,
    optimizer="adam",
    learning_rate=2e-3,
    warmup_epochs=0.5,
    final_learning_rate_share=0.005,
    weight_decay=1e-3,
    weight_average=0.998,
)
