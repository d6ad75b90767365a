"""The second look of our own face detector, taught on what the first proposes.

Command:  python -m training.detector refine --photos PHOTOS --data FER2013.npz
Time:     65 minutes on two cores (98 s an epoch)
"""

from training.config import TrainConfig

config = TrainConfig(
    system="face_refiner",
    architecture={"widths": (24, 48, 80, 112)},
    epochs=40,
    batch_size=64,
    optimizer="adam",
    learning_rate=2e-3,
    warmup_epochs=0.5,
    final_learning_rate_share=0.005,
    weight_decay=1e-3,
    weight_average=0.998,
)
