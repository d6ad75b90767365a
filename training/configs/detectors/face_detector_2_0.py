"""Our own face detector, taught by CenterFace on natural photos.

Command:  python -m training.detector train --photos PHOTOS
"""

from training.config import TrainConfig

config = TrainConfig(
    system="face_detector",
    architecture={"widths": (32, 32, 48), "dilations": (2, 4)},
    epochs=120,
    batch_size=32,
    optimizer="adam",
    learning_rate=3e-3,
    warmup_epochs=1.0,
    final_learning_rate_share=0.005,
    weight_decay=1e-3,
    weight_average=0.998,
    precision="mixed_bfloat16",
)
