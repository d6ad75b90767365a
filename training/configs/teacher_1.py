"""The first of three teachers: 946 million MACs, as wide as ResNet-18 at 24x24, 12x12, 6x6 pixels.

Command:  python -m training.train training/configs/teacher_1.py --data FER2013.npz
Time:     3.6 minutes on an H200 that the three of them share (KERAS_BACKEND=jax)
Score:    70.9 % on PublicTest
"""

from training.config import Augmentation, TrainConfig

config = TrainConfig(
    system="mien",
    architecture={"widths": (128, 256, 512), "depths": (2, 2, 2), "dropout": 0.3},
    epochs=80,
    batch_size=128,
    optimizer="sgd",
    learning_rate=0.1,
    warmup_epochs=3.0,
    # Decoupled from the gradient, so momentum does not multiply it: an L2 penalty of 5e-4.
    weight_decay=5e-3,
    label_smoothing=0.1,
    mixup=0.4,
    ferplus_weight=0.5,
    precision="mixed_bfloat16",
    augmentation=Augmentation(
        rotation_degrees=12,
        shift=0.08,
        scale=0.12,
        aspect=0.06,
        brightness=0.12,
        contrast=0.25,
        gamma=0.25,
        low_resolution_share=0.1,
        blur_share=0.15,
        noise_share=0.15,
        jpeg_share=0.15,
        erasing_share=0.3,
    ),
)
