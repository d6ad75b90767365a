"""The network whose out-of-fold predictions the audit asks; one of five, each on 4/5 of Training.

Command:  python -m training.folds training/configs/audit_fold.py --data FER2013.npz
Budget:   5 x 12 epochs; about 45 seconds an epoch on two cores
"""

from training.config import Augmentation, TrainConfig

config = TrainConfig(
    system="mien",
    architecture={"widths": (32, 64, 128), "depths": (1, 1, 1), "dropout": 0.2},
    epochs=12,
    batch_size=128,
    optimizer="sgd",
    learning_rate=0.08,
    warmup_epochs=1.0,
    weight_decay=5e-4,
    label_smoothing=0.1,
    augmentation=Augmentation(rotation_degrees=10, shift=0.06, scale=0.1, contrast=0.15),
)
