"""MobileNetV2 from scratch, as Gursesli et al. 2024 compare it: 58 %.

Command:  python -m training.train training/configs/paper_mobilenetv2.py --data FER2013.npz
          python -m training.export runs/paper_mobilenetv2 --data FER2013.npz
Budget:   78 epochs; 75 to 160 seconds an epoch on two cores, by their kind

Gursesli et al. publish neither recipe, input size nor split. All of this is ours, the same for the
three light networks of their comparison: SGD with Nesterov momentum 0.9, rate 0.05 along a cosine,
batches of 128, mirroring, small turns, shifts and changes of scale; and as many epochs as two slow
cores do in an hour and a half, or more. Their score is no measure of this run, nor this run of
theirs.
"""

from training.config import Augmentation, TrainConfig

config = TrainConfig(
    system="mobilenetv2",
    epochs=78,
    batch_size=128,
    optimizer="sgd",
    learning_rate=0.05,
    warmup_epochs=1.0,
    weight_decay=5e-4,
    augmentation=Augmentation(rotation_degrees=10, shift=0.08, scale=0.1, brightness=0.1),
)
