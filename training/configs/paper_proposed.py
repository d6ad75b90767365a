"""The paper's own network with the paper's own recipe (its section 3.3, 3.4 and table 2): 70.13 %.

Command:  python -m training.train training/configs/paper_proposed.py --data FER2013.npz
          python -m training.export runs/paper_proposed --data FER2013.npz
Budget:   100 epochs; 6 minutes on an H200 that seven runs share (KERAS_BACKEND=jax)

From the paper: Adam at 0.0001 "with decay", batches of 64, 100 epochs, rotation of +-30 degrees,
mirroring, zoom of 0.8 to 1.2 (a factor here, as likely to shrink as to grow: 0.83 to 1.2), class
weights. Its table 2 has another recipe beside this one, see paper_proposed_short.py. Ours, where it
gives no figure: the decay is a cosine to zero, brightness changes by up to 0.2 of the range. The
score is that of the last epoch.
"""

from training.config import Augmentation, TrainConfig

config = TrainConfig(
    system="proposed",
    epochs=100,
    batch_size=64,
    optimizer="adam",
    learning_rate=1e-4,
    class_weights=True,
    augmentation=Augmentation(rotation_degrees=30, scale=0.2, brightness=0.2),
)
