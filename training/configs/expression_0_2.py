"""The second network: 109 million MACs, deeper, trained for longer.

Command:  python -m training.train training/configs/expression_0_2.py --data FER2013.npz
Time:     83 minutes on two busy cores (KERAS_BACKEND=torch, AVX-512 BF16)
Score:    66.7 % on PublicTest
"""

from training.config import Augmentation, TrainConfig

config = TrainConfig(
    system="mien",
    architecture={"widths": (48, 96, 192), "depths": (1, 2, 2), "dropout": 0.2},
    epochs=27,
    batch_size=64,
    optimizer="sgd",
    learning_rate=0.05,
    warmup_epochs=1.0,
    weight_decay=5e-4,
    label_smoothing=0.1,
    ferplus_weight=0.5,
    precision="mixed_bfloat16",
    augmentation=Augmentation(
        rotation_degrees=10,
        shift=0.06,
        scale=0.1,
        aspect=0.05,
        brightness=0.06,
        contrast=0.18,
        gamma=0.12,
        low_resolution_share=0.05,
        blur_share=0.06,
        noise_share=0.06,
        jpeg_share=0.06,
        erasing_share=0.12,
    ),
)
