"""HOG features and a linear SVM, in the place of the SVM of Quinn et al. 2017: 45.95 %.

Command:  python -m training.train training/configs/paper_svm.py --data FER2013.npz
          python -m training.export runs/paper_svm --data FER2013.npz
Budget:   a convex problem: about a minute on one core

Quinn et al. publish neither features nor parameters; training/systems/svm.py documents ours. Not
tuned: scikit-learn's C = 1, which is a weight decay of 1 / images.
"""

from training.config import TrainConfig

config = TrainConfig(
    system="svm",
    epochs=1000,  # Newton steps, at most, whole and on all images
    batch_size=28_006,
    learning_rate=1.0,
    optimizer="liblinear",
    weight_decay=1 / 28_006,
)
