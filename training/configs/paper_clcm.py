"""A network derived from MobileNetV2, for CLCM (Gursesli et al. 2024): 63 %.

Command:  python -m training.train training/configs/paper_clcm.py --data FER2013.npz
          python -m training.export runs/paper_clcm --data FER2013.npz
Budget:   22 epochs; 4 to 5.5 minutes an epoch on two cores, by their kind

Gursesli et al. publish neither recipe, input size nor split. All of this is ours, the same for the
three light networks of their comparison: SGD with Nesterov momentum 0.9, rate 0.05 along a cosine,
batches of 128, mirroring, small turns, shifts and changes of scale; and as many epochs as two slow
cores do in an hour and a half, or more. Their score is no measure of this run, nor this run of
theirs.
"""

from training.config import Augmentation, TrainConfig

config = TrainConfig(
    system="clcm",
    epochs=22,
    batch_size=128,
    optimizer="sgd",
    learning_rate=0.05,
    warmup_epochs=1.0,
    weight_decay=5e-4,
    augmentation=Augmentation(rotation_degrees=10, shift=0.08, scale=0.1, brightness=0.1),
)
