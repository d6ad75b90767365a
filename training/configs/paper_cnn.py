"""A plain five-layer CNN in the place of that of Quinn et al. 2017: 66.67 %.

Command:  python -m training.train training/configs/paper_cnn.py --data FER2013.npz
          python -m training.export runs/paper_cnn --data FER2013.npz
Budget:   300 epochs; 7 minutes on an H200 that six runs share (KERAS_BACKEND=jax)

Quinn et al. publish no recipe. This is the one that Khanzada et al. 2020 (arXiv 2004.11823) give
for the same layers: SGD with momentum 0.9, rate 0.1, batches of 128, 300 epochs, weight decay
0.0001 (0.001 in our decoupled form, see paper_vggnet.py), dropout 0.3. Ours: an epoch of
warm-up, a cosine in place of halving the rate on a plateau, and the augmentation, mirroring and
shifts of up to 10 %.
"""

from training.config import Augmentation, TrainConfig

config = TrainConfig(
    system="cnn",
    epochs=300,
    batch_size=128,
    optimizer="sgd",
    learning_rate=0.1,
    warmup_epochs=1.0,
    weight_decay=1e-3,
    augmentation=Augmentation(shift=0.1),
)
