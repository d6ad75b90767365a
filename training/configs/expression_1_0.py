"""What one network reaches on two cores of a CPU: 124 million MACs, 60 epochs.

Command:  python -m training.train training/configs/expression_1_0.py --data FER2013.npz
Time:     2.2 hours on two busy cores (KERAS_BACKEND=torch, AVX-512 BF16)
Score:    69.9 % on PublicTest
"""

from training.config import Augmentation, TrainConfig

config = TrainConfig(
    system="mien",
    architecture={"widths": (48, 96, 224), "depths": (1, 2, 2), "dropout": 0.2},
    epochs=60,
    batch_size=64,
    optimizer="sgd",
    learning_rate=0.05,
    warmup_epochs=2.0,
    # Decoupled from the gradient, so momentum does not multiply it: an L2 penalty of 2.5e-4.
    weight_decay=2.5e-3,
    label_smoothing=0.1,
    ferplus_weight=0.5,
    precision="mixed_bfloat16",
    augmentation=Augmentation(
        rotation_degrees=12,
        shift=0.08,
        scale=0.12,
        aspect=0.06,
        brightness=0.08,
        contrast=0.25,
        gamma=0.2,
        low_resolution_share=0.08,
        blur_share=0.08,
        noise_share=0.1,
        jpeg_share=0.08,
        erasing_share=0.25,
    ),
)
