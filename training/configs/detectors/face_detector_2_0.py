"""Our own face detector, taught by CenterFace on natural photos.

Command:  python -m training.detector train --photos PHOTOS
Time:     an hour on two cores (44 s an epoch)
"""

from training.config import TrainConfig

config = TrainConfig(
    system="face_detector",
    architecture={"widths": (32, 32, 48), "dilations": (2, 4)},
    epochs=80,
    # Small batches: more steps for the same views, which is what a small network lacks.
    batch_size=16,
    optimizer="adam",
    learning_rate=2e-3,
    warmup_epochs=1.0,
    final_learning_rate_share=0.005,
    weight_decay=1e-3,
    weight_average=0.998,
)
