"""The first released network: 57 million MACs, 16 epochs.

Command:  python -m training.train training/configs/expression_0_1.py --data FER2013.npz
Time:     33 minutes on two busy cores (KERAS_BACKEND=torch, AVX-512 BF16)
Score:    59.8 % on PublicTest
"""

from training.config import Augmentation, TrainConfig

config = TrainConfig(
    system="mien",
    architecture={"widths": (48, 96, 160), "depths": (1, 1, 1), "dropout": 0.2},
    epochs=16,
    batch_size=128,
    optimizer="sgd",
    learning_rate=0.08,
    warmup_epochs=1.0,
    weight_decay=5e-4,
    label_smoothing=0.1,
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
